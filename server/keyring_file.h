// server/keyring_file.h: gossip's keys on disk: DATA_DIR/gossip-keyring, for its owner's eyes
// alone.
//
// Thread:    free functions, which block: at start, or on a lane.
// Read next: gossip/keyring.h, server/keyring_admin.h
#pragma once

#include <string>

#include "base/status.h"
#include "gossip/keyring.h"
#include "server/config.h"

namespace starling::server {

// What a node begins with, and where changes are kept.
struct NodeKeys {
  gossip::Keyring keyring{};
  std::string file{};  // Empty: in memory alone (the simulator).
};

// The keyring of the data directory; else the one key of security.gossip_key_file, which is then
// kept there; else none: packets are plain. Fails with what an operator can do about it when a file
// can't be read, is no keyring or no key, or is open to other users.
base::Result<NodeKeys> LoadKeys(const Config& config);

// Replaces the file: afterwards it is whole and on disk, or as it was. kIo names the step.
base::Status SaveKeyring(const std::string& file, const gossip::Keyring& keyring);

}  // namespace starling::server
