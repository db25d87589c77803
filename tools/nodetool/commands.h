// tools/nodetool/commands.h: what nodetool can ask a node, and the way to ask it.
//
// Thread: blocks its caller.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace starling::nodetool {

enum class Takes : std::uint8_t { kNothing, kOptionalKeyspace, kKeyspaceAndKey };

struct Command {
  std::string_view name;
  Takes takes;
  std::string_view help;
};
std::span<const Command> Commands();

struct Question {
  std::string host = "127.0.0.1";
  std::uint16_t port = 7701;
  std::string command;
  std::string keyspace, key;  // As far as the command takes them.
};

// The answer's JSON, as the node gave it.
base::Result<std::string> Ask(const Question& question);

}  // namespace starling::nodetool
