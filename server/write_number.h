// server/write_number.h: which of a coordinator's writes one is, and up to where all are handled.
//
// A worker numbers the writes that it sends to a node as their coordinator. A write is handled once
// each of its replicas has acknowledged it or is owed a hint that is synced (or was given up to
// repair). Both ends count along on a connection, so that a number travels only now and then.
//
// Thread:    values.
// Read next: server/watermarks.h, which numbers; server/orphans.h, which uses it
#pragma once

#include <compare>
#include <cstdint>

#include "base/version.h"
#include "server/wire/peer_messages.h"
#include "storage/entry.h"

namespace starling::server {

// Whose numbers they are: one worker of one boot of a node.
struct WriteSource {
  base::NodeNumber node = 0;
  std::uint64_t boot = 0;
  std::uint32_t worker = 0;

  auto operator<=>(const WriteSource&) const = default;
};

struct WriteNumber {
  WriteSource source;
  std::uint64_t number = 0;  // 0: the write has none, as a hint or a repair.
  std::uint64_t handled_below = 0;
};

// The receiving end of a connection.
class WriteCounter {
 public:
  explicit WriteCounter(WriteSource source = {}) : last_{source} {}

  const WriteSource& source() const { return last_.source; }

  // Of each write that comes, in their order.
  WriteNumber Count(const wire::ReplicaWrite& write) {
    if (write.origin != static_cast<std::uint8_t>(storage::Origin::kDirect))
      return {last_.source, 0, 0};
    if (write.number != 0) {
      last_.number = write.number;
      last_.handled_below = write.number - write.unhandled;
    } else if (last_.number != 0) {  // 0: the sender tells the first one's, so this is none.
      ++last_.number;
    }
    return last_;
  }

 private:
  WriteNumber last_;
};

}  // namespace starling::server
