// tools/starlingd/store.h: a data directory, opened, and whose it is.
//
// Read next: storage/identity.h
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "server/config.h"
#include "server/node_shared.h"
#include "storage/engine.h"

namespace starling {

// Why the life before of this process ended, if tables may be damaged.
struct Hurt {
  std::string damage;  // Empty: it has written down why.
  std::string table;   // Which; empty: not known.
};

struct Store {
  std::unique_ptr<storage::Engine> engine;
  std::unique_ptr<storage::Guard> guard;
  server::NodeIdentity identity;
};

// Whether to go on with what is left of data that no other node has.
enum class DataLoss { kRefuse, kAccept };

// Opens config.node.data_dir, makes it a node's if it is new, and counts the boot. Everything it
// writes is synced. Fails, with what an operator can do about it, when the directory can't be made
// or read, is in use, belongs to another cluster, or was written by a newer program.
//
// Data that were lost or damaged are told in the log, and in the identity: of what the cluster's
// other nodes have, the node opens what is sound, or begins empty beside what it sets aside. With
// kAccept all tables are read first: what cannot be read goes, too.
//
// With `hurt` all tables are read first, and those that are damaged taken out. If none is, the
// identity says so.
base::Result<Store> OpenStore(const server::Config& config, DataLoss loss,
                              const std::optional<Hurt>& hurt);

}  // namespace starling
