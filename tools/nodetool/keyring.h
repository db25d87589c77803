// tools/nodetool/keyring.h: `nodetool keyring`: the keys of one node, or of all members in turn.
//
// It goes to each member over its client port, as the node that is asked knows it; so a member that
// is down is named, and what would cut a member off is refused before anything is changed.
//
// Thread: blocks its caller.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace starling::nodetool {

struct KeyringQuestion {
  enum class Action : std::uint8_t { kNone, kList, kGenerate, kAdd, kUse, kRemove, kRequire };
  Action action = Action::kNone;
  std::string host;
  std::uint16_t port = 0;
  std::string argument;  // A key in base64, or the id of one.
  bool all = false;      // On all members; else on the node that is asked.
  bool force = false;    // Also if members would be cut off, or can't be asked.
  bool dry_run = false;
};

struct KeyringAnswer {
  std::string json{};
  std::string text{};
  std::string missed{};  // On which nodes it could not be done, and why. Empty: on none.
};

base::Result<KeyringAnswer> RunKeyring(const KeyringQuestion& question);

}  // namespace starling::nodetool
