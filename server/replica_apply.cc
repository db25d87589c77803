// server/replica_apply.cc: what becomes of a write once the old version is known.
#include <algorithm>

#include "base/mutants.h"
#include "server/replica.h"
#include "server/replica_commit.h"

namespace starling::server {

using storage::EntryHeader;
using storage::Family;
using wire::WriteOutcome;

void Replica::ExecuteWrite(Operation& operation, const EntryHeader& old, std::uint64_t covering) {
  write_bytes_ -= BytesOf(operation);  // Apply counts it anew, until its commit.
  const std::uint16_t bucket = base::BucketOf(operation.token);
  const purge::Mark mark = marks_.Of(operation.keyspace, bucket);
  if (operation.stamp &&
      !listener_.OnStamp(operation.ticket, std::max(old.version, purge::HighestAt(mark.closed)),
                         &operation.header))
    return;
  const base::Version& version = operation.header.version;
  if (operation.removes) {
    if (version == old.version) Erase(operation, old);
    AnswerWrite(operation, WriteOutcome::kOk, version, last_commit_);
    return;
  }
  if (version > old.version && version.timestamp <= mark.closed) {
    switch (purge::Admit(operation.header, mark, RemovingIn(operation.keyspace, bucket),
                         operation.source, epoch_)) {
      case purge::Admission::kEnters: break;
      case purge::Admission::kGone:
        AnswerWrite(operation, WriteOutcome::kOk, version, covering);
        return;
      case purge::Admission::kTooOld: RefuseTooOld(operation, mark.closed); return;
    }
  }
  if (version > old.version && disk_full() && !operation.header.tombstone()) {
    listener_.OnLocalWrite(operation.ticket, WriteOutcome::kRefused, {},
                           base::Unavailable("the disk of this node is full: it takes no put"));
    return;
  }
  if (version > old.version || (version < old.version && base::Mutant("accept-older"))) {
    Apply(operation, old);
    AnswerWrite(operation, WriteOutcome::kOk, version, last_commit_);
    return;
  }
  if (version == old.version) {
    AnswerWrite(operation, WriteOutcome::kOk, version, covering);
    return;
  }
  ++counters_.superseded;
  switch (held_.Ask(operation.keyspace, operation.token, version)) {
    case HeldMemory::Answer::kHeld:
      AnswerWrite(operation, WriteOutcome::kOk, old.version, covering);
      break;
    case HeldMemory::Answer::kNeverHeld:
      AnswerWrite(operation, WriteOutcome::kNeverHeld, old.version, covering);
      break;
    case HeldMemory::Answer::kUnknown:
      AnswerWrite(operation, WriteOutcome::kUnknown, old.version, covering);
      break;
  }
}

void Replica::Apply(const Operation& operation, const EntryHeader& old) {
  ++counters_.writes;
  Commit& commit = OpenCommit();
  write_bytes_ += BytesOf(operation);
  commit.write_bytes += BytesOf(operation);
  storage::EncodeEntryTo(operation.header, operation.value,
                         commit.batch.BeginPut(Family::kData, operation.stored_key));
  commit.batch.EndPut();

  CountChange(operation, operation.header, old);
  if (operation.ticket.kind == Ticket::Kind::kPull)
    held_.NotePulled(operation.keyspace, operation.token, operation.header.version);
  else  // What was purged may have been held: nothing up to there can be denied.
    held_.Note(operation.keyspace, operation.token,
               std::max(old.version,
                        purge::HighestAt(
                            marks_.Of(operation.keyspace, base::BucketOf(operation.token)).purged)),
               operation.header.version);
  NoteUncommitted(operation.stored_key, operation.header, commit);
}

}  // namespace starling::server
