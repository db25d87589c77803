// server/replica_read.cc: how a replica reads what is not in memory, and answers with what it read.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutants.h"
#include "server/replica.h"
#include "server/replica_fetch.h"

namespace starling::server {

using storage::EntryHeader;
using storage::Family;
using storage::Found;

// Is it the value that was written (G1)? A damaged one is no answer.
void Replica::AnswerRead(const Operation& operation, const EntryHeader& header, base::Bytes value) {
  ++counters_.reads;
  if (!operation.want_value || header.version.empty()) value = {};
  const bool shown = operation.want_value && !header.version.empty() && !header.tombstone();
  if (shown && !base::Mutant("repair-damage-served"))
    if (const base::Status sound = storage::VerifyValue({header, value}); !sound.ok()) {
      listener_.OnLocalRead(operation.ticket, sound, {}, {}, 0);
      return;
    }
  turn_bytes_ += value.size();
  listener_.OnLocalRead(operation.ticket, base::Ok(), header, value,
                        marks_.Of(operation.keyspace, base::BucketOf(operation.token)).purged);
}

void Replica::StartFetch(Operation& operation) {
  ++counters_.fetches;
  auto fetch = std::make_unique<Fetch>(*this);
  fetch->stored_key = operation.stored_key;
  fetch->waiting.push_back(std::move(operation));
  Own(fetch->waiting.back());
  fetch_queue_.push_back(fetch.get());
  fetching_.emplace(fetch->stored_key, std::move(fetch));
  OffloadFetches();
}

// Each holds its value until the worker comes to it: large ones are not read far ahead.
void Replica::OffloadFetches() {
  const std::size_t most = std::clamp(ExpectedCount(), kFetchesMin, kFetchesMax);
  while (!fetch_queue_.empty() && fetches_running_ < most) {
    Fetch& next = *fetch_queue_.front();
    fetch_queue_.pop_front();
    ++fetches_running_;
    world_.Offload(base::Lane::kRead, next);
  }
}

void Replica::OnFetched(Fetch& fetch) {
  const auto it = fetching_.find(fetch.stored_key);
  CHECK(it != fetching_.end());
  const std::unique_ptr<Fetch> done = std::move(it->second);
  fetching_.erase(it);  // First: the operations below must not queue behind themselves.
  --fetches_running_;
  NoteValue(done->value.size());
  OffloadFetches();
  if (done->overtaken) {
    PutFirst(done->waiting, 0);
    return;
  }
  Known known{done->found, {}, {}, done->error};
  if (done->found == Found::kValue) {
    const auto entry = storage::DecodeEntry(done->value);
    if (entry) {
      known.header = entry->header;
      known.value = entry->value;
    } else {
      known.found = Found::kError;
      known.error = entry.error();
    }
  }
  for (std::size_t i = 0; i < done->waiting.size(); ++i) {
    if (i > 0 && TurnIsFull()) return PutFirst(done->waiting, i);
    Execute(done->waiting[i], known);
  }
}

// Reads what was just committed, past what is uncommitted: a hot key always is, and what the engine
// shows is synced.
void Replica::ReadAgain(Operation& operation) {
  struct Once final : storage::GetSink {
    void OnFound(std::size_t, Found result, base::Bytes bytes, const base::Status& why) override {
      found = result;
      value.assign(bytes);
      error = why;
    }
    Found found = Found::kAbsent;
    std::string value;
    base::Status error;
  } once;
  const base::Bytes key = operation.stored_key;
  engine_.Get(Family::kData, {&key, 1}, storage::Tier::kCacheOnly, once);
  if (once.found == Found::kNotCached) {
    if (const auto it = fetching_.find(key); it != fetching_.end())
      it->second->waiting.push_back(std::move(operation));
    else
      StartFetch(operation);
    return;
  }
  const auto entry = storage::DecodeEntry(once.value);
  NoteValue(once.value.size());
  if (once.found == Found::kValue && entry) {
    AnswerRead(operation, entry->header, entry->value);
  } else {
    ++counters_.reads;
    listener_.OnLocalRead(operation.ticket,
                          once.found == Found::kAbsent ? base::Ok()
                          : entry                      ? once.error
                                                       : entry.error(),
                          {}, {},
                          marks_.Of(operation.keyspace, base::BucketOf(operation.token)).purged);
  }
}

}  // namespace starling::server
