// Goal:   the door takes any input: other clusters and garbage are counted, no datagram is too
// large.
//
// Method: one core by hand; a property over drawn histories.
#include "gossip/gossip.h"

#include <rapidcheck.h>

#include "base/hash.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

TEST_SUITE("gossip/gossip") {
  TEST_CASE("garbage is counted, gives no answer and no event, and changes nothing") {
    Hand hand;
    hand.Knows({2});
    for (const std::string& garbage : {std::string(), std::string("x"), std::string(2000, '\x01'),
                                       std::string("GET / HTTP/1.1\r\n\r\n")}) {
      hand.Do([&](Gossip& core) { core.OnDatagram(At(1), AddressOf(3), garbage); });
      EXPECT(hand.Do([&](Gossip& core) { return core.OnStreamRequest(At(1), garbage); }) == "");
      hand.Do([&](Gossip& core) { core.OnStreamReply(At(1), garbage); });
    }
    EXPECT(hand.datagrams.empty());
    // Prefixes that look like another cluster's are counted there.
    const Counters& counters = hand.core->counters();
    EXPECT(counters.rejected + counters.other_cluster == 11);
    EXPECT(hand.core->members().size() == 1);
  }

  TEST_CASE("a message on the wrong way is rejected") {
    Hand hand;
    hand.Knows({2});
    hand.Hear(At(1), 2, Sync{1, 1}, {ClaimBy(2)});
    hand.Hear(At(1), 2, State{true, true});
    EXPECT(hand.Do([](Gossip& core) { return core.OnStreamRequest(At(1), Say(2, Spread{1})); }) ==
           "");
    hand.Do([](Gossip& core) { core.OnStreamReply(At(1), Say(2, Ping{1, Host(1)})); });
    EXPECT(hand.core->counters().rejected == 4);
    EXPECT(hand.datagrams.empty());
  }

  TEST_CASE("another cluster's packets are dropped, counted, and told at most once in 10 s") {
    Hand hand;
    const std::string packet = Say(2, Spread{1}, {ClaimBy(2)}, {}, "other");
    for (const std::int64_t ms : {0, 1, 9999, 10000, 10001})
      hand.Do([&](Gossip& core) { core.OnDatagram(At(ms), AddressOf(2), packet); });
    EXPECT(hand.core->counters().other_cluster == 5);
    EXPECT(!hand.core->Find(Host(2)));
    REQUIRE(hand.EventKinds() == std::vector{Event::kClusterMismatch, Event::kClusterMismatch});
    EXPECT(hand.events[0].member.address == AddressOf(2));
    EXPECT(hand.events[0].reason.find("10.0.0.2:7700") != std::string::npos);
  }

  TEST_CASE("a newer format is told of by version and address, once a minute of each, 16 in all") {
    Hand hand;
    std::string packet = Say(2, Spread{1}, {ClaimBy(2)});
    packet[0] = 3;
    for (const std::int64_t ms : {0, 1, 59'999, 60'000, 60'001})
      hand.Do([&](Gossip& core) { core.OnDatagram(At(ms), AddressOf(2), packet); });
    EXPECT(hand.core->counters().rejected == 5);
    EXPECT(!hand.core->Find(Host(2)));
    REQUIRE(hand.EventKinds() == std::vector{Event::kOtherVersion, Event::kOtherVersion});
    EXPECT(hand.events[0].member.address == AddressOf(2));
    EXPECT(hand.events[0].reason.find("10.0.0.2:7700 has format version 3,") != std::string::npos);
    hand.events.clear();
    for (std::uint64_t number = 3; number < 100; ++number)
      hand.Do([&](Gossip& core) { core.OnDatagram(At(60'002), AddressOf(number), packet); });
    EXPECT(hand.events.size() == 15);
    // What has not our tag is nothing of ours, whatever it begins with.
    packet[1] = static_cast<char>(packet[1] + 1);
    hand.events.clear();
    hand.Do([&](Gossip& core) { core.OnDatagram(At(200'000), AddressOf(2), packet); });
    EXPECT(hand.events.empty());
  }

  TEST_CASE("who sends what no sound node does is told of, with what it was, once in 10 s") {
    Hand hand;
    Claim claim = ClaimBy(2);
    claim.generation = kGenerations;
    const std::string packet = Say(2, Spread{1}, {claim});
    for (const std::int64_t ms : {0, 1, 9999, 10000, 10001})
      hand.Do([&](Gossip& core) { core.OnDatagram(At(ms), AddressOf(2), packet); });
    EXPECT(hand.core->counters().rejected == 5);
    REQUIRE(hand.EventKinds() == std::vector{Event::kMalformed, Event::kMalformed});
    EXPECT(hand.events[0].member.address == AddressOf(2));
    EXPECT(hand.events[0].reason.find("10.0.0.2:7700") != std::string::npos);
    EXPECT(hand.events[0].reason.find("generation 9223372036854775808") != std::string::npos);
  }

  TEST_CASE("packets under this node's own identity are rejected") {
    Hand hand;
    hand.Hear(At(0), 1, Ping{1, Host(1)});
    EXPECT(hand.datagrams.empty());
    EXPECT(hand.core->counters().rejected == 1);
  }

  TEST_CASE("members come in the order of their hosts, the dead included, this node not") {
    Hand hand;
    hand.Knows({9, 4, 7});
    hand.Hear(At(0), 9, Spread{1}, {ClaimBy(4, Liveness::kDead)});
    std::vector<base::HostId> hosts;
    for (const MemberInfo& member : hand.core->members()) hosts.push_back(member.host);
    EXPECT(hosts == std::vector{Host(4), Host(7), Host(9)});
  }

  TEST_CASE("a tick before its time does nothing") {
    Hand hand;
    hand.Knows({2});
    hand.RunTo(At(5000));
    hand.Forget();
    for (int i = 0; i < 10; ++i) hand.Do([](Gossip& core) { core.OnTick(At(5000)); });
    EXPECT(hand.datagrams.empty());
    EXPECT(hand.streams.empty());
    EXPECT(hand.core->next_tick() > At(5000));
  }

  // Claims, rumors and pings of all sizes, from anyone, about anyone.
  TEST_CASE("no datagram is larger than datagram_bytes_max, whatever comes in") {
    EXPECT(rc::check([] {
      const auto limit = *rc::gen::inRange<std::size_t>(1000, 1500);
      GossipOptions options{.datagram_bytes_max = limit};
      Gossip gossip(options,
                    {.host = Host(1),
                     .generation = 1,
                     .address = AddressOf(1),
                     .cluster_name = kCluster,
                     .metadata = std::string(*rc::gen::inRange<std::size_t>(0, 513), 'm')},
                    1, At(0));
      std::int64_t ms = 0;
      for (int step = *rc::gen::inRange(1, 60); step > 0; --step) {
        ms += *rc::gen::inRange(0, 300);
        Claim claim = ClaimBy(*rc::gen::inRange<std::uint64_t>(1, 12),
                              static_cast<Liveness>(*rc::gen::inRange(0, 4)),
                              *rc::gen::inRange<std::uint32_t>(0, 5));
        claim.metadata = Kept(std::string(*rc::gen::inRange<std::size_t>(0, 513), 'x'));
        const std::uint64_t from = *rc::gen::inRange<std::uint64_t>(2, 12);
        switch (*rc::gen::inRange(0, 5)) {
          case 0:
            gossip.OnDatagram(At(ms), AddressOf(from), Say(from, Ping{1, Host(1)}, {claim}));
            break;
          case 1:
            gossip.OnDatagram(At(ms), AddressOf(from),
                              Say(from, PingRequest{1, claim.host, claim.address}, {claim}));
            break;
          case 2:
            gossip.Publish(At(ms), std::string(*rc::gen::inRange<std::size_t>(1, 256), 'k'),
                           static_cast<std::uint64_t>(ms),
                           std::string(*rc::gen::inRange<std::size_t>(0, 600), 'p'));
            break;
          case 3: gossip.ReportConnectionLost(At(ms), claim.host); break;
          default: gossip.OnTick(At(ms));
        }
        for (const Datagram& datagram : gossip.outputs().datagrams)
          RC_ASSERT(datagram.bytes.size() <= limit);
        gossip.outputs().Clear();
      }
    }));
  }

  TEST_CASE("a message gives at most one datagram in reply") {
    EXPECT(rc::check([] {
      Gossip gossip({},
                    {.host = Host(1),
                     .generation = 1,
                     .address = AddressOf(1),
                     .cluster_name = kCluster,
                     .metadata = {}},
                    1, At(0));
      for (int step = 0; step < 30; ++step) {
        const Claim claim = ClaimBy(*rc::gen::inRange<std::uint64_t>(1, 6),
                                    static_cast<Liveness>(*rc::gen::inRange(0, 4)),
                                    *rc::gen::inRange<std::uint32_t>(0, 3));
        const std::vector<Body> bodies = {Ping{1, Host(1)}, Ack{2},
                                          PingRequest{3, Host(4), AddressOf(4)}, Spread{5},
                                          Feedback{6, 1}};
        gossip.OnDatagram(
            At(step), AddressOf(2),
            Say(2, *rc::gen::elementOf(bodies), {claim},
                {{.key = "k", .version = *rc::gen::inRange<std::uint64_t>(0, 4), .hash = 1}}));
        RC_ASSERT(gossip.outputs().datagrams.size() <= 1);
        gossip.outputs().Clear();
      }
    }));
  }
}

}  // namespace
}  // namespace starling::gossip
