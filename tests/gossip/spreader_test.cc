// Goal:   news goes out at once and then at intervals, to distinct members; an idle node is silent.
// Method: one core driven by hand.
#include "gossip/spreader.h"

#include <map>
#include <vector>

#include "base/hash.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

// Knows 2.. 9 and has nothing more to say of them, at 100 s.
Hand Idle() {
  Hand hand(kQuiet);
  hand.Knows({2, 3, 4, 5, 6, 7, 8, 9});
  hand.RunTo(At(100000));
  hand.Forget();
  return hand;
}

// How often each address was sent to.
std::map<base::Address, int> Targets(const std::vector<Hand::Sent>& sent) {
  std::map<base::Address, int> times;
  for (const Hand::Sent& one : sent) ++times[one.to];
  return times;
}

// All members that Idle() knows, `times` each.
std::map<base::Address, int> Everybody(int times) {
  std::map<base::Address, int> all;
  for (std::uint64_t number = 2; number <= 9; ++number) all[AddressOf(number)] = times;
  return all;
}

TEST_SUITE("gossip/spreader") {
  TEST_CASE("an idle node sends nothing") {
    Hand hand = Idle();
    hand.RunTo(At(110000));
    EXPECT(hand.datagrams.empty());
  }

  TEST_CASE("a rumor goes to rumor_fanout members until they say that they knew") {
    Hand hand = Idle();
    hand.Do([](Gossip& core) { core.Publish(At(100000), "k", 1, "v"); });
    hand.RunTo(At(100000));
    REQUIRE(hand.Datagrams<Spread>().size() == 2);
    EXPECT(hand.Datagrams<Spread>()[0].message.rumors[0].payload == "v");
    for (const Hand::Sent& sent : hand.Datagrams<Spread>())
      hand.Hear(At(100001), 2, Feedback{std::get<Spread>(sent.message.body).nonce, 1});
    hand.Forget();
    hand.RunTo(At(100499));
    EXPECT(hand.datagrams.empty());
  }

  TEST_CASE(
      "rumor_digest_lag later the digest goes to as many, alone, and again an interval later") {
    Hand hand = Idle();
    hand.Hear(At(100000), 2, Spread{11}, {},
              {{.key = "k", .version = 1, .hash = base::Hash64("v"), .payload = "v"}});
    hand.RunTo(At(100000));
    for (const Hand::Sent& sent : hand.Datagrams<Spread>())
      hand.Hear(At(100001), 2, Feedback{std::get<Spread>(sent.message.body).nonce, 1});
    hand.Forget();
    hand.RunTo(At(100499));
    EXPECT(hand.datagrams.empty());
    hand.RunTo(At(100500));
    EXPECT(hand.datagrams.size() == 2);
    hand.RunTo(At(110000));
    REQUIRE(hand.Datagrams<Spread>().size() == 4);
    for (const Hand::Sent& sent : hand.Datagrams<Spread>()) {
      EXPECT(sent.message.rumors.empty());
      EXPECT(sent.message.header.rumors_digest == DigestOf("k", {1, base::Hash64("v")}));
    }
    EXPECT(hand.datagrams.size() == 4);
  }

  TEST_CASE("news leaves at once, then every interval, until each member was told once") {
    Hand hand = Idle();
    hand.Do([](Gossip& core) { core.SetMetadata(At(100000), "new"); });
    std::vector<std::size_t> told_by;
    for (const std::int64_t ms : {100000, 100199, 100200, 100399, 100400, 100600, 110000}) {
      hand.RunTo(At(ms));
      told_by.push_back(hand.Datagrams<Spread>().size());
    }
    EXPECT(told_by == std::vector<std::size_t>{3, 3, 6, 6, 8, 8, 8});
    EXPECT(Targets(hand.Datagrams<Spread>()) == Everybody(1));
  }

  // Two claims fill a packet, so that of eight turns each claim gets every fourth only.
  TEST_CASE(
      "where packets can't hold all news, still no member is told twice before all were once") {
    Hand hand = Idle();
    constexpr std::uint64_t kFirst = 100, kCount = 8;
    std::vector<Claim> news;
    for (std::uint64_t number = kFirst; number < kFirst + kCount; ++number) {
      news.push_back(ClaimBy(number, Liveness::kLeft));
      news.back().metadata = Kept(std::string(400, 'x'));
    }
    hand.Hear(At(100000), 2, Spread{1}, news);
    hand.Forget();
    hand.RunTo(At(130000));
    std::map<base::HostId, std::map<base::Address, int>> told;
    for (const Hand::Sent& sent : hand.Datagrams<Spread>()) {
      EXPECT(sent.message.claims.size() <= 2);
      for (const Claim& claim : sent.message.claims) ++told[claim.host][sent.to];
    }
    for (std::uint64_t number = kFirst; number < kFirst + kCount; ++number)
      EXPECT(told[Host(number)] == Everybody(1));
  }

  TEST_CASE("who dies while news goes round costs no other its turn") {
    Hand hand = Idle();
    hand.Do([](Gossip& core) { core.SetMetadata(At(100000), "new"); });
    hand.RunTo(At(100000));
    const std::vector<Hand::Sent> first = hand.Datagrams<Spread>();
    REQUIRE(first.size() == 3);
    const std::uint64_t victim = first[0].to.ip - AddressOf(0).ip;
    hand.Hear(At(100001), victim == 2 ? 3 : 2, Spread{1}, {ClaimBy(victim, Liveness::kLeft)});
    hand.RunTo(At(110000));
    std::map<base::Address, int> told;
    for (const Hand::Sent& sent : hand.Datagrams<Spread>()) {
      for (const Claim& claim : sent.message.claims) told[sent.to] += claim.host == Host(1) ? 1 : 0;
    }
    EXPECT(told == Everybody(1));
  }

  TEST_CASE("who is told a rumor answers which it knew, once") {
    Hand hand = Idle();
    const RumorItem rumor = {.key = "k", .version = 1, .hash = base::Hash64("v"), .payload = "v"};
    hand.Hear(At(100000), 2, Spread{11}, {}, {rumor});
    hand.Hear(At(100000), 3, Spread{12}, {}, {rumor});
    hand.Hear(At(100000), 3, Spread{13});
    const std::vector<Hand::Sent> answers = hand.Datagrams<Feedback>();
    REQUIRE(answers.size() == 2);
    EXPECT(std::get<Feedback>(answers[0].message.body).known == 0);
    EXPECT(std::get<Feedback>(answers[1].message.body).known == 1);
    EXPECT(std::get<Feedback>(answers[1].message.body).nonce == 12);
    REQUIRE(hand.events.size() == 1);
    EXPECT(hand.events[0].kind == Event::kRumor);
  }

  TEST_CASE("an advertisement is pulled from who made it") {
    Hand hand = Idle();
    const RumorItem item = {.key = "k", .version = 1, .hash = 5};
    hand.Hear(At(100000), 2, Spread{11}, {}, {item});
    REQUIRE(hand.Streams<Pull>().size() == 1);
    EXPECT(hand.Streams<Pull>()[0].to == AddressOf(2));
    EXPECT(hand.Streams<Pull>()[0].message.rumors[0].key == "k");
    hand.Hear(At(100000), 3, Spread{12}, {}, {item});
    EXPECT(hand.Streams<Pull>().size() == 1);
  }

  TEST_CASE("F13: of packets that claims fill first rumors have 30 %, and no byte is left empty") {
    Hand hand = Idle();
    std::vector<Claim> claims;
    for (std::uint64_t number = 100; number < 300; ++number)
      claims.push_back(ClaimBy(number, Liveness::kDead));
    hand.Hear(At(100000), 2, Spread{1}, claims);
    hand.Do([](Gossip& core) {
      for (int i = 0; i < 60; ++i) core.Publish(At(100000), "k" + std::to_string(i), 1, "value");
    });
    hand.Forget();
    hand.RunTo(At(101000));
    const std::size_t room = GossipOptions{}.datagram_bytes_max - kEnvelopeBytesMax;
    std::size_t shared = 0;
    for (const Hand::Sent& sent : hand.Datagrams<Spread>()) {
      if (sent.message.rumors.empty()) continue;  // To the third, whom only claims go to.
      std::size_t for_claims = 0, for_rumors = 0;
      for (const Claim& claim : sent.message.claims) for_claims += BytesBound(claim);
      for (const RumorItem& item : sent.message.rumors) for_rumors += BytesBound(item);
      // One more of either would not have fitted.
      EXPECT(for_rumors + BytesBound(sent.message.rumors[0]) > room * 30 / 100);
      EXPECT(for_claims + for_rumors + kClaimBytesMax + 8 > room);
      shared += for_claims > 0 ? 1 : 0;
    }
    EXPECT(shared >= 4);
  }

  TEST_CASE("claims and rumors take turns in having the first place in a packet") {
    Hand hand = Idle();
    std::vector<Claim> claims;
    for (std::uint64_t number = 100; number < 200; ++number) {
      claims.push_back(ClaimBy(number, Liveness::kDead));
      claims.back().metadata = Kept(std::string(400, 'x'));
    }
    hand.Do([](Gossip& core) { core.Publish(At(100000), "k", 1, std::string(500, 'x')); });
    for (const Claim& claim : claims) hand.Hear(At(100000), 2, Spread{1}, {claim});
    hand.Forget();
    hand.RunTo(At(101000));
    std::size_t with_claims = 0, with_rumors = 0;
    for (const Hand::Sent& sent : hand.Datagrams<Spread>()) {
      with_claims += sent.message.claims.empty() ? 0 : 1;
      with_rumors += sent.message.rumors.empty() ? 0 : 1;
    }
    EXPECT(with_claims >= 9);
    EXPECT(with_rumors >= 4);
  }

  TEST_CASE(
      "who becomes unreachable, or is not any more, is told of twice within half an interval") {
    Hand hand = Idle();
    hand.Hear(At(100000), 2, Spread{1}, {ClaimBy(9, Liveness::kSuspect)});
    hand.RunTo(At(100000));
    EXPECT(hand.Datagrams<Spread>().size() == 3);
    hand.Hear(At(100010), 2, Spread{2}, {ClaimBy(9, Liveness::kUnreachable)});
    hand.Forget();
    hand.RunTo(At(100049));
    EXPECT(hand.datagrams.empty());
    hand.RunTo(At(100050));
    EXPECT(hand.Datagrams<Spread>().size() == 3);
    hand.RunTo(At(100100));
    EXPECT(hand.Datagrams<Spread>().size() == 6);
    hand.RunTo(At(100199));
    EXPECT(hand.Datagrams<Spread>().size() == 6);
    hand.RunTo(At(103000));  // All were told.
    EXPECT(Targets(hand.Datagrams<Spread>()) == Everybody(1));
    hand.Hear(At(103000), 2, Spread{3}, {ClaimBy(8, Liveness::kSuspect)});
    hand.RunTo(At(103000));
    hand.Hear(At(103010), 9, Spread{4}, {ClaimBy(9, Liveness::kAlive, 1)});
    hand.Forget();
    hand.RunTo(At(103050));
    EXPECT(hand.Datagrams<Spread>().size() == 3);
  }

  TEST_CASE("a mere suspect waits for the interval, and rumors do though claims hurry") {
    Hand hand = Idle();
    hand.Hear(At(100000), 2, Spread{1}, {ClaimBy(9, Liveness::kSuspect)});
    hand.Do([](Gossip& core) { core.Publish(At(100000), "k", 1, "v"); });
    hand.RunTo(At(100000));
    hand.Hear(At(100010), 2, Spread{2}, {ClaimBy(8, Liveness::kSuspect)});
    hand.Forget();
    hand.RunTo(At(100199));
    EXPECT(hand.datagrams.empty());
    hand.RunTo(At(100200));
    hand.Hear(At(100210), 2, Spread{3}, {ClaimBy(8, Liveness::kUnreachable)});
    hand.Forget();
    hand.RunTo(At(100399));
    REQUIRE(!hand.datagrams.empty());
    for (const Hand::Sent& sent : hand.Datagrams<Spread>()) EXPECT(sent.message.rumors.empty());
  }
}

}  // namespace
}  // namespace starling::gossip
