// tests/sim/input_scene.h: a cluster, and a host that sends it whatever a test draws.
//
// Thread: confined to one thread.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "server/topology/codec.h"
#include "server/wire/frame.h"
#include "tests/sim/cluster.h"
#include "tests/sim/input_draw.h"
#include "tests/sim/sender.h"
#include "tests/test.h"

namespace starling::sim {

inline server::Config OftenPurging() {
  server::Config config;
  config.purge.interval = base::milliseconds(500);
  config.purge.horizon = server::PurgeHorizonMin(config);
  return config;
}

// Three nodes that are up, a sender, and what it knows of them.
struct Scene {
  explicit Scene(std::uint64_t seed)
      : cluster({.seed = seed, .nodes = 3, .workers = 2, .config = OftenPurging()}),
        random(seed),
        sender(cluster.sim().AddHost(0x7f000301)) {
    REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
    facts.map = cluster.watcher(0).session().routing().map();
    facts.gossip_cluster = fmt::format("sim/{}", facts.map.cluster_id.ToString());
    Round(0, wire::Role::kPeerControl, [&](std::uint64_t id) {
      std::string frame;
      wire::AppendFrame(frame, id,
                        wire::ControlRequest{wire::ControlTopic::kTopology, base::Hash64("")});
      return frame;
    });
    facts.topology = sender.answers.back();
    REQUIRE(topology::DecodeTopology(facts.topology).has_value());
  }

  base::Address ClusterAddress(std::uint32_t node) { return {cluster.host(node).ip(), 7700}; }

  std::string Hello(wire::Role role) {
    wire::Hello hello;
    hello.role = role;
    if (role != wire::Role::kClient) {
      hello.cluster_name = "sim";
      hello.cluster_id = facts.map.cluster_id;
      for (const auto& node : facts.map.nodes)
        if (node.client.ip == cluster.host(1).ip()) hello.host = node.host;
      hello.epoch = facts.map.epoch;
      hello.worker = static_cast<std::uint32_t>(random.Below(2));
    }
    std::string frame;
    wire::AppendFrame(frame, 0, hello);
    return frame;
  }

  // A connection with a few frames: each is answered, or the connection is closed.
  void Round(std::uint32_t node, wire::Role role,
             const std::function<std::string(std::uint64_t)>& draw, std::uint64_t frames = 1) {
    std::string bytes = Hello(role);
    std::vector<std::uint64_t> ids;
    for (std::uint64_t i = 0; i < frames; ++i) {
      ids.push_back(++last_id);
      bytes += draw(last_id);
    }
    const base::Address to = role == wire::Role::kClient
                                 ? base::Address{cluster.host(node).ip(), 7701}
                                 : ClusterAddress(node);
    sender.Begin(to, std::move(bytes), std::move(ids));
    const bool settled = cluster.sim().Await(base::seconds(400), [&] { return sender.settled(); });
    EXPECT(settled);
    ++(sender.closed ? closed : stayed);
    for (const wire::Kind kind : sender.kinds) ++answers[kind];
    REQUIRE(cluster.up(node));
  }

  // Whether all nodes are there and serve.
  void CheckServes(std::uint32_t nodes) {
    for (std::uint32_t i = 0; i < nodes; ++i) {
      REQUIRE(cluster.up(i));
      const std::string key = fmt::format("after{}", i);
      EXPECT(cluster.Await(cluster.watcher(i).Put(key, 7)).status.ok());
      const Record& got = cluster.Await(cluster.watcher(i).Get(key));
      EXPECT(got.status.ok());
    }
  }

  Cluster cluster;
  base::Random random;
  Sender sender;
  Facts facts;
  std::uint64_t last_id = 0;
  std::uint64_t closed = 0, stayed = 0;  // Connections.
  std::map<wire::Kind, std::uint64_t> answers;
};

}  // namespace starling::sim
