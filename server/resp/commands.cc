#include "server/resp/commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace starling::resp {
namespace {

using enum CommandId;

constexpr std::array kCommands = {
    Command{"client", kClient, -2},
    Command{"command", kCommand, -1},
    Command{"config", kConfig, -2},
    Command{"del", kDel, -2, true, 1, -1, 1},
    Command{"echo", kEcho, 2},
    Command{"exists", kExists, -2, false, 1, -1, 1},
    Command{"get", kGet, 2, false, 1, 1, 1},
    Command{"hello", kHello, -1},
    Command{"info", kInfo, -1},
    Command{"mget", kMget, -2, false, 1, -1, 1},
    Command{"mset", kMset, -3, true, 1, -1, 2},
    Command{"ping", kPing, -1},
    Command{"pttl", kPttl, 2, false, 1, 1, 1},
    Command{"quit", kQuit, -1},
    Command{"select", kSelect, 2},
    Command{"set", kSet, -3, true, 1, 1, 1},
    Command{"ttl", kTtl, 2, false, 1, 1, 1},
};

// Redis's commands on strings and keys that change a key depending on what it holds: another
// client's write between the read and the write would be lost.
constexpr std::array<std::string_view, 24> kNeedAtomicUpdate = {
    "append",  "bitfield", "bitop",     "copy",   "decr",     "decrby",      "expire", "expireat",
    "getdel",  "getex",    "getset",    "incr",   "incrby",   "incrbyfloat", "move",   "msetnx",
    "persist", "pexpire",  "pexpireat", "rename", "renamenx", "setbit",      "setnx",  "setrange",
};

constexpr std::size_t kNameBytesMax = 16;  // All names that we know are shorter.

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// A name in lower case, or an empty one if it is too long to be known.
class LowerName {
 public:
  explicit LowerName(base::Bytes name) {
    if (name.size() > text_.size()) return;
    std::transform(name.begin(), name.end(), text_.begin(), Lower);
    size_ = name.size();
  }
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, kNameBytesMax> text_;
  std::size_t size_ = 0;
};

static_assert(std::is_sorted(kCommands.begin(), kCommands.end(),
                             [](const Command& a, const Command& b) { return a.name < b.name; }));
static_assert(std::is_sorted(kNeedAtomicUpdate.begin(), kNeedAtomicUpdate.end()));

}  // namespace

std::span<const Command> Commands() { return kCommands; }

const Command* FindCommand(base::Bytes name) {
  const LowerName lower(name);
  const auto* const found =
      std::lower_bound(kCommands.begin(), kCommands.end(), lower.view(),
                       [](const Command& command, auto key) { return command.name < key; });
  return found != kCommands.end() && found->name == lower.view() ? found : nullptr;
}

bool EqualsIgnoringCase(base::Bytes text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return Lower(a) == b; });
}

std::string RefuseCommand(const Parser& request) {
  const LowerName lower(request.arg(0));
  if (std::binary_search(kNeedAtomicUpdate.begin(), kNeedAtomicUpdate.end(), lower.view()))
    return fmt::format(
        "ERR '{}' is not supported: it needs an atomic read-modify-write, which Starling does not "
        "offer",
        lower.view());
  // To the letter as Redis has it, the cuts at 128 bytes included.
  constexpr std::size_t kShownMax = 128;
  std::string shown;
  for (std::size_t i = 1; i < request.args() && shown.size() < kShownMax; ++i)
    shown += fmt::format("'{}' ", request.arg(i).substr(0, kShownMax - shown.size()));
  return fmt::format("ERR unknown command '{}', with args beginning with: {}",
                     request.arg(0).substr(0, kShownMax), shown);
}

std::string WrongArity(std::string_view name) {
  return fmt::format("ERR wrong number of arguments for '{}' command", name);
}

}  // namespace starling::resp
