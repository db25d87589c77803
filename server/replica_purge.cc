// server/replica_purge.cc: what purge asks of a replica: marks, what is refused below them,
// removal.
#include <fmt/core.h>

#include <utility>

#include "base/check.h"
#include "base/mutants.h"
#include "server/replica.h"
#include "server/replica_commit.h"

namespace starling::server {

using storage::EntryHeader;
using storage::Family;
using wire::WriteOutcome;

base::Status Replica::LoadPurge() {
  const auto marks = engine_.Scan(Family::kMeta, purge::Marks::kPrefix, {});
  for (marks->Seek(purge::Marks::kPrefix);
       marks->Valid() && marks->key().starts_with(purge::Marks::kPrefix); marks->Next()) {
    ASSIGN_OR_RETURN(const auto place, purge::Marks::ParseKey(marks->key()));
    if (base::WorkerOf(place.second, options_.workers) != options_.worker) continue;
    RETURN_IF_ERROR(marks_.Load(place.first, place.second, marks->value()));
  }
  RETURN_IF_ERROR(marks->status());
  const auto dead = engine_.Scan(Family::kMeta, purge::DeadCounts::kPrefix, {});
  for (dead->Seek(purge::DeadCounts::kPrefix);
       dead->Valid() && dead->key().starts_with(purge::DeadCounts::kPrefix); dead->Next()) {
    ASSIGN_OR_RETURN(const auto place, purge::DeadCounts::ParseKey(dead->key()));
    if (base::WorkerOf(place.second, options_.workers) != options_.worker) continue;
    RETURN_IF_ERROR(dead_.Load(place.first, place.second, dead->value()));
  }
  return dead->status();
}

void Replica::Close(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t horizon) {
  marks_.Close(keyspace, bucket, horizon);
  if (marks_.dirty()) OpenCommit();
}

void Replica::RaisePurged(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t horizon) {
  marks_.Purge(keyspace, bucket, horizon);
  if (marks_.dirty() || dead_.dirty()) OpenCommit();
}

void Replica::SetRemoving(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t horizon) {
  if (horizon == 0)
    removing_.erase({keyspace, bucket});
  else
    removing_[{keyspace, bucket}] = horizon;
}

std::uint64_t Replica::RemovingIn(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  const auto it = removing_.find({keyspace, bucket});
  return it == removing_.end() ? 0 : it->second;
}

void Replica::Notify(const Ticket& ticket) {
  OpenCommit().releases.push_back({ticket, WriteOutcome::kOk, {}});
}

// Never `never held`: a repair may still bring it from a replica that has it. So nobody may stamp
// it again for our sake (design section 9, V7).
void Replica::RefuseTooOld(const Operation& operation, std::uint64_t closed) {
  ++counters_.too_old;
  const base::Version& version = operation.header.version;
  if (held_.Ask(operation.keyspace, operation.token, version) == HeldMemory::Answer::kHeld) {
    AnswerWrite(operation, WriteOutcome::kOk, version, last_commit_);
  } else if (operation.source.repair) {
    listener_.OnLocalWrite(
        operation.ticket, WriteOutcome::kRefused, {},
        base::FailedPrecondition("it is older than what was purged or is being proved here, and "
                                 "comes from a replica that is behind"));
  } else {
    AnswerWrite(operation, WriteOutcome::kUnknown, purge::HighestAt(closed), 0);
  }
}

void Replica::Erase(const Operation& operation, const EntryHeader& old) {
  Commit& commit = OpenCommit();
  write_bytes_ += BytesOf(operation);
  commit.write_bytes += BytesOf(operation);
  if (operation.quarantine) {
    ++counters_.quarantined;
    storage::EncodeEntryTo(operation.header, operation.value,
                           commit.batch.BeginPut(Family::kQuarantine, operation.stored_key));
    commit.batch.EndPut();
  } else {
    ++counters_.removed;
  }
  commit.batch.Delete(Family::kData, operation.stored_key);
  const std::uint16_t bucket = base::BucketOf(operation.token);
  // Under its own generation: as of every cut it is as if it had never been.
  if (!base::Mutant("purge-keeps-the-leaf"))
    HistoryFor(operation.keyspace)
        .Change(bucket, merkle::FiledUnder(old.version.wall_ms(), ArrivalMs()), {},
                DigestOf(operation, old));
  dead_.Remove(operation.keyspace, bucket, old, operation.stored_key.size());
  NoteUncommitted(operation, {}, commit);
}

}  // namespace starling::server
