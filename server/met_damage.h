// server/met_damage.h: whether anybody on this node met stored data that cannot be read.
//
// Thread: any.
#pragma once

#include <atomic>

#include "base/status.h"

namespace starling::server {

class MetDamage {
 public:
  // How reading what is stored here went. Not what a peer says of its own.
  void Note(const base::Status& read) {
    if (read.code() == base::Code::kCorruption || read.code() == base::Code::kIo)
      met_.store(true, std::memory_order_relaxed);
  }
  // Since it was taken last. Control does, and has all tables looked at.
  bool Take() { return met_.exchange(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> met_{false};
};

}  // namespace starling::server
