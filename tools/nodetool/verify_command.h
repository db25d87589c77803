// tools/nodetool/verify_command.h: `nodetool verify`: has each node check its tree, one after the
// other, and says what they found.
//
// Thread: blocks its caller.
// Read next: server/verify_admin.h
#pragma once

#include <cstdint>
#include <string>

#include "tools/say.h"

namespace starling::nodetool {

struct VerifyQuestion {
  std::string host{};
  std::uint16_t port = 0;  // The client port of all nodes.
  std::string keyspace{};  // Empty: all.
  bool deep = false;
};

// The exit status: 0 if each node is up and sound, and with `deep` all replicas are proved equal.
int RunVerify(const VerifyQuestion& question, tools::Output output);

}  // namespace starling::nodetool
