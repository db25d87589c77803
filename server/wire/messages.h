// server/wire/messages.h: the kinds of message, and those that both ports know, as plain structs.
//
// Each struct is the header of one kind of frame (server/wire/frame.h); its comment says who sends
// it and what the frame's payload holds. server/wire/codec.h turns headers into Protobuf and back.
//
// Ownership: Bytes fields of a decoded struct are views that live until the same thread decodes
//            the next message of that kind; the payload lives as long as the frame.
// Read next: server/wire/client_messages.h, server/wire/peer_messages.h, docs/protocol.md
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
  kValuePiece = 78,
  kValuePieceReply = 79,
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

}  // namespace starling::wire
