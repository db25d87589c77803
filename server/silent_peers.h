// server/silent_peers.h: members that do not answer this node, whatever the cluster says of them.
//
// A way that is cut in one direction makes nobody unreachable: others do hear the member. Who asks
// it all the same waits for each answer until a read asks another replica (SWIM's users' trouble
// with asymmetric links; gossip's verdicts are the cluster's, this one is the node's own). So reads
// prefer replicas that answer, and ask a silent one once a second, since only what it says ends its
// silence.
//
// Thread: confined to its actor.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "server/peer_links.h"
#include "server/snapshot.h"

namespace starling::server {

class SilentPeers {
 public:
  // Looks at the links to all members. To be called now and then.
  void Look(const Snapshot& snapshot, const PeerLinks& links, base::Instant now);

  bool any() const { return any_; }
  // `node` is an index into the topology's nodes.
  bool Contains(std::uint16_t node) const { return node < states_.size() && states_[node].silent; }
  // Whether it is time to ask a silent node all the same; then not again for a second.
  bool TakeProbe(std::uint16_t node, base::Instant now);

 private:
  struct State {
    bool silent = false;
    base::Instant probe_at;
  };
  std::vector<State> states_;  // By index.
  bool any_ = false;
};

}  // namespace starling::server
