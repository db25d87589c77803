// Goal:   each mode has what its name says and nothing else: Lifeguard none of our defences, so
// that
//         what is measured against it shows something.
// Method: the whole list, written out; and of each defence that a mode lacks, what the core does.
#include "gossip/features.h"

#include "tests/gossip/hand.h"
#include "tests/gossip/table.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr Features kLifeguards = {
    .local_health = true, .nacks = true, .dogpile = true, .buddy_notice = true};

// Knows 2 to 5, at 100 s, between rounds.
Hand InMode(Mode mode) {
  GossipOptions options = kQuiet;
  options.mode = mode;
  Hand hand(options);
  hand.Knows({2, 3, 4, 5});
  hand.RunTo(At(100000));
  hand.Forget();
  return hand;
}

bool AsksForNews(Mode mode) {
  Hand hand = InMode(mode);
  hand.core->OnDatagram(At(100000), AddressOf(2),
                        Encoded({.header = {Host(2), 1, 7}, .body = Ping{5, Host(1)}}));
  hand.RunTo(At(102000));
  return !hand.Streams<Sync>().empty();
}

TEST_SUITE("gossip/features") {
  TEST_CASE("swim has none, lifeguard its own four, starling all") {
    EXPECT(FeaturesOf(Mode::kSwim) == Features{});
    EXPECT(FeaturesOf(Mode::kLifeguard) == kLifeguards);
    const Features ours = {.local_health = true,
                           .nacks = true,
                           .dogpile = true,
                           .buddy_notice = true,
                           .guards = true,
                           .eager_probes = true,
                           .confirmation = true,
                           .connection_evidence = true,
                           .lateness = true,
                           .late_answers = true,
                           .acks_tell = true,
                           .news_in_headers = true,
                           .tables_doubted = true,
                           .ages_credited = true,
                           .strangers_unheard = true};
    EXPECT(FeaturesOf(Mode::kStarling) == ours);
  }

  TEST_CASE("lifeguard: an ack says nothing of how the asker is seen, the next ping does") {
    Hand hand = InMode(Mode::kLifeguard);
    hand.Hear(At(100000), 3, Spread{1}, {ClaimBy(2, Liveness::kSuspect)});
    hand.RunTo(At(109000));  // Waiting claims are told by now.
    hand.Forget();
    hand.Hear(At(109000), 2, Ping{1, Host(1)});
    REQUIRE(hand.Datagrams<Ack>().size() == 1);
    EXPECT(std::get<Ack>(hand.Datagrams<Ack>()[0].message.body).seen_as == Liveness::kAlive);
    hand.Hear(At(109000), 3, PingRequest{5, Host(2), AddressOf(2)});
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    REQUIRE(hand.Datagrams<Ping>()[0].message.claims.size() == 1);
    EXPECT(hand.Datagrams<Ping>()[0].message.claims[0].liveness == Liveness::kSuspect);
  }

  TEST_CASE("a newer incarnation in a header has its sender asked for news, in starling alone") {
    EXPECT(AsksForNews(Mode::kStarling));
    EXPECT(!AsksForNews(Mode::kLifeguard));
    EXPECT(!AsksForNews(Mode::kSwim));
  }

  TEST_CASE(
      "lifeguard: whom another's table accuses this node suspects, as memberlist's merge does") {
    Table table({.mode = Mode::kLifeguard});
    for (std::uint64_t number = 2; number < 8; ++number) table.Hear(0, ClaimBy(number));
    SUBCASE("whether it has them as dead") {
      EXPECT(table.Hear(0, ClaimBy(2, Liveness::kDead), kSync) == Heard::kTaken);
    }
    SUBCASE("or as suspect") {
      EXPECT(table.Hear(0, ClaimBy(2, Liveness::kSuspect), kSync) == Heard::kTaken);
    }
    EXPECT(table.Of(2) == Liveness::kSuspect);
    EXPECT(table.Hear(0, ClaimBy(2, Liveness::kDead), kSync) == Heard::kStale);  // Accused already.
    EXPECT(table.Of(2) == Liveness::kSuspect);
    REQUIRE(table.Waiting().size() >= 1);
    EXPECT(table.membership.next_tick() == At(24000));  // The time of a single accuser: this node.
  }

  TEST_CASE("lifeguard: the age of a suspicion is credited to nobody") {
    Table table({.mode = Mode::kLifeguard});
    for (std::uint64_t number = 2; number < 8; ++number) table.Hear(0, ClaimBy(number));
    Claim claim = ClaimBy(2, Liveness::kSuspect);
    claim.age = base::seconds(3);
    claim.accusers.Add(table.membership.AsAccuser(Host(3)));
    table.Hear(10000, claim);
    EXPECT(table.membership.next_tick() == At(34000));
  }
}

}  // namespace
}  // namespace starling::gossip
