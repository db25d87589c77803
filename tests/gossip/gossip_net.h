// tests/gossip/gossip_net.h: clusters on the virtual network of tools/gossip_sim, built in a line.
#pragma once

#include <memory>
#include <vector>

#include "tests/test.h"
#include "tools/gossip_sim/network.h"

namespace starling::gossip {

using gossip_sim::Network;
using gossip_sim::NetworkOptions;
using gossip_sim::NodeIndex;

class Cluster {
 public:
  // `nodes` booted at once, the first of them the seed of all; they need not know each other yet.
  Cluster(NodeIndex nodes, NetworkOptions options) : net(std::move(options)) {
    for (NodeIndex node = 0; node < nodes; ++node) net.Add("node");
    seeds = {net.address(0)};
    for (NodeIndex node = 0; node < nodes; ++node) net.Boot(node, seeds);
  }

  bool AgreesWithin(base::Duration limit) {
    return net.RunUntil(limit, [this] { return net.AllAgree(); });
  }

  // How `observer` sees `subject`.
  Liveness Sees(NodeIndex observer, NodeIndex subject) const {
    const std::optional<Member> member = net.core(observer).View(net.host(subject));
    REQUIRE(member.has_value());
    return member->liveness;
  }

  // All running nodes but the subject see it so.
  bool AllSee(NodeIndex subject, Liveness liveness) const {
    for (NodeIndex node = 0; node < net.size(); ++node) {
      if (node == subject || !net.running(node)) continue;
      const std::optional<Member> member = net.core(node).View(net.host(subject));
      if (!member || member->liveness != liveness) return false;
    }
    return true;
  }

  Network net;
  std::vector<base::Address> seeds;
};

}  // namespace starling::gossip
