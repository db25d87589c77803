// Goal:   what changes all the time is known to whoever pings, and is news to nobody.
// Method: one core by hand; and clusters on the virtual network, of which the same course is played
//         with and without changes, and all that was sent is compared.
#include "gossip/vitals.h"

#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr int kSpanS = 60;
constexpr NodeIndex kNodes = 8;

// What a cluster sent in a span, and what its members said anew in it.
struct Course {
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;
  std::uint64_t stream_bytes = 0;
  std::uint64_t incarnations = 0;  // Of all nodes, as they say themselves.
  std::uint64_t updates = 0;       // kUpdated of anybody.
};

// `change(core, now, second)` is called of each node each second.
template <typename Change>
Course Play(Cluster& cluster, Change change) {
  REQUIRE(cluster.AgreesWithin(base::seconds(5)));
  cluster.net.RunFor(base::seconds(30));
  Course course;
  cluster.net.on_event = [&](base::Instant, NodeIndex, const Event& event) {
    course.updates += event.kind == Event::kUpdated ? 1 : 0;
  };
  const auto add = [&](std::uint64_t sign) {
    for (NodeIndex node = 0; node < kNodes; ++node) {
      const Counters& counters = cluster.net.core(node).counters();
      course.datagrams += sign * counters.datagrams_out;
      course.bytes += sign * counters.datagram_bytes_out;
      course.stream_bytes += sign * counters.stream_bytes_out;
      course.incarnations += sign * cluster.net.core(node).self().incarnation;
    }
  };
  add(~std::uint64_t{0});  // Minus what was before.
  for (int second = 0; second < kSpanS; ++second) {
    for (NodeIndex node = 0; node < kNodes; ++node)
      cluster.net.With(node, [&](Gossip& core, base::Instant now) { change(core, now, second); });
    cluster.net.RunFor(base::seconds(1));
  }
  add(1);
  return course;
}

std::string Load(int second) { return std::to_string(10000 + second); }

TEST_SUITE("gossip/vitals") {
  TEST_CASE("vitals that change each second cost no datagram, no stream and no incarnation") {
    Cluster still(kNodes, {.gossip = {}, .seed = 21}), changing(kNodes, {.gossip = {}, .seed = 21});
    const Course without =
        Play(still, [](Gossip& core, base::Instant, int) { core.SetVitals(Load(0)); });
    const Course with = Play(
        changing, [](Gossip& core, base::Instant, int second) { core.SetVitals(Load(second)); });
    EXPECT(with.datagrams == without.datagrams);
    EXPECT(with.bytes == without.bytes);
    EXPECT(with.stream_bytes == without.stream_bytes);
    EXPECT(with.incarnations == 0);
    EXPECT(with.updates == 0);
    EXPECT(with.datagrams == 6 * kNodes * kSpanS);  // Three probes a second, and three answers.
  }

  // So that the case above can fail: the same as metadata is news to all.
  TEST_CASE("metadata that changes each second is told to all, under as many incarnations") {
    Cluster cluster(kNodes, {.gossip = {}, .seed = 21});
    const Course course = Play(cluster, [](Gossip& core, base::Instant now, int second) {
      core.SetMetadata(now, Load(second));
    });
    EXPECT(course.incarnations == kNodes * kSpanS);
    EXPECT(course.updates >= kNodes * (kNodes - 1) * (kSpanS - 1));
    EXPECT(course.datagrams > 2 * 6 * kNodes * kSpanS);
  }

  TEST_CASE("who pings a member has its vitals as of then: of the guarded those of last second") {
    Cluster cluster(kNodes, {.gossip = {}, .seed = 22});
    Play(cluster, [](Gossip& core, base::Instant, int second) { core.SetVitals(Load(second)); });
    std::size_t fresh = 0;
    for (NodeIndex one = 0; one < kNodes; ++one) {
      for (NodeIndex other = 0; other < kNodes; ++other) {
        if (one == other) continue;
        const Vitals* vitals = cluster.net.core(one).VitalsOf(cluster.net.host(other));
        REQUIRE(vitals != nullptr);  // Each has been pinged within a lap of seven seconds, or two.
        const int age = kSpanS - 1 - (std::stoi(vitals->bytes) - 10000);
        EXPECT(age <= 2 * static_cast<int>(kNodes));
        EXPECT(cluster.net.now() - vitals->heard <= base::seconds(age + 1));
        fresh += age == 0 ? 1 : 0;
      }
    }
    EXPECT(fresh >= 2 * kNodes);
  }

  TEST_CASE("a restarted member has none, until it has said some") {
    Cluster cluster(2, {.gossip = {}, .seed = 23});
    REQUIRE(cluster.AgreesWithin(base::seconds(5)));
    const base::HostId host = cluster.net.host(1);
    cluster.net.With(1, [](Gossip& core, base::Instant) { core.SetVitals("old"); });
    cluster.net.RunFor(base::seconds(3));
    REQUIRE(cluster.net.core(0).VitalsOf(host) != nullptr);
    EXPECT(cluster.net.core(0).VitalsOf(host)->bytes == "old");
    cluster.net.Kill(1);
    cluster.net.Boot(1, cluster.seeds);
    cluster.net.RunFor(base::seconds(3));
    EXPECT(cluster.net.core(0).VitalsOf(host) == nullptr);
    cluster.net.With(1, [](Gossip& core, base::Instant) { core.SetVitals("new"); });
    cluster.net.RunFor(base::seconds(3));
    REQUIRE(cluster.net.core(0).VitalsOf(host) != nullptr);
    EXPECT(cluster.net.core(0).VitalsOf(host)->bytes == "new");
  }

  TEST_CASE("only the probed member's own ack to this node's own ping says its vitals") {
    Hand hand({.guards = 0, .push_pull_interval = base::seconds(1000)});
    hand.Knows({2, 3});
    hand.RunTo(At(1000));
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    const Hand::Sent ping = hand.Datagrams<Ping>()[0];
    const std::uint64_t probed = ping.to == AddressOf(2) ? 2 : 3;
    const std::uint64_t nonce = std::get<Ping>(ping.message.body).nonce;
    SUBCASE("an ack that nobody asked for") {
      hand.Hear(At(1000), probed, Ack{.nonce = nonce + 1, .vitals = "v"});
      EXPECT(hand.core->VitalsOf(Host(probed)) == nullptr);
    }
    SUBCASE("an ack by another, as a helper passes it on") {
      hand.Hear(At(1000), 5 - probed, Ack{.nonce = nonce, .vitals = "v"});
      EXPECT(hand.core->VitalsOf(Host(probed)) == nullptr);
      EXPECT(hand.core->VitalsOf(Host(5 - probed)) == nullptr);
    }
    SUBCASE("its own; and one that had no room for them leaves them") {
      hand.Hear(At(1000), probed, Ack{.nonce = nonce, .vitals = "v"});
      REQUIRE(hand.core->VitalsOf(Host(probed)) != nullptr);
      EXPECT(hand.core->VitalsOf(Host(probed))->bytes == "v");
      EXPECT(hand.core->VitalsOf(Host(probed))->heard == At(1000));
      for (int second = 2; second < 10; ++second) {
        hand.Forget();
        hand.RunTo(At(1000 * second));
        for (const Hand::Sent& sent : hand.Datagrams<Ping>())
          hand.Hear(At(1000 * second), sent.to == AddressOf(2) ? 2 : 3,
                    Ack{std::get<Ping>(sent.message.body).nonce});
      }
      EXPECT(hand.core->VitalsOf(Host(probed)) != nullptr);
    }
  }

  TEST_CASE("an accused is told of it before vitals, in no more bytes than its ping") {
    Hand hand({.probe_interval = base::seconds(1000)});
    hand.Knows({2, 3});
    hand.Do([](Gossip& core) { core.SetVitals("load"); });
    hand.Hear(At(10), 2, Ping{1, Host(1)});
    REQUIRE(hand.Datagrams<Ack>().size() == 1);
    EXPECT(std::get<Ack>(hand.Datagrams<Ack>()[0].message.body).vitals == "load");
    hand.Hear(At(20), 3, Spread{1}, {ClaimBy(2, Liveness::kSuspect)});
    hand.Forget();
    hand.Hear(At(30), 2, Ping{2, Host(1)});
    REQUIRE(hand.Datagrams<Ack>().size() == 1);
    const auto ack = std::get<Ack>(hand.Datagrams<Ack>()[0].message.body);
    EXPECT(ack.seen_as == Liveness::kSuspect);
    EXPECT(ack.vitals.empty());
  }

  TEST_CASE("of hosts that are kept no more none are left") {
    VitalsBook book;
    for (std::uint64_t number = 1; number <= 10; ++number) book.Hear(At(0), Host(number), 1, "v");
    book.KeepOnly([](base::HostId host) { return host == Host(3); });
    EXPECT(book.size() == 1);
    EXPECT(book.Of(Host(3), 1) != nullptr);
    EXPECT(book.Of(Host(3), 2) == nullptr);
  }
}

}  // namespace
}  // namespace starling::gossip
