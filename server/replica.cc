#include "server/replica.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/mutants.h"
#include "merkle/records.h"
#include "server/replica_commit.h"
#include "server/replica_fetch.h"
#include "server/replica_fill.h"

namespace starling::server {

using storage::Family;
using storage::Found;
using wire::WriteOutcome;

namespace {

merkle::JournalOptions JournalOf(const ReplicaOptions& options) {
  merkle::JournalOptions journal = options.journal;
  journal.stream = static_cast<std::uint16_t>(options.worker);
  return journal;
}

}  // namespace

Replica::Replica(base::World& world, storage::Engine& engine, Committer& committer,
                 ReplicaListener& listener, ReplicaOptions options)
    : world_(world),
      engine_(engine),
      committer_(committer),
      listener_(listener),
      options_(options),
      journal_(JournalOf(options)),
      held_(options.held_notes_max),
      fresh_(options.began_empty) {}

Replica::~Replica() = default;

base::Status Replica::Load() {
  first_cut_ = merkle::GenerationOf(ArrivalMs() + merkle::kSkewMs);
  RETURN_IF_ERROR(LoadUnmade());
  const auto cursor = engine_.Scan(Family::kTree, {}, {});
  for (cursor->Seek({}); cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const merkle::PagePlace page, merkle::ParsePageKey(cursor->key()));
    if (base::WorkerOf(page.slice, options_.workers) != options_.worker) continue;
    if (!making_.Made(page.slice)) {
      batch().Delete(Family::kTree, cursor->key());
      continue;
    }
    RETURN_IF_ERROR(
        merkle::LoadPage(cursor->value(), page.slice, HistoryFor(page.keyspace).tree()));
  }
  RETURN_IF_ERROR(cursor->status());
  return LoadPurge();
}

void Replica::Write(const LocalWrite& write) {
  Operation operation;
  operation.is_write = true;
  operation.stamp = write.stamp;
  operation.keyspace = write.keyspace;
  operation.token = write.token;
  operation.header = write.header;
  operation.value = arena_.Copy(write.value);
  operation.source = write.source;
  operation.ticket = write.ticket;
  operation.stored_key = {arena_.Room(storage::kKeyPrefixBytes + write.key.size()),
                          storage::kKeyPrefixBytes + write.key.size()};
  storage::StoreDataKey({write.keyspace, write.token, write.key},
                        const_cast<char*>(operation.stored_key.data()));
  write_bytes_ += BytesOf(operation);
  queue_.push_back(std::move(operation));
}

void Replica::Remove(const LocalRemoval& removal) {
  Operation operation;
  operation.is_write = true;
  operation.removes = true;
  operation.quarantine = removal.quarantine;
  operation.keyspace = removal.keyspace;
  operation.token = removal.token;
  operation.header = removal.header;
  operation.stored_key = arena_.Copy(removal.stored_key);
  if (removal.quarantine) operation.value = arena_.Copy(removal.value);
  operation.ticket = removal.ticket;
  write_bytes_ += BytesOf(operation);
  queue_.push_back(std::move(operation));
}

void Replica::Read(const LocalRead& read) {
  Operation operation;
  operation.want_value = read.want_value;
  operation.keyspace = read.keyspace;
  operation.token = read.token;
  operation.ticket = read.ticket;
  operation.stored_key = {arena_.Room(storage::kKeyPrefixBytes + read.key.size()),
                          storage::kKeyPrefixBytes + read.key.size()};
  storage::StoreDataKey({read.keyspace, read.token, read.key},
                        const_cast<char*>(operation.stored_key.data()));
  queue_.push_back(std::move(operation));
}

std::string Replica::Refusal() const {
  return fmt::format(
      "writes that wait for their commit hold {} bytes, and a worker's share of limits.memory is "
      "{}: try again later",
      write_bytes_, options_.write_bytes_max);
}

bool Replica::RunTurn() {
  const bool idle = next_ == running_.size() && queue_.empty() && again_.empty();
  // What came from disk or waited for a commit may have filled the turn already; some of the queue
  // is carried out nevertheless, or it would never be.
  if (idle || (ran_ && TurnIsFull())) {
    EndTurn();
    return false;
  }
  ran_ = true;
  while (!again_.empty()) {
    Operation operation = std::move(again_.front());
    again_.pop_front();
    ReadAgain(operation);
    if (TurnIsFull()) break;
  }
  if (next_ == running_.size()) {
    running_.clear();
    next_ = 0;
    running_.swap(queue_);
  }
  RunSome();
  return true;
}

// One lookup's worth of running_.
void Replica::RunSome() {
  const std::size_t count = std::min(
      {running_.size() - next_, kLookupKeysMax, std::max<std::size_t>(ExpectedCount(), 1)});
  if (count == 0) return;
  keys_.clear();
  asked_.clear();
  known_.assign(count, Known{});  // Absent, as those are that need no lookup.
  for (std::size_t i = 0; i < count; ++i) {
    const Operation& operation = running_[next_ + i];
    if (fresh_.Fresh(operation.stored_key, operation.is_write)) continue;
    keys_.push_back(operation.stored_key);
    asked_.push_back(i);
  }
  values_.Reset();
  lookup_bytes_ = 0;
  cut_ = count;
  value_bytes_ -= value_bytes_ / 32;
  engine_.Get(Family::kData, keys_, storage::Tier::kCacheOnly, *this);
  PrefetchLeaves({running_.data() + next_, cut_});
  for (std::size_t i = 0; i < cut_; ++i) {
    Operation& operation = running_[next_];
    ++next_;  // First: it is carried out, whatever becomes of it.
    if (const auto it = fetching_.find(operation.stored_key); it != fetching_.end()) {
      it->second->waiting.push_back(std::move(operation));
      Own(it->second->waiting.back());
    } else {
      Execute(operation, known_[i]);
      operation.owned.reset();
    }
  }
}

void Replica::EndTurn() {
  turn_bytes_ = 0;
  ran_ = false;
  if (next_ < running_.size() || !queue_.empty() || !again_.empty()) {
    for (std::size_t i = next_; i < running_.size(); ++i) Own(running_[i]);
    for (Operation& operation : queue_) Own(operation);
    world_.Again();
  }
  HandOver();
  arena_.Reset();
  values_.Reset();
}

// Those from `from` on came before all that is queued on their key, so they go in front of it.
void Replica::PutFirst(std::vector<Operation>& operations, std::size_t from) {
  running_.insert(running_.begin() + static_cast<std::ptrdiff_t>(next_),
                  std::make_move_iterator(operations.begin() + static_cast<std::ptrdiff_t>(from)),
                  std::make_move_iterator(operations.end()));
}

void Replica::OnFound(std::size_t asked, Found found, base::Bytes value,
                      const base::Status& error) {
  const std::size_t index = asked_[asked];
  Known& known = known_[index];
  known.found = found;
  known.error = error;
  if (found != Found::kValue) return;
  const auto entry = storage::DecodeEntry(value);
  if (!entry) {
    known.found = Found::kError;
    known.error = entry.error();
    return;
  }
  known.header = entry->header;
  NoteValue(value.size());
  if (!running_[next_ + index].want_value || index >= cut_) return;
  // At least one is taken, however large.
  if (lookup_bytes_ > 0 && lookup_bytes_ + entry->value.size() > options_.turn_bytes_max) {
    cut_ = index;
    return;
  }
  lookup_bytes_ += entry->value.size();
  known.value = values_.Copy(entry->value);
}

void Replica::Own(Operation& operation) {
  if (operation.owned != nullptr) return;
  const std::size_t key_size = operation.stored_key.size();
  operation.owned = std::make_unique<char[]>(key_size + operation.value.size());
  char* at = operation.owned.get();
  std::memcpy(at, operation.stored_key.data(), key_size);
  if (!operation.value.empty())
    std::memcpy(at + key_size, operation.value.data(), operation.value.size());
  operation.stored_key = {at, key_size};
  operation.value = {at + key_size, operation.value.size()};
}

void Replica::Execute(Operation& operation, const Known& known) {
  if (filling_ != nullptr && filling_->Covers(operation) &&
      !base::Mutant("repair-run-beside-writes")) {
    filling_->waiting.push_back(std::move(operation));
    Own(filling_->waiting.back());
    return;
  }
  if (const Uncommitted::Record* newest = uncommitted_.Find(operation.stored_key)) {
    if (operation.is_write) {
      // Copies: what it writes may move the record.
      ExecuteWrite(operation, storage::EntryHeader(newest->header), newest->commit);
    } else {
      WaitForCommit(newest->commit, operation);
    }
    return;
  }
  switch (known.found) {
    case Found::kNotCached: StartFetch(operation); return;
    case Found::kError:
      // A replica that cannot read its entry abstains: it must not answer as if it had an older
      // one.
      if (operation.is_write) {
        write_bytes_ -= BytesOf(operation);
        listener_.OnLocalWrite(operation.ticket, WriteOutcome::kRefused, {}, known.error);
      } else {
        listener_.OnLocalRead(operation.ticket, known.error, {}, {}, 0);
      }
      return;
    case Found::kAbsent:
    case Found::kValue: break;
  }
  if (operation.is_write) {
    ExecuteWrite(operation, known.header, 0);
  } else {
    AnswerRead(operation, known.header, known.value);
  }
}

}  // namespace starling::server
