// tools/starlingd/run_node.h: a node from its configuration to its end.
//
// Read next: server/node.h
#pragma once

#include "base/status.h"
#include "server/config.h"
#include "tools/starlingd/store.h"

namespace starling {

// kRebuild: the hash trees are made anew from the entries, while the node serves.
enum class Trees { kKeep, kRebuild };

// Returns when the node has ended: Ok after SIGTERM or SIGINT once everything is drained, else why
// it could not start or go on. In that case the database may be still open: end the process by
// std::_Exit, which waits for none of its threads.
base::Status RunNode(const server::Config& config, DataLoss loss, Trees trees);

}  // namespace starling
