// Goal:   a link to a peer that is silent from the beginning is given up, and made anew.
// Method: one actor with links, and a listener that takes connections and never says a word: as a
//         host that lost its power behind a connection, whose end nobody told.
#include "server/peer_links.h"

#include <memory>
#include <vector>

#include "base/hash.h"
#include "server/node_shared.h"
#include "server/wire/peer_messages.h"
#include "tests/sim/simulation.h"
#include "tests/sim/toys.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using server::PeerAddress;
using server::PeerTag;

constexpr base::Address kSilent{kLoopback + 2, 7700};

class Silent final : public Toy {
 public:
  using Toy::Toy;
  void OnStart() override { REQUIRE(world.Listen(server::kClusterListener, kSilent).ok()); }
};

class Asker final : public base::Actor, server::PeerLinksListener {
 public:
  explicit Asker(base::World& world) : world_(world), links_(world, *this) {}

  void OnStart() override { world_.WakeAt(world_.Now()); }
  // Asks once a second.
  void OnWake() override {
    links_.Send({kSilent, {}}, {1, 0, ++asked, 0},
                wire::ControlRequest{wire::ControlTopic::kTopology, base::Hash64("")});
    world_.WakeAt(world_.Now() + base::seconds(1));
  }
  void OnOpen(base::ConnId conn, base::Address, base::ListenerId) override { links_.OnOpen(conn); }
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override {
    std::size_t used = 0;
    links_.OnBytes(conn, bytes, &used);
    return used;
  }
  void OnClose(base::ConnId conn, base::CloseReason reason) override {
    links_.OnClose(conn, reason);
  }
  void OnDatagram(base::Address, base::Bytes) override {}
  void OnMail(std::unique_ptr<base::Mail>) override {}
  void OnTurnEnd() override { links_.Deliver(); }

  std::uint64_t asked = 0;
  std::vector<std::uint64_t> failed;
  std::size_t open() const { return links_.open_requests(); }

 private:
  void OnPeerReply(const PeerTag&, const wire::Frame&) override {}
  void OnPeerFailed(const PeerTag& tag, const base::Status&) override { failed.push_back(tag.a); }
  void OnLinkLost(const PeerAddress&, base::CloseReason) override {}
  base::Status OnPeerHello(const PeerAddress&, const wire::HelloReply&) override {
    return base::Ok();
  }
  void OnHelloRefused(const PeerAddress&, const wire::ErrorReply&) override {}

  base::World& world_;
  server::PeerLinks links_;
};

TEST_SUITE("sim/peer_links") {
  TEST_CASE("who does not answer the hello is given up after a while, and connected to again") {
    Simulation sim(1);
    SimHost& here = sim.AddHost(kLoopback + 1);
    SimHost& there = sim.AddHost(kLoopback + 2);
    Silent silent(there.MakeWorld(base::kControlActor));
    Asker asker(here.MakeWorld(base::kControlActor));
    there.Attach(base::kControlActor, silent);
    here.Attach(base::kControlActor, asker);
    there.Start();
    here.Start();
    sim.RunFor(base::seconds(9));
    EXPECT(silent.opened.size() == 1);
    EXPECT(asker.failed.empty());
    EXPECT(asker.open() == asker.asked);
    sim.RunFor(base::seconds(6));
    EXPECT(silent.opened.size() == 2);
    EXPECT(asker.failed.size() + asker.open() == asker.asked);
    EXPECT(asker.failed.size() >= 10);
    sim.RunFor(base::seconds(60));
    EXPECT(silent.opened.size() >= 6);
    EXPECT(asker.failed.size() + asker.open() == asker.asked);
    here.Crash(SimHost::How::kKilled);
    there.Crash(SimHost::How::kKilled);
  }
}

}  // namespace
}  // namespace starling::sim
