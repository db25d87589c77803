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
  const auto [noted, fresh] = overlay_.try_emplace(std::string(stored_key));
  // Of the keys that a commit writes twice, one is enough to take out.
  if (fresh || noted->second.commit != commit.number) commit.noted.push_back(&*noted);
  noted->second = {header, commit.number};
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
  CHECK(commit != nullptr);  // What is in the overlay has a commit that will take it out.
  commit->reads.push_back(std::move(operation));
  Own(commit->reads.back());
}

void Replica::OnCommitted(Commit& commit) {
  CHECK(!committing_.empty() && committing_.front().get() == &commit);
  std::unique_ptr<Commit> done = std::move(committing_.front());
  committing_.pop_front();
  if (!done->status.ok()) {
    // Those behind it fail as well, and come here before the loop has stopped: the first Exit
    // counts.
    world_.Exit(
        done->status.Annotate("cannot write to storage; the state of its files is unknown"));
    return;
  }
  for (const OverlayMap::value_type* noted : done->noted) {
    if (!fetching_.empty())
      if (const auto fetch = fetching_.find(noted->first); fetch != fetching_.end())
        fetch->second->overtaken = true;
    if (noted->second.commit == done->number) overlay_.erase(overlay_.find(noted->first));
  }
  for (const Release& release : done->releases)
    listener_.OnLocalWrite(release.ticket, release.outcome, release.held, base::Ok());
  write_bytes_ -= done->write_bytes;
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
    done->noted.clear();
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
