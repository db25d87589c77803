// tools/nodetool/quarantine.h: `nodetool quarantine`: what one node has set aside, back into the
// cluster or away for good.
//
// Adoption (docs/purge.md) sets a value aside when no other owner had it below its mark of purge.
// It is on one node alone. Restored, it is put as a new write at QUORUM, and leaves the quarantine
// once that is acknowledged; a key that has a value now is passed over, unless it is to be
// overwritten.
//
// Thread: blocks its caller.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace starling::nodetool {

struct QuarantineQuestion {
  enum class Action : std::uint8_t { kNone, kList, kRestore, kDrop };
  Action action = Action::kNone;
  std::string host;
  std::uint16_t port = 0;
  std::string keyspace{};  // Empty: all.
  std::string key{};       // Empty: all of the keyspace.
  bool all = false;        // Without a key: what restore and drop ask for, lest it be forgotten.
  bool overwrite = false;  // Restore also where the cluster has another value now.
  bool dry_run = false;
};

struct QuarantineAnswer {
  std::string json{};
  std::string text{};
  std::string missed{};  // What could not be done, and why. Empty: nothing.
};

base::Result<QuarantineAnswer> RunQuarantine(const QuarantineQuestion& question);

}  // namespace starling::nodetool
