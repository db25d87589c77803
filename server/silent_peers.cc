#include "server/silent_peers.h"

namespace starling::server {
namespace {

// Above what a sync or a garbage-collecting disk takes, below what a client notices as an outage.
constexpr base::Duration kSilentAfter = base::milliseconds(500);
constexpr base::Duration kProbeEvery = base::seconds(1);

}  // namespace

void SilentPeers::Look(const Snapshot& snapshot, const PeerLinks& links, base::Instant now) {
  states_.resize(snapshot.peers.size());
  any_ = false;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const topology::Node& node = snapshot.node(i);
    const auto since = links.WaitsSince({node.cluster, node.host});
    const bool silent = since && now - *since >= kSilentAfter;
    if (silent && !states_[i].silent) states_[i].probe_at = now + kProbeEvery;
    states_[i].silent = silent;
    any_ = any_ || silent;
  }
}

bool SilentPeers::TakeProbe(std::uint16_t node, base::Instant now) {
  if (!Contains(node) || now < states_[node].probe_at) return false;
  states_[node].probe_at = now + kProbeEvery;
  return true;
}

}  // namespace starling::server
