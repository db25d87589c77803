// server/wire/peer_messages.h: what the nodes of a cluster ask of each other, and their answers.
//
// Thread:    values.
// Ownership: as in server/wire/messages.h.
// Read next: server/wire/messages.h, docs/protocol.md
#pragma once

#include <cstdint>
#include <vector>

#include "server/wire/messages.h"

namespace starling::wire {

// One version of one entry, to a replica. Payload: the value.
struct ReplicaWrite {
  static constexpr Kind kKind = Kind::kReplicaWrite;
  base::KeyspaceId keyspace = 0;
  base::Bytes key;
  base::Version version;
  std::uint8_t flags = 0;   // As in storage/entry.h.
  std::uint8_t origin = 1;  // Likewise.
  std::uint64_t expiry_ms = 0;
  std::uint64_t value_digest = 0;
  std::uint64_t epoch = 0;  // Of the sender.
  // A coordinator's own writes (origin: direct or restore) to one node are numbered from 1, for
  // each worker of a boot. 0: one more than that of the write before, on the same connection.
  std::uint64_t number = 0;
  // With a number: of the writes before, how many may be unhandled. All before those are handled.
  std::uint32_t unhandled = 0;
  // Of a repair (origin: repair): what the replica that had it says of itself (ReplicaReadReply).
  std::uint64_t source_epoch = 0;
  std::uint64_t source_purged = 0;
};

// What a replica says of a version it was handed (design section 9).
enum class WriteOutcome : std::uint8_t {
  kOk = 1,         // It holds, or lately held, exactly this version.
  kNeverHeld = 2,  // Superseded by `held`, and this version was never held here.
  kUnknown = 3,    // Superseded by `held`; whether this version was held is not known.
  kRefused = 4,    // Not taken: wrong epoch, not an owner, overloaded. See the error frame instead
                   // where there is a reason to tell.
};

struct ReplicaWriteReply {
  static constexpr Kind kKind = Kind::kReplicaWriteReply;
  WriteOutcome outcome = WriteOutcome::kOk;
  base::Version held;
  // The sender's boot, and what its last sync covers: Engine::sequence().
  std::uint64_t boot = 0;
  std::uint64_t mark = 0;
};

struct ReplicaRead {
  static constexpr Kind kKind = Kind::kReplicaRead;
  base::KeyspaceId keyspace = 0;
  base::Bytes key;
  bool want_value = false;
  std::uint64_t epoch = 0;
  std::uint32_t deadline_ms = 0;  // From the arrival: after it nobody waits. 0: none.
};

// Payload: the value, if wanted and there is one.
struct ReplicaReadReply {
  static constexpr Kind kKind = Kind::kReplicaReadReply;
  base::Version version;  // Empty: nothing here.
  std::uint8_t flags = 0;
  std::uint8_t origin = 1;
  std::uint64_t expiry_ms = 0;
  std::uint64_t value_digest = 0;
  std::uint64_t epoch = 0;   // That the replica is in.
  std::uint64_t purged = 0;  // Its bucket's mark (server/purge/marks.h).
};

// A page of a token range as one replica has it, tombstones included.
struct ReplicaScan {
  static constexpr Kind kKind = Kind::kReplicaScan;
  base::KeyspaceId keyspace = 0;
  base::Token from_token = 0;
  base::Bytes after_key;
  base::Token last_token = 0;  // Included.
  std::uint32_t bytes_max = 0;
  std::uint64_t epoch = 0;
  std::uint32_t deadline_ms = 0;  // As of ReplicaRead.
  bool with_marks = false;        // Else the answer has none of what comes after its digest.
};

// Payload: packed entries.
struct ReplicaScanReply {
  static constexpr Kind kKind = Kind::kReplicaScanReply;
  bool done = false;  // Nothing more up to last_token.
  std::uint64_t payload_digest = 0;
  std::uint64_t epoch = 0;    // That the replica is in; 0: it tells no marks.
  base::Bytes purged{};       // Of its buckets: server/purge/purged_runs.h.
  base::Token told_upto = 0;  // Not 0, nor done: all up to this token was told.
};

// A coordinator that has written nothing to a node for a while: all its writes there with numbers
// below this one are handled.
struct Handled {
  static constexpr Kind kKind = Kind::kHandled;
  std::uint64_t below = 0;
};
struct HandledReply {
  static constexpr Kind kKind = Kind::kHandledReply;
};

// Repair: the short hashes of a slice's leaves over the buckets that both nodes own, as of a cut.
struct SliceHashesRequest {
  static constexpr Kind kKind = Kind::kSliceHashes;
  base::KeyspaceId keyspace = 0;
  std::uint8_t slice = 0;
  std::uint64_t salt = 0;
  std::uint64_t epoch = 0;
  std::int64_t cut_s = 0;  // A merkle::Generation.
};
// Payload: the low 4 bytes of 256 hashes, little-endian, by leaf.
struct SliceHashesReply {
  static constexpr Kind kKind = Kind::kSliceHashesReply;
  std::uint64_t epoch = 0;
  std::uint64_t payload_digest = 0;
};

// Repair: in which of so many equal parts of these tokens of one bucket do you differ from me?
// Payload: a hash of 4 bytes a part (server/bucket_parts.h).
struct BucketParts {
  static constexpr Kind kKind = Kind::kBucketParts;
  base::KeyspaceId keyspace = 0;
  base::Token first_token = 0;
  base::Token last_token = 0;
  std::uint64_t salt = 0;
  std::uint64_t epoch = 0;
  std::uint64_t payload_digest = 0;
  std::int64_t cut_s = 0;    // What is newer is in no hash.
  std::uint64_t purged = 0;  // My mark of the bucket: to a higher one all parts differ.
};
// Payload: a bit a part that differs, the lowest first.
struct BucketPartsReply {
  static constexpr Kind kKind = Kind::kBucketPartsReply;
  std::uint64_t payload_digest = 0;
};

// Repair: send me the entries of this bucket that I lack or have older. Payload: what I have, as
// {token u64, version 16 bytes}, little-endian, in the order of storage, from `after` on.
struct BucketPull {
  static constexpr Kind kKind = Kind::kBucketPull;
  base::KeyspaceId keyspace = 0;
  std::uint16_t bucket = 0;
  base::Bytes after;  // Resume after this stored key (token and key); empty: from the start.
  std::uint32_t bytes_max = 0;
  std::uint64_t epoch = 0;
  std::uint64_t payload_digest = 0;
  base::Token last_token = 0;  // Up to where the payload tells; the answer goes no further.
  std::int64_t cut_s = 0;      // What is newer is on its way, and not asked for.
  std::uint64_t purged = 0;    // My mark of the bucket (server/purge/marks.h).
  // Leaves, ascending, of further buckets of the slice, of which I have nothing and have that mark
  // too: of each all is asked for, as far as the page has room. Only with all of the bucket's end.
  base::Bytes further;
  // A larger value is announced, and fetched by ValuePiece. 0: all are sent whole, as nodes want
  // them that know no pieces.
  std::uint32_t whole_bytes_max = 0;
};
// What a page tells of a bucket beyond the one that was asked for first.
struct FurtherBucket {
  std::uint64_t unreadable = 0;
  std::uint64_t purged = 0;
  std::uint64_t named_upto = 0;
  std::uint32_t names_bytes = 0;
  std::uint32_t bytes = 0;  // Of the payload, its names included.
};
// An entry but for its key, and for its value, which is fetched in pieces.
struct AnnouncedValue {
  base::Version version;
  std::uint8_t flags = 0;   // As in storage/entry.h.
  std::uint8_t origin = 1;  // Likewise.
  std::uint64_t expiry_ms = 0;
  std::uint64_t value_digest = 0;
  std::uint32_t value_bytes = 0;  // 0: nothing is announced.
};
// Payload: names, then packed entries; the same of each further bucket that is told of.
struct BucketPullReply {
  static constexpr Kind kKind = Kind::kBucketPullReply;
  // Nothing more up to last_token; where further buckets are told of, to the end of the last.
  bool done = false;
  base::Bytes after;  // Where to resume, if not done.
  std::uint64_t payload_digest = 0;
  std::uint64_t unreadable = 0;  // Entries there that are damaged, and were left out.
  std::uint64_t epoch = 0;       // That the sender is in, if it is ready; else 0.
  std::uint64_t purged = 0;      // Its mark of the bucket, as of before it read the page.
  // Not 0: the names are {token u64, version 16 bytes} of all that is there up to this timestamp,
  // as far as the answer goes. So when `purged` is higher than the asker's, and both are in one
  // epoch.
  std::uint64_t named_upto = 0;
  std::uint32_t names_bytes = 0;
  std::vector<FurtherBucket> further;  // In the order asked for, from the first on.
  AnnouncedValue announced{};          // Of the entry that `after` names: the page ends with it.
};

// Repair: send me a piece of this value, if you still have this version of it.
struct ValuePiece {
  static constexpr Kind kKind = Kind::kValuePiece;
  base::KeyspaceId keyspace = 0;
  base::Bytes key;
  base::Version version;
  std::uint64_t value_digest = 0;  // Of the whole.
  std::uint32_t value_bytes = 0;   // Likewise.
  std::uint32_t offset = 0;
  std::uint32_t bytes_max = 0;
  std::uint64_t epoch = 0;
};
// Payload: the piece. NotFound instead: that version is not there any more.
struct ValuePieceReply {
  static constexpr Kind kKind = Kind::kValuePieceReply;
  base::Version version;
  std::uint32_t offset = 0;
  std::uint64_t payload_digest = 0;
};

// What a control frame's payload is. The payload's encoding belongs to its owner.
enum class ControlTopic : std::uint8_t {
  kGossip = 1,    // gossip::Gossip's stream requests and replies
  kFounding = 2,  // topology::Founding's hellos
  kPaxos = 3,     // topology::PaxosRequest and PaxosReply
  kJoin = 4,      // admit me (or let me replace): the answer is the topology that does
  kTopology = 5,  // the newest topology
  kCompare = 6,   // digests of what two nodes share
  kForward = 7,   // an operator's request, for the node it is meant for
  kPurge = 8,     // a purge round's steps (server/purge/round.h)
  kProve = 9,     // are these ranges the same there? (server/proofs.h)
};

struct ControlRequest {
  static constexpr Kind kKind = Kind::kControl;
  ControlTopic topic = ControlTopic::kGossip;
  std::uint64_t payload_digest = 0;
};
struct ControlReply {
  static constexpr Kind kKind = Kind::kControlReply;
  std::uint64_t payload_digest = 0;
  std::uint64_t boot = 0;  // The sender's; 0: it does not say.
  std::uint64_t mark = 0;  // What its last sync covers.
};

}  // namespace starling::wire
