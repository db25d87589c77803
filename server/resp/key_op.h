// server/resp/key_op.h: what a session asks of the store about one key, and what came of it.
//
// Read next: server/resp/session.h, which makes them; server/worker_resp.cc, which runs them.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/status.h"

namespace starling::resp {

struct KeyOp {
  std::uint64_t id = 0;  // Names the operation within its session: comes back with the result.
  bool is_write = false;
  bool tombstone = false;    // Of a write: deletes.
  bool want_value = true;    // Of a read; false: only whether it exists, and until when.
  std::uint64_t ttl_ms = 0;  // Of a write; 0: never expires.
  base::Bytes key{};
  base::Bytes value{};
};

struct KeyResult {
  base::Status status{};
  bool found = false;           // Of a read.
  std::uint64_t expiry_ms = 0;  // Of a read, wall time; 0: never.
  base::Bytes value{};
};

}  // namespace starling::resp
