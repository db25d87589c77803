// Goal:   one exchange evens out two nodes in both directions, and equal nodes exchange digests
// only.
//
// Method: two cores by hand, whose streams the test carries over.
#include "gossip/exchange.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>

#include "base/hash.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

const GossipOptions kOnlyExchanges = {.probe_interval = base::seconds(1000),
                                      .dead_contact_interval = base::seconds(1000)};

// A node with its own name, for talks between two.
struct Talker {
  explicit Talker(std::uint64_t number, GossipOptions options = kOnlyExchanges)
      : gossip(options,
               {.host = Host(number),
                .generation = 1,
                .address = AddressOf(number),
                .cluster_name = kCluster,
                .metadata = {}},
               number, At(0)) {}

  void Learn(std::vector<Claim> claims) {
    gossip.OnStreamRequest(At(0), Say(90, Push{}, std::move(claims)));
    gossip.outputs().Clear();
  }
  bool Sees(std::uint64_t number, Liveness liveness) const {
    const std::optional<MemberInfo> member = gossip.Find(Host(number));
    return member && member->liveness == liveness;
  }

  Gossip gossip;
};

// Carries all requests of `from` to `to`, and the answers back, until there are none. Returns the
// bytes of each request.
std::vector<std::size_t> Carry(base::Instant now, Talker& from, Talker& to) {
  std::vector<std::size_t> sizes;
  while (!from.gossip.outputs().streams.empty()) {
    const std::vector<StreamRequest> requests = std::exchange(from.gossip.outputs().streams, {});
    for (const StreamRequest& request : requests) {
      if (request.to != to.gossip.self().address) continue;
      sizes.push_back(request.bytes.size());
      from.gossip.OnStreamReply(now, to.gossip.OnStreamRequest(now, request.bytes));
    }
  }
  return sizes;
}

std::vector<std::size_t> Meet(base::Instant now, Talker& from, Talker& to) {
  const std::vector<base::Address> seeds = {to.gossip.self().address};
  from.gossip.Join(now, seeds);
  return Carry(now, from, to);
}

TEST_SUITE("gossip/exchange") {
  TEST_CASE("two strangers know each other, and all that the other knew, after one exchange") {
    Talker one(1), two(2);
    one.Learn({ClaimBy(3), ClaimBy(4, Liveness::kDead)});
    two.Learn({ClaimBy(5), ClaimBy(3, Liveness::kAlive, 7)});
    Meet(At(10), one, two);
    for (const Talker* node : {&one, &two}) {
      EXPECT(node->Sees(3, Liveness::kAlive));
      EXPECT(node->gossip.Find(Host(3))->incarnation == 7);
      EXPECT(node->Sees(4, Liveness::kDead));
      EXPECT(node->Sees(5, Liveness::kAlive));
    }
    EXPECT(one.Sees(2, Liveness::kAlive));
    EXPECT(two.Sees(1, Liveness::kAlive));
  }

  TEST_CASE("rumors go both ways, large ones included") {
    Talker one(1), two(2);
    const std::string big(20000, 'x');
    one.gossip.Publish(At(0), "one", 1, "small");
    one.gossip.Publish(At(0), "both", 1, "old");
    two.gossip.Publish(At(0), "two", 1, big);
    two.gossip.Publish(At(0), "both", 2, "new");
    const std::vector<base::Address> seeds = {AddressOf(2)};
    one.gossip.Join(At(1), seeds);
    std::map<std::string, std::string> heard;
    const auto note = [&](Talker& node) {
      for (const Event& event : node.gossip.outputs().events) {
        if (event.kind == Event::kRumor) heard[event.rumor_key] = event.rumor_payload;
      }
    };
    while (!one.gossip.outputs().streams.empty()) {
      note(one);
      const Outputs outputs = std::exchange(one.gossip.outputs(), {});
      for (const StreamRequest& request : outputs.streams)
        one.gossip.OnStreamReply(At(2), two.gossip.OnStreamRequest(At(2), request.bytes));
    }
    note(one);
    note(two);
    EXPECT(heard ==
           std::map<std::string, std::string>{{"one", "small"}, {"two", big}, {"both", "new"}});
  }

  TEST_CASE("between equals an exchange is one request and one answer of less than 150 bytes") {
    Talker one(1), two(2);
    Meet(At(10), one, two);
    one.gossip.OnTick(At(20000));
    const std::vector<StreamRequest> requests = std::exchange(one.gossip.outputs().streams, {});
    REQUIRE(requests.size() == 1);
    EXPECT(requests[0].to == AddressOf(2));
    EXPECT(requests[0].bytes.size() < 150);
    const std::string answer = two.gossip.OnStreamRequest(At(20000), requests[0].bytes);
    EXPECT(answer.size() < 150);
    const Message message = Opened(answer);
    EXPECT(std::get<State>(message.body).members_equal);
    EXPECT(std::get<State>(message.body).rumors_equal);
    EXPECT(message.claims.empty());
    one.gossip.OnStreamReply(At(20000), answer);
    EXPECT(one.gossip.outputs().streams.empty());
    EXPECT(two.gossip.outputs().streams.empty());
  }

  // A seed is called for as long as no member is there. Members are for push-pull.
  TEST_CASE("Join calls no seed that is a member already") {
    Talker one(1), two(2);
    EXPECT(Meet(At(10), one, two).size() >= 1);
    EXPECT(Meet(At(20), one, two).empty());
  }

  TEST_CASE("a table that holds a live member for dead makes it be asked") {
    Talker one(1), two(2);
    one.Learn({ClaimBy(3)});
    two.Learn({ClaimBy(3, Liveness::kDead)});
    Meet(At(0), one, two);
    EXPECT(one.Sees(3, Liveness::kAlive));
    REQUIRE(one.gossip.outputs().datagrams.size() == 1);
    EXPECT(one.gossip.outputs().datagrams[0].to == AddressOf(3));
    const Message ping = Opened(one.gossip.outputs().datagrams[0].bytes);
    EXPECT(ping.claims[0].host == Host(3));
    EXPECT(ping.claims[0].liveness == Liveness::kDead);
  }

  TEST_CASE("of two large tables that differ in one member, one member travels") {
    Talker one(1), two(2);
    std::vector<Claim> claims;
    for (std::uint64_t number = 10; number < 2010; ++number) claims.push_back(ClaimBy(number));
    for (Talker* node : {&one, &two}) node->gossip.Restore(At(0), claims);
    EXPECT(!one.gossip.has_news());
    EXPECT(one.gossip.outputs().events.empty());
    SUBCASE("the asker has it") { one.Learn({ClaimBy(5000)}); }
    SUBCASE("the answerer has it") { two.Learn({ClaimBy(5000)}); }
    SUBCASE("one has it newer") {
      for (Talker* node : {&one, &two}) node->Learn({ClaimBy(5000)});
      one.Learn({ClaimBy(5000, Liveness::kAlive, 1)});
    }
    Meet(At(20000), one, two);
    EXPECT(one.gossip.members().size() == two.gossip.members().size());
    EXPECT(two.Sees(5000, Liveness::kAlive));
    EXPECT(one.Sees(5000, Liveness::kAlive));
    // The digests of 256 buckets, and the entries of three buckets with some eight members each.
    EXPECT(one.gossip.counters().stream_bytes_out + two.gossip.counters().stream_bytes_out <
           2048 + 1500);
  }

  TEST_CASE(
      "at most eight compare with one node at once; the ninth is told when to ask, and whom else") {
    Talker seed(1);
    std::vector<std::unique_ptr<Talker>> others;
    std::vector<std::string> states;
    for (std::uint64_t number = 2; number <= 10; ++number) {
      Talker& other = *others.emplace_back(std::make_unique<Talker>(number));
      const std::vector<base::Address> seeds = {AddressOf(1)};
      other.gossip.Join(At(0), seeds);
      states.push_back(seed.gossip.OnStreamRequest(At(0), other.gossip.outputs().streams[0].bytes));
      other.gossip.outputs().Clear();
    }
    for (std::size_t at = 0; at < 9; ++at) {
      const Message message = Opened(states[at]);
      EXPECT((std::get<State>(message.body).retry_after_ms > 0) == (at == 8));
    }
    Talker& ninth = *others[8];
    ninth.gossip.OnStreamReply(At(0), states[8]);
    EXPECT(ninth.gossip.outputs().streams.empty());
    EXPECT(ninth.Sees(1, Liveness::kAlive));
    // The first ends its exchange, and so makes room.
    others[0]->gossip.OnStreamReply(At(0), states[0]);
    Carry(At(0), *others[0], seed);
    Talker tenth(11);
    Meet(At(10), tenth, seed);
    EXPECT(tenth.gossip.members().size() == 10);
    // The ninth was referred to three others, and asks one of all four.
    EXPECT(ninth.gossip.members().size() == 4);
    ninth.gossip.OnTick(At(500));
    REQUIRE(ninth.gossip.outputs().streams.size() == 1);
    const base::Address asked = ninth.gossip.outputs().streams[0].to;
    EXPECT(std::ranges::any_of(ninth.gossip.members(),
                               [&](const MemberInfo& member) { return member.address == asked; }));
    // Who never came back is forgotten after a while.
    Talker late(12);
    Meet(At(6000), late, seed);
    EXPECT(late.gossip.members().size() == 11);
  }

  // Of 9,000 members two tables of half a megabyte are what 4 MiB a second allow ahead.
  TEST_CASE("F15: a node that sent its table to some refers others to its members, for a while") {
    Talker seed(1);
    std::vector<Claim> claims;
    for (std::uint64_t number = 100; number < 9100; ++number) claims.push_back(ClaimBy(number));
    seed.gossip.Restore(At(0), claims);
    std::vector<bool> served;
    std::unique_ptr<Talker> refused;
    for (std::uint64_t number = 2; number < 10; ++number) {
      auto other = std::make_unique<Talker>(number);
      Meet(At(10), *other, seed);
      served.push_back(other->gossip.members().size() > 9000);
      if (!served.back() && refused == nullptr) refused = std::move(other);
    }
    const auto many = static_cast<std::size_t>(std::ranges::count(served, true));
    EXPECT(many >= 2);
    EXPECT(many <= 4);
    EXPECT(std::ranges::is_sorted(served, std::greater<>()));
    REQUIRE(refused != nullptr);
    EXPECT(refused->gossip.members().size() == 4);  // The seed, and three to ask.
    EXPECT(refused->gossip.pending_news() == 1);    // Itself: others know those.
    Talker later(11);
    Meet(At(1000), later, seed);
    EXPECT(later.gossip.members().size() > 9000);
  }

  TEST_CASE("a newcomer does not pass on what all others know") {
    Talker one(1), two(2);
    std::vector<Claim> claims;
    for (std::uint64_t number = 10; number < 110; ++number) claims.push_back(ClaimBy(number));
    two.gossip.Restore(At(0), claims);
    Meet(At(0), one, two);
    EXPECT(one.gossip.members().size() == 101);
    std::size_t told = 0;
    for (std::int64_t ms = 200; ms < 4000; ms += 200) {
      one.gossip.OnTick(At(ms));
      for (const Datagram& datagram : one.gossip.outputs().datagrams)
        told = std::max(told, Opened(datagram.bytes).claims.size());
      one.gossip.outputs().Clear();
    }
    EXPECT(told <= 2);  // Itself, and who let it in.
  }

  TEST_CASE("a random live member is compared with every push_pull_interval") {
    Hand hand(kOnlyExchanges);
    hand.Knows({2, 3});
    hand.RunTo(At(100000));
    const std::size_t syncs = hand.Streams<Sync>().size();
    EXPECT(syncs >= 9);
    EXPECT(syncs <= 12);
  }

  TEST_CASE("a packet that shows its sender newer makes it be asked, if gossip stays silent") {
    Hand hand({.probe_interval = base::seconds(1000),
               .push_pull_interval = base::seconds(1000),
               .dead_contact_interval = base::seconds(1000)});
    hand.Knows({2, 3});
    hand.RunTo(At(5000));
    hand.Forget();
    const auto speak = [&](std::uint64_t number) {
      hand.core->OnDatagram(At(5000), AddressOf(number),
                            Encoded({.header = {Host(number), 2, 4}, .body = Ack{1}}));
    };
    SUBCASE("it stays silent") {
      speak(2);
      hand.RunTo(At(5999));
      EXPECT(hand.Streams<Sync>().empty());
      hand.RunTo(At(6000));
      REQUIRE(hand.Streams<Sync>().size() == 1);
      EXPECT(hand.Streams<Sync>()[0].to == AddressOf(2));
    }
    SUBCASE("it brings the news") {
      speak(2);
      hand.Hear(At(5500), 3, Spread{1}, {ClaimBy(2, Liveness::kAlive, 4, 2), ClaimBy(3)});
      hand.RunTo(At(7000));
      EXPECT(hand.Streams<Sync>().empty());
    }
    SUBCASE("a flood of strangers makes no more than eight be asked") {
      for (std::uint64_t number = 100; number < 1000; ++number) speak(number);
      hand.RunTo(At(7000));
      EXPECT(hand.Streams<Sync>().size() == 8);
    }
  }

  TEST_CASE("F15: a flood of strangers gets no more than eight answers with tables") {
    Talker seed(1);
    std::vector<Claim> claims;
    for (std::uint64_t number = 2000; number < 2100; ++number) claims.push_back(ClaimBy(number));
    seed.gossip.Restore(At(0), claims);
    const std::string all(kBucketsBytes, '\xff');
    std::string unknown(kEntryBytes, 'e');  // Who says so is to be heard in return.
    std::size_t tables = 0, bytes = 0;
    const auto ask = [&](std::uint64_t from, const Body& body) {
      const std::string answer = seed.gossip.OnStreamRequest(At(10), Say(from, body));
      if (Opened(answer).claims.size() < 100) return;
      ++tables;
      bytes += answer.size();
    };
    SUBCASE("that sync first") {
      for (std::uint64_t number = 100; number < 1000; ++number) {
        ask(number, Sync{1, 1});
        ask(number, Compare{all, unknown});
      }
      EXPECT(tables == 8);
    }
    SUBCASE("that compare at once") {
      for (std::uint64_t number = 100; number < 1000; ++number) ask(number, Compare{all, unknown});
      EXPECT(tables == 8);
    }
    // Nothing is expected of them any more: those are served one by one, at 4 MiB a second.
    SUBCASE("that know nothing") {
      for (std::uint64_t number = 100; number < 1000; ++number) ask(number, Compare{all, {}});
      EXPECT(tables > 8);
      EXPECT(bytes < (4 << 20) / 4 + 20'000);
    }
  }

  TEST_CASE("F15: who asks again and again gets its table at the rate that there is for all") {
    Talker seed(1);
    std::vector<Claim> claims;
    for (std::uint64_t number = 100; number < 9100; ++number) claims.push_back(ClaimBy(number));
    seed.gossip.Restore(At(0), claims);
    const std::string all(kBucketsBytes, '\xff');
    std::size_t tables = 0;
    for (int round = 0; round < 50; ++round) {
      const std::string answer = seed.gossip.OnStreamRequest(At(10), Say(2, Compare{all, {}}));
      const Message message = Opened(answer);
      tables += message.claims.size() > 9000 ? 1 : 0;
      if (const auto* state = std::get_if<State>(&message.body)) EXPECT(state->retry_after_ms > 0);
    }
    EXPECT(tables >= 2);
    EXPECT(tables <= 4);
  }
}

}  // namespace
}  // namespace starling::gossip
