#include "server/replica_commit.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "base/mutants.h"
#include "server/replica_fetch.h"
#include "server/stored_trees.h"

namespace starling::server {

using storage::EntryHeader;
using storage::Family;
using wire::WriteOutcome;

void Replica::NoteUncommitted(base::Bytes stored_key, const EntryHeader& header, Commit& commit) {
  const Uncommitted::Record* newest = uncommitted_.Find(stored_key);
  if (newest != nullptr && newest->commit == commit.number)
    uncommitted_.NoteAgain(*newest, header);
  else
    uncommitted_.Note({commit.keys.Copy(stored_key), header, commit.number});
}

void Replica::AnswerWrite(const Operation& operation, WriteOutcome outcome,
                          const base::Version& held, std::uint64_t covering_commit) {
  Commit* commit = base::Mutant("ack-before-wal") ? nullptr : FindCommit(covering_commit);
  if (commit == nullptr)
    listener_.OnLocalWrite(operation.ticket, outcome, held, base::Ok());
  else
    commit->releases.push_back({operation.ticket, outcome, held});
}

Replica::Commit* Replica::FindCommit(std::uint64_t number) {
  if (open_ != nullptr && open_->number == number) return open_.get();
  for (const auto& commit : committing_)
    if (commit->number == number) return commit.get();
  return nullptr;
}

void Replica::WaitForCommit(std::uint64_t number, Operation& operation) {
  Commit* commit = FindCommit(number);
  CHECK(commit != nullptr);  // What is uncommitted has one.
  commit->reads.push_back(std::move(operation));
  Own(commit->reads.back());
}

void Replica::OnCommitted(Commit& commit) {
  if (!commit.status.ok()) {
    // Those behind it fail as well, and come here before the loop has stopped: the first Exit
    // counts. It stays: the turn goes on, and what looks for one of its keys must wait for it, that
    // is, for ever, and not be answered as if it were stored.
    world_.Exit(
        commit.status.Annotate("cannot write to storage; the state of its files is unknown"));
    return;
  }
  CHECK(!committing_.empty() && committing_.front().get() == &commit);
  std::unique_ptr<Commit> done = std::move(committing_.front());
  committing_.pop_front();
  uncommitted_.Forget(done->number, [this](base::Bytes stored_key) {
    if (fetching_.empty()) return;
    if (const auto fetch = fetching_.find(stored_key); fetch != fetching_.end())
      fetch->second->overtaken = true;
  });
  for (const Release& release : done->releases)
    listener_.OnLocalWrite(release.ticket, release.outcome, release.held, base::Ok());
  write_bytes_ -= done->write_bytes;
  GoOnFilling();
  for (Operation& operation : done->reads) {
    if (TurnIsFull())
      again_.push_back(std::move(operation));
    else
      ReadAgain(operation);
  }
  if (spare_.size() < kSpareCommits && done->batch.bytes() <= kSpareBytesMax) {
    done->batch.Clear();
    done->releases.clear();
    done->reads.clear();
    done->write_bytes = 0;
    done->must_sync = false;
    done->keys.Reset();
    spare_.push_back(std::move(done));
  }
}

storage::Batch& Replica::batch() { return OpenCommit().batch; }

Replica::Commit& Replica::OpenCommit() {
  if (open_ == nullptr) {
    if (spare_.empty()) {
      open_ = std::make_unique<Commit>(*this);
    } else {
      open_ = std::move(spare_.back());
      spare_.pop_back();
    }
    open_->number = ++last_commit_;
  }
  return *open_;
}

void Replica::HandOver() {
  if (open_ == nullptr) return;
  for (const auto& [keyspace, history] : histories_) journal_.Take(history->tree());
  TreeSink sink(open_->batch);
  journal_.EndTurn(sink);
  marks_.StoreDirty(open_->batch);
  dead_.StoreDirty(open_->batch);
  ++counters_.commits;
  committing_.push_back(std::move(open_));
  committer_.Submit(world_, *committing_.back());
}

}  // namespace starling::server
