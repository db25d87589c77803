// tools/nodetool/restore_command.h: `nodetool restore`: opens what was named, restores it, and says
// what became of it.
//
// Thread: blocks its caller.
// Read next: restore.h
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/say.h"

namespace starling::nodetool {

struct RestoreQuestion {
  std::string host{};
  std::uint16_t port = 0;
  std::vector<std::string> paths{};  // Directories of snapshots.
  std::string keyspace{};            // Empty: all.
  bool dry_run = false;
  bool partial = false;
  bool damaged = false;
};

// The exit status: 0 if all is as asked.
int RunRestore(const RestoreQuestion& question, tools::Output output);

}  // namespace starling::nodetool
