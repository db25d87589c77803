// Goal:   nothing that comes in from outside ends a node: every request has an answer, or its
//         connection is closed with an error, and the cluster serves as before.
// Method: three whole nodes; clients and pretended peers send valid frames of every kind, the same
//         with a few bytes changed (and a checksum and digest that fit, so that they are decoded),
//         damaged frames, and noise; a pretended third node answers the two others in this way.
//         An abort ends this program. STARLING_INPUT_ROUNDS=N: connections a case (400 without).
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/input_bytes.h"
#include "tests/sim/input_draw.h"
#include "tests/sim/input_pretender.h"
#include "tests/sim/input_scene.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using wire::Kind;

std::uint64_t Rounds() {
  const char* text = std::getenv("STARLING_INPUT_ROUNDS");
  return text == nullptr ? 400 : std::strtoull(text, nullptr, 10);
}

// Valid frames, changed ones, damaged ones and noise. A damaged frame may announce more than comes,
// so nothing else is sent behind it.
void Storm(Scene& scene, wire::Role role,
           const std::function<std::string(Draw&, std::uint64_t, double)>& draw) {
  Draw of(scene.random, scene.facts);
  for (std::uint64_t round = 0; round < Rounds(); ++round) {
    const auto node = static_cast<std::uint32_t>(scene.random.Below(3));
    const double chance = scene.random.Chance(0.4) ? 0 : 0.6;
    scene.Round(
        node, role,
        [&](std::uint64_t id) {
          std::string frame = draw(of, id, chance);
          // A kind that is unknown, or another's: its header does not fit.
          if (scene.random.Chance(0.02) && frame.size() > wire::kFrameBytes) {
            const auto kind = static_cast<Kind>(scene.random.Below(100));
            frame = FrameOf(kind, id, base::Bytes(frame).substr(wire::kFrameBytes, 60), {});
          }
          return frame;
        },
        1 + scene.random.Below(8));
    if (!scene.random.Chance(0.1)) continue;
    scene.sender.Begin(
        role == wire::Role::kClient ? base::Address{scene.cluster.host(node).ip(), 7701}
                                    : scene.ClusterAddress(node),
        [&] {
          std::string bytes = scene.random.Chance(0.7) ? scene.Hello(role) : "";
          std::string frame = draw(of, 1, 0.5);
          Mutate(scene.random, frame);
          return bytes + (scene.random.Chance(0.5) ? frame : Noise(scene.random, 200));
        }(),
        {});
    scene.cluster.sim().RunFor(base::milliseconds(20));
    REQUIRE(scene.cluster.up(node));
  }
}

// That the storm came through: each kind was answered in earnest, and was refused.
void CheckAnswered(const Scene& scene, const std::vector<Kind>& kinds) {
  EXPECT(scene.stayed > 2 * scene.closed);
  EXPECT(scene.closed > 0);
  EXPECT(scene.answers.contains(Kind::kError));
  for (const Kind kind : kinds) {
    DOCTEST_CAPTURE(static_cast<unsigned>(kind));
    EXPECT(scene.answers.contains(kind));
  }
}

TEST_SUITE("sim/input") {
  TEST_CASE("clients cannot end a node") {
    Scene scene(1);
    Storm(scene, wire::Role::kClient,
          [](Draw& of, std::uint64_t id, double chance) { return of.ClientFrame(id, chance); });
    CheckAnswered(scene,
                  {Kind::kPutReply, Kind::kGetReply, Kind::kScanReply, Kind::kClusterMapReply,
                   Kind::kCreateKeyspaceReply, Kind::kAdminReply, Kind::kPong});
    scene.CheckServes(3);
    EXPECT(scene.cluster.exits().empty());
  }

  TEST_CASE("data connections of a peer cannot end a node") {
    Scene scene(2);
    Storm(scene, wire::Role::kPeerData,
          [](Draw& of, std::uint64_t id, double chance) { return of.DataFrame(id, chance); });
    CheckAnswered(scene, {Kind::kReplicaWriteReply, Kind::kReplicaReadReply,
                          Kind::kReplicaScanReply, Kind::kSliceHashesReply, Kind::kBucketPartsReply,
                          Kind::kBucketPullReply, Kind::kValuePieceReply, Kind::kHandledReply});
    scene.CheckServes(3);
    EXPECT(scene.cluster.exits().empty());
  }

  TEST_CASE("control connections of a peer cannot end a node") {
    Scene scene(3);
    Storm(scene, wire::Role::kPeerControl, [](Draw& of, std::uint64_t id, double chance) {
      return of.ControlFrame(id, chance, false);
    });
    CheckAnswered(scene, {Kind::kControlReply});
    REQUIRE(scene.cluster.AwaitAllUp(base::seconds(120)));
    scene.CheckServes(3);
    EXPECT(scene.cluster.exits().empty());
  }

  TEST_CASE("datagrams cannot end a node") {
    Scene scene(4);
    scene.sender.Bind({0x7f000301, 7700});
    Draw of(scene.random, scene.facts);
    for (std::uint64_t i = 0; i < Rounds() * 10; ++i) {
      const auto node = static_cast<std::uint32_t>(scene.random.Below(3));
      std::string bytes = scene.random.Chance(0.1) ? Noise(scene.random, 1200)
                                                   : Mutated(scene.random, of.GossipMessage(), 0.5);
      scene.sender.datagrams.emplace_back(scene.ClusterAddress(node), std::move(bytes));
      scene.sender.SendDatagrams();
      if (i % 4 == 0) scene.cluster.sim().RunFor(base::milliseconds(20));
    }
    REQUIRE(scene.cluster.AwaitAllUp(base::seconds(120)));
    scene.CheckServes(3);
    EXPECT(scene.cluster.exits().empty());
  }

  TEST_CASE("forged votes and topologies cannot abort a node") {
    // Such a peer can make an epoch that the others believe, and a node obeys an epoch that puts it
    // out. So what is left to ask is that each one runs, or has said why not.
    for (std::uint64_t seed = 10; seed < 10 + std::max<std::uint64_t>(1, Rounds() / 50); ++seed) {
      Scene scene(seed);
      Draw of(scene.random, scene.facts);
      for (std::uint64_t i = 0; i < 60; ++i) {
        const auto node = static_cast<std::uint32_t>(scene.random.Below(3));
        if (!scene.cluster.up(node)) continue;
        std::string bytes = scene.Hello(wire::Role::kPeerControl);
        for (std::uint64_t n = 1 + scene.random.Below(4); n > 0; --n)
          bytes += of.ControlFrame(++scene.last_id, 0.3, true);
        scene.sender.Begin(scene.ClusterAddress(node), std::move(bytes), {});
        scene.cluster.sim().RunFor(base::milliseconds(200));
      }
      scene.cluster.sim().RunFor(base::seconds(30));
      for (std::uint32_t i = 0; i < 3; ++i)
        EXPECT((scene.cluster.up(i) || scene.cluster.host(i).exit_status().has_value()));
    }
  }

  TEST_CASE("a peer's answers cannot end a node") {
    for (std::uint64_t seed = 20; seed < 20 + std::max<std::uint64_t>(1, Rounds() / 100); ++seed) {
      Scene scene(seed);
      scene.cluster.Kill(2);
      Pretender pretender(
          scene.cluster.host(2),
          [&] {
            for (const auto& node : scene.facts.map.nodes)
              if (node.client.ip == scene.cluster.host(2).ip()) return node;
            REQUIRE(false);
            return wire::ClusterMap::Node{};
          }(),
          scene.facts);
      Draw of(scene.random, scene.facts);
      for (std::uint64_t i = 0; i < 100; ++i)
        scene.Round(
            static_cast<std::uint32_t>(scene.random.Below(2)), wire::Role::kClient,
            [&](std::uint64_t id) { return of.ClientFrame(id, 0); }, 8);
      scene.cluster.sim().RunFor(base::seconds(60));
      for (std::uint32_t i = 0; i < 2; ++i)
        EXPECT((scene.cluster.up(i) || scene.cluster.host(i).exit_status().has_value()));
      EXPECT(pretender.asked > 100);
    }
  }
}

}  // namespace
}  // namespace starling::sim
