// server/wire/messages.h: what clients and nodes say to each other, as plain structs.
//
// Each struct is the header of one kind of frame (server/wire/frame.h); its comment says who sends
// it and what the frame's payload holds. server/wire/codec.h turns headers into Protobuf and back.
//
// Ownership: Bytes fields of a decoded struct are views that live until the same thread decodes
//            the next message of that kind; the payload lives as long as the frame.
// Read next: docs/protocol.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/host_id.h"
#include "base/place.h"
#include "base/status.h"
#include "base/time.h"
#include "base/version.h"

namespace starling::wire {

inline constexpr std::uint32_t kProtocolVersion = 1;

enum class Kind : std::uint16_t {
  // Both ports.
  kHello = 1,
  kHelloReply = 2,
  kError = 3,
  // Clients and operators, port 7701.
  kPut = 16,
  kPutReply = 17,
  kGet = 18,
  kGetReply = 19,
  kScan = 20,
  kScanReply = 21,
  kClusterMap = 22,
  kClusterMapReply = 23,
  kCreateKeyspace = 24,
  kCreateKeyspaceReply = 25,
  kAdmin = 26,
  kAdminReply = 27,
  kPing = 28,
  kPong = 29,
  // Between nodes, port 7700.
  kReplicaWrite = 64,
  kReplicaWriteReply = 65,
  kReplicaRead = 66,
  kReplicaReadReply = 67,
  kReplicaScan = 68,
  kReplicaScanReply = 69,
  kSliceHashes = 70,
  kSliceHashesReply = 71,
  kBucketPull = 72,
  kBucketPullReply = 73,
  kHandled = 74,
  kHandledReply = 75,
  kBucketParts = 76,
  kBucketPartsReply = 77,
  // Between the control actors of nodes, port 7700.
  kControl = 96,
  kControlReply = 97,
};

enum class Consistency : std::uint8_t {
  kOne = 1,
  kTwo = 2,
  kQuorum = 3,
  kLocalQuorum = 4,
  kAll = 5,
};
std::string_view ConsistencyName(Consistency level);                // "QUORUM"
base::Result<Consistency> ParseConsistency(std::string_view text);  // any case; lists the choices

// What a message says of the time that is left: at least 1, for 0 says that there is no deadline.
std::uint32_t DeadlineMs(base::Duration left);

// Which half of a node a connection is for.
enum class Role : std::uint8_t { kClient = 1, kPeerData = 2, kPeerControl = 3 };

// --- handshake: the first frame each way ---

struct Hello {
  static constexpr Kind kKind = Kind::kHello;
  std::uint32_t protocol_min = kProtocolVersion;
  std::uint32_t protocol_max = kProtocolVersion;
  Role role = Role::kClient;
  std::string cluster_name;  // Empty from a client: any cluster will do.
  base::HostId cluster_id;   // Empty from a client, and from a node that has none yet.
  base::HostId host;         // Empty from a client.
  std::uint64_t boot = 0;
  std::uint64_t epoch = 0;
  std::uint32_t worker = 0;  // kPeerData: which of the sender's workers; a hint where to go.
};

struct HelloReply {
  static constexpr Kind kKind = Kind::kHelloReply;
  std::uint32_t protocol = kProtocolVersion;
  std::string cluster_name;
  base::HostId cluster_id;
  base::HostId host;
  std::uint64_t boot = 0;
  std::uint64_t epoch = 0;
  std::uint64_t token_seed = 0;
  std::uint32_t key_bytes_max = 0;
  std::uint32_t value_bytes_max = 0;
  std::uint32_t in_flight_max = 0;  // Requests of one connection that may be open at once.
  // To a node: how far its acknowledgements reached, as the sender remembers (server/peer_marks.h).
  // Boot 0: it remembers none.
  std::uint64_t remembered_boot = 0;
  std::uint64_t remembered_mark = 0;
};

// Answers a request that failed; or, with the id of the frame that caused it (0: none that could
// be read), says why the connection is closed.
struct ErrorReply {
  static constexpr Kind kKind = Kind::kError;
  base::Code code = base::Code::kUnavailable;
  std::string message;
  base::Version stamp;  // A put that timed out: the stamp a retry must carry (design section 9).
};
inline ErrorReply ErrorOf(const base::Status& status) {
  return {status.code(), status.message(), {}};
}

// --- clients ---

// A put, or with `tombstone` a delete. Payload: the value.
struct PutRequest {
  static constexpr Kind kKind = Kind::kPut;
  base::KeyspaceId keyspace = 0;
  base::Bytes key;
  bool tombstone = false;
  std::uint64_t ttl_ms = 0;  // 0: never expires. At most kTtlMsMax.
  Consistency level = Consistency::kQuorum;
  std::uint32_t deadline_ms = 0;  // From now; 0: the server's write timeout.
  std::uint64_t value_digest = 0;
  // Empty, or the stamp of the put that this one retries: at most kStampAheadMsMax in the future.
  base::Version stamp;
};

struct PutReply {
  static constexpr Kind kKind = Kind::kPutReply;
  base::Version version;
  std::vector<base::NodeNumber> replicas;  // That had acknowledged when the level was met.
};

struct GetRequest {
  static constexpr Kind kKind = Kind::kGet;
  base::KeyspaceId keyspace = 0;
  base::Bytes key;
  Consistency level = Consistency::kQuorum;
  std::uint32_t deadline_ms = 0;
  bool want_value = true;  // False: only whether it exists.
};

// Payload: the value, if found and wanted.
struct GetReply {
  static constexpr Kind kKind = Kind::kGetReply;
  bool found = false;
  base::Version version;        // Of what was read, a tombstone included; empty: never written.
  std::uint64_t expiry_ms = 0;  // Wall time; 0: never.
  std::uint64_t value_digest = 0;
  std::vector<base::NodeNumber> replicas;  // That said so.
};

// The live entries of a keyspace in the order of token and key, a page a call.
struct ScanRequest {
  static constexpr Kind kKind = Kind::kScan;
  base::KeyspaceId keyspace = 0;
  base::Token from_token = 0;
  base::Bytes after_key;  // With from_token: resume after this key; empty: at from_token.
  Consistency level = Consistency::kQuorum;
  std::uint32_t deadline_ms = 0;
  std::uint32_t bytes_max = 0;
};

// Payload: packed entries (server/wire/entries.h).
struct ScanReply {
  static constexpr Kind kKind = Kind::kScanReply;
  bool done = false;
  base::Token next_token = 0;
  base::Bytes next_after_key;
  std::uint64_t payload_digest = 0;
};

struct ClusterMapRequest {
  static constexpr Kind kKind = Kind::kClusterMap;
};

// Payload: a ClusterMap. (It grows with nodes and keyspaces: no header would hold it.)
struct ClusterMapReply {
  static constexpr Kind kKind = Kind::kClusterMapReply;
  std::uint64_t payload_digest = 0;
};

// All that a client needs to route by token. No header, but the payload of its reply.
struct ClusterMap {
  struct Node {
    base::NodeNumber number = 0;
    base::HostId host;
    base::Address client;
    std::string dc;
    std::string rack;
    bool up = true;
  };
  struct Range {  // From this bucket up to the next range's first.
    std::uint16_t first_bucket = 0;
    std::vector<base::NodeNumber> replicas;
  };
  struct Keyspace {
    base::KeyspaceId id = 0;
    std::string name;
    std::string replication;             // As requested: "simple:3".
    std::uint32_t effective_factor = 0;  // At most the number of nodes.
    std::vector<Range> ranges;           // The first begins at bucket 0.
  };
  std::string cluster_name;
  base::HostId cluster_id;
  std::uint64_t epoch = 0;
  std::uint64_t token_seed = 0;
  std::vector<Node> nodes;
  std::vector<Keyspace> keyspaces;
};

struct CreateKeyspaceRequest {
  static constexpr Kind kKind = Kind::kCreateKeyspace;
  std::string name;
  std::string replication;  // "simple:3" or "dc1:3,dc2:2"
  std::uint32_t deadline_ms = 0;
};

struct CreateKeyspaceReply {
  static constexpr Kind kKind = Kind::kCreateKeyspaceReply;
  base::KeyspaceId id = 0;
  bool existed = false;
};

// What nodetool asks. Payload of both: JSON (arguments; answer).
struct AdminRequest {
  static constexpr Kind kKind = Kind::kAdmin;
  std::string command;
  std::uint32_t deadline_ms = 0;
  std::uint64_t payload_digest = 0;
};
struct AdminReply {
  static constexpr Kind kKind = Kind::kAdminReply;
  std::uint64_t payload_digest = 0;
};

struct PingRequest {
  static constexpr Kind kKind = Kind::kPing;
};
struct PongReply {
  static constexpr Kind kKind = Kind::kPong;
};

// --- between nodes ---

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
  // A coordinator's own writes (origin: direct) to one node are numbered from 1, for each worker of
  // a boot. 0: one more than that of the write before, on the same connection.
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
};

// Payload: packed entries.
struct ReplicaScanReply {
  static constexpr Kind kKind = Kind::kReplicaScanReply;
  bool done = false;  // Nothing more up to last_token.
  std::uint64_t payload_digest = 0;
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
};
// Payload: names, then packed entries.
struct BucketPullReply {
  static constexpr Kind kKind = Kind::kBucketPullReply;
  bool done = false;  // Nothing more up to last_token.
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
};

}  // namespace starling::wire
