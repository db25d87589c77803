// server/unhandled_writes.h: writes of one coordinator that may not have reached all replicas.
//
// Names only: what is to be passed on is read from storage when it comes to that. A queue in one
// buffer, oldest first, of at most kBytesMax.
//
// Thread:    confined to its worker.
// Ownership: copies keys.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/place.h"
#include "base/version.h"

namespace starling::server {

class UnhandledWrites {
 public:
  // Of one coordinator's worker. Higher: more is passed on when it dies under load, and more memory
  // for as long as a replica is slow. Over it the oldest goes, and repair has to find it.
  static constexpr std::size_t kBytesMax = 1 << 20;

  struct Write {
    std::uint64_t number = 0;
    base::KeyspaceId keyspace = 0;
    base::Version version;
    base::Bytes key;  // Valid until the next change.
  };

  bool empty() const { return at_ == buffer_.size(); }
  std::size_t bytes() const { return buffer_.size() - at_; }

  void Add(const Write& write);
  Write Front() const;  // REQUIRES: not empty.
  void PopFront();      // REQUIRES: not empty.
  void DropBelow(std::uint64_t number);

 private:
  std::string buffer_;
  std::size_t at_ = 0;  // What is before has gone.
};

}  // namespace starling::server
