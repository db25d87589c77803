// server/meta_records.h: what control keeps in the meta family, beside storage/identity.h.
//
//   "topology"  the newest one, encoded (server/topology/codec.h)
//   "paxos"     the acceptor's state
//   "ready"     u8 1: this node has caught up with the ranges that the topology gives it
//   "peer_marks"  what others acknowledged to this node (server/peer_marks.h)
//   "lost"      boot u64 little-endian | why: this node lost what it had acknowledged, found at
//               that start, and is not ready again yet (server/absence.h)
#pragma once

#include <string>

#include "base/status.h"
#include "storage/engine.h"

namespace starling::server {

struct StoredTopology {
  std::string topology;  // Empty: none yet.
  std::string acceptor;  // Empty: none yet.
  bool ready = false;
  std::string peer_marks;
};

base::Result<StoredTopology> LoadTopology(storage::Engine& engine);
void SaveTopology(storage::Batch& batch, base::Bytes topology, base::Bytes acceptor);
void SaveReady(storage::Batch& batch, bool ready);
void SavePeerMarks(storage::Batch& batch, base::Bytes marks);

}  // namespace starling::server
