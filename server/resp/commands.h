// server/resp/commands.h: the commands that Redis clients may send here.
//
// Three kinds: those in the table, those that Redis has and that need an atomic
// read-modify-write, which Starling does not offer, and all others, which are unknown.
//
// Thread:    constant data.
// Read next: server/resp/session.h, ../docs/resp.md
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "server/resp/parser.h"

namespace starling::resp {

enum class CommandId : std::uint8_t {
  kClient,
  kCommand,
  kConfig,
  kDel,
  kEcho,
  kExists,
  kGet,
  kHello,
  kInfo,
  kMget,
  kMset,
  kPing,
  kPttl,
  kQuit,
  kSelect,
  kSet,
  kTtl,
};

// As COMMAND tells them.
struct Command {
  std::string_view name;  // In lower case.
  CommandId id;
  int arity;  // With the name; below 0: at least so many.
  bool writes = false;
  int first_key = 0;  // 0: it takes no keys.
  int last_key = 0;   // Below 0: counted from the end.
  int key_step = 0;

  bool takes(std::size_t args) const {
    const auto count = static_cast<int>(args);
    return arity >= 0 ? count == arity : count >= -arity;
  }
};

// In the order of their names.
std::span<const Command> Commands();
// Upper and lower case are the same. nullptr: not in the table.
const Command* FindCommand(base::Bytes name);

bool EqualsIgnoringCase(base::Bytes text, std::string_view lower);

// The error for a request whose command is not in the table. REQUIRES: it has arguments.
std::string RefuseCommand(const Parser& request);
std::string WrongArity(std::string_view name);

// Redis's words for an argument that is to be one.
constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";

}  // namespace starling::resp
