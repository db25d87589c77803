// server/wire/client_messages.h: what clients and operators ask of a node, and its answers.
//
// Thread:    values.
// Ownership: as in server/wire/messages.h.
// Read next: server/wire/messages.h, docs/protocol.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "server/wire/messages.h"

namespace starling::wire {

// --- data ---

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

struct PingRequest {
  static constexpr Kind kKind = Kind::kPing;
};
struct PongReply {
  static constexpr Kind kKind = Kind::kPong;
};

// --- the cluster, and its operators ---

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

}  // namespace starling::wire
