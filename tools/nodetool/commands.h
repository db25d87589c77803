// tools/nodetool/commands.h: what nodetool can ask a node, and the way to ask it.
//
// Thread: blocks its caller.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace starling::nodetool {

enum class Takes : std::uint8_t {
  kNothing,
  kDryRun,
  kOptionalKeyspace,  // And --dry-run.
  kKeyspaceAndKey,
  kTagAndKeyspaces,  // Of a new snapshot.
  kTagOrAll,         // Of those that are there.
  kMember,           // And a confirmation.
};

struct Command {
  std::string_view name;
  Takes takes;
  std::string_view help;
};
std::span<const Command> Commands();

struct Question {
  std::string host = "127.0.0.1";
  std::uint16_t port = 7701;
  std::string command{};
  // As far as the command takes them.
  std::string keyspace{}, key{};
  std::string tag{};   // Of a snapshot.
  std::string node{};  // A member, by its address or host id.
  bool confirm = false;
  std::vector<std::string> keyspaces{};  // Empty: all.
  bool all = false;
  bool deep = false;
  bool dry_run = false;
};

// The answer's JSON, as the node gave it.
base::Result<std::string> Ask(const Question& question);

}  // namespace starling::nodetool
