// server/range_proof.h: the record that a range was equal on all of its replicas as of a cut.
//
//   meta family, key:  "proof/" | keyspace u32 | first bucket u16                (big-endian)
//   value: format u8 1 | last bucket u16 | epoch u64 | cut i64 | wall ms i64 | digest 24 bytes |
//          count u16 | node numbers u32 each                                  (little-endian)
//
// Thread: values and free functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/version.h"
#include "merkle/recent.h"

namespace starling::server {

struct RangeProof {
  base::KeyspaceId keyspace = 0;
  std::uint16_t first_bucket = 0;
  std::uint16_t last_bucket = 0;
  std::vector<base::NodeNumber> replicas;  // Ascending.
  std::uint64_t epoch = 0;
  merkle::Generation through = 0;  // All versions up to the end of it.
  merkle::Digest digest;           // Of the range, on each replica.
  std::int64_t proved_ms = 0;      // When, by the clock of the node that compared.

  bool operator==(const RangeProof&) const = default;
};

inline constexpr base::Bytes kProofsBegin = "proof/";
inline constexpr base::Bytes kProofsEnd = "proof0";
std::string ProofKey(base::KeyspaceId keyspace, std::uint16_t first_bucket);
std::string EncodeProof(const RangeProof& proof);
// Corruption when malformed.
base::Result<RangeProof> DecodeProof(base::Bytes key, base::Bytes value);

}  // namespace starling::server
