// Goal:   what strangers send cannot make a node send more than they did, or for as long.
// Method: one core by hand; drawn datagrams of all kinds and sizes, plain and sealed.
#include <rapidcheck.h>

#include <array>
#include <map>

#include "base/hash.h"
#include "gossip/wire_format.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

// A datagram of any kind, from any header, with some claims and rumors.
std::string DrawDatagram(const Keyring& keyring) {
  const base::HostId some = Host(*rc::gen::inRange<std::uint64_t>(1, 8));
  const auto nonce = *rc::gen::arbitrary<std::uint64_t>();
  const std::vector<Body> bodies = {Ping{nonce, *rc::gen::elementOf(std::vector{Host(1), some})},
                                    Ack{nonce},
                                    Ack{nonce, Liveness::kDead, 1, 0},
                                    Nack{nonce},
                                    PingRequest{nonce, some, AddressOf(5)},
                                    Confirm{some},
                                    Farewell{nonce},
                                    Spread{nonce},
                                    Feedback{nonce, 1}};
  Message message{
      .header = {Host(*rc::gen::inRange<std::uint64_t>(2, 8)),
                 *rc::gen::inRange<std::uint64_t>(0, 3), *rc::gen::inRange<std::uint32_t>(0, 3),
                 *rc::gen::elementOf(std::vector<std::uint64_t>{0, 77})},
      .body = *rc::gen::elementOf(bodies)};
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i)
    message.claims.push_back(ClaimBy(*rc::gen::inRange<std::uint64_t>(1, 8),
                                     static_cast<Liveness>(*rc::gen::inRange(0, 5)),
                                     *rc::gen::inRange<std::uint32_t>(0, 3)));
  for (int i = *rc::gen::inRange(0, 2); i > 0; --i)
    message.rumors.push_back({.key = "k", .version = *rc::gen::inRange<std::uint64_t>(0, 3)});
  return Encoded(message, kCluster, keyring);
}

// A packet of node 2 whose body, of this number, `write(Writer&)` writes.
template <typename Write>
std::string Written(std::uint32_t number, const Keyring& keyring, Write write) {
  Envelope envelope(kCluster, keyring, {Host(2), 1, 77});
  std::string packet;
  envelope.Begin(envelope.way(), packet);
  wire_format::Writer out(packet);
  out.Message(1, [&] { out.Fixed64(2, 2); });
  out.Varint(2, 1);
  out.Message(number, [&] { write(out); });
  envelope.Close(envelope.way(), packet);
  return packet;
}

// As a forger sends them, who saves the padding.
std::string PaddedConfirm(std::size_t padding, const Keyring& keyring) {
  return Written(17, keyring, [&](wire_format::Writer& out) {
    out.Message(1, [&] { out.Fixed64(2, 3); });
    out.Bytes(2, std::string(padding, '\0'));
  });
}
std::string PaddedPingRequest(base::Address named, std::size_t padding, const Keyring& keyring) {
  return Written(6, keyring, [&](wire_format::Writer& out) {
    out.Fixed64(1, 7);
    out.Message(2, [&] { out.Fixed64(2, 3); });
    out.Fixed32(3, named.ip);
    out.Varint(4, named.port);
    out.Bytes(5, std::string(padding, '\0'));
  });
}

// A core with much to tell: answers would be filled with it.
void GiveNews(Hand& hand) {
  hand.Do([](Gossip& core) { core.SetVitals(std::string(kVitalsBytesMax, 'v')); });
  std::vector<Claim> claims;
  for (std::uint64_t number = 2; number < 40; ++number) claims.push_back(ClaimBy(number));
  hand.Knows({2});
  hand.Hear(At(0), 2, Spread{1}, claims);
  hand.Do([](Gossip& core) { core.Publish(At(0), "k", 1, std::string(400, 'v')); });
}

TEST_SUITE("gossip/reply") {
  TEST_CASE("F5: a datagram gives at most one in reply, and that is not larger") {
    for (const Keyring& keyring : {Keyring(), KeyringOf(1)}) {
      EXPECT(rc::check([&keyring] {
        Hand hand(kQuiet, 7, keyring);
        GiveNews(hand);
        hand.RunTo(At(1000));
        for (int step = 0; step < 10; ++step) {
          hand.Forget();
          const std::string datagram = DrawDatagram(keyring);
          hand.Do([&](Gossip& core) { core.OnDatagram(At(1000 + step), AddressOf(6), datagram); });
          RC_ASSERT(hand.datagrams.size() <= 1);
          if (!hand.datagrams.empty()) RC_ASSERT(hand.datagrams[0].bytes <= datagram.size());
        }
      }));
    }
  }

  // A member's silence is part of it: then helpers ping again and say nack, and who is asked to
  // confirm pings again, and over a stream.
  TEST_CASE("F5: all that a datagram gives rise to, at once and later, is together no larger") {
    for (const Keyring& keyring : {Keyring(), KeyringOf(1)}) {
      std::vector<std::string> datagrams = {Say(2, Ping{7, Host(1)}, {}, {}, kCluster, keyring),
                                            Say(2, Farewell{7}, {}, {}, kCluster, keyring)};
      for (std::size_t padding = 0; padding < 500; padding += 20) {
        datagrams.push_back(PaddedConfirm(padding, keyring));
        for (const base::Address named : {AddressOf(3), AddressOf(6)})
          datagrams.push_back(PaddedPingRequest(named, padding, keyring));
      }
      for (const Body& body : std::vector<Body>{Confirm{Host(3)}, PingRequest{7, Host(3), {3, 4}}})
        datagrams.push_back(Say(2, body, {}, {}, kCluster, keyring));
      for (const std::string& datagram : datagrams) {
        Hand hand(kQuiet, 7, keyring);
        hand.Do([](Gossip& core) {
          core.SetVitals(std::string(kVitalsBytesMax, 'v'));
          const std::array members = {ClaimBy(2), ClaimBy(3), ClaimBy(4)};
          core.Restore(At(0), members);
        });
        hand.RunTo(At(100'000));
        hand.Forget();
        hand.Do([&](Gossip& core) { core.OnDatagram(At(100'000), AddressOf(6), datagram); });
        hand.RunTo(At(100'290));  // Before this node accuses, in words of its own.
        std::size_t bytes = 0, answers = 0;
        for (const Hand::Sent& sent : hand.datagrams) {
          bytes += sent.bytes;
          answers += sent.to == AddressOf(6) ? 1 : 0;
        }
        for (const Hand::Sent& sent : hand.streams) bytes += sent.bytes;
        EXPECT(bytes <= datagram.size());
        EXPECT(answers <= 1);
      }
    }
  }

  TEST_CASE("F5: what sound nodes send has room for all of it: two pings and a nack, or three") {
    for (const Keyring& keyring : {Keyring(), KeyringOf(1)}) {
      for (const bool confirm : {false, true}) {
        Hand hand(kQuiet, 7, keyring);
        hand.Knows({2, 3, 4});
        hand.RunTo(At(100'000));
        hand.Forget();
        Claim accusation = ClaimBy(3, Liveness::kSuspect);
        accusation.accusers.Add({ShortId(Host(2)), 7});
        if (confirm)
          hand.Hear(At(100'000), 2, Confirm{Host(3)}, {accusation});
        else
          hand.Hear(At(100'000), 2, PingRequest{7, Host(3), AddressOf(3)});
        hand.RunTo(At(100'290));
        EXPECT(hand.Datagrams<Nack>().size() == (confirm ? 0 : 1));
        EXPECT(hand.Streams<Ping>().size() == (confirm ? 1 : 0));
        REQUIRE(hand.Datagrams<Ping>().size() == (confirm ? 3 : 2));
        EXPECT(hand.Datagrams<Ping>()[0].message.claims.empty() == !confirm);
        EXPECT(hand.core->counters().replies_withheld == 0);
      }
    }
  }

  TEST_CASE("F5: an answer has news as far as the question's size allows") {
    Hand hand(kQuiet);
    GiveNews(hand);
    hand.Forget();
    hand.Hear(At(1), 2, Ping{1, Host(1)});
    hand.Hear(At(1), 2, Ping{2, Host(1)}, {ClaimBy(2), ClaimBy(3), ClaimBy(4)});
    REQUIRE(hand.Datagrams<Ack>().size() == 2);
    EXPECT(hand.Datagrams<Ack>()[0].message.claims.empty());
    EXPECT(hand.Datagrams<Ack>()[1].message.claims.size() >= 2);
  }

  TEST_CASE("F5: a ping request is answered by a nack or an ack, by one of them, and no larger") {
    Hand hand(kQuiet);
    GiveNews(hand);
    hand.RunTo(At(1000));
    for (const bool late : {false, true}) {
      const std::int64_t start = late ? 4000 : 2000;
      hand.RunTo(At(start));
      hand.Forget();
      const PingRequest request{5, Host(3), AddressOf(3)};
      hand.Hear(At(start), 2, request);
      REQUIRE(hand.Datagrams<Ping>().size() == 1);
      const std::uint64_t nonce = std::get<Ping>(hand.Datagrams<Ping>()[0].message.body).nonce;
      hand.RunTo(At(late ? start + 250 : start + 239));
      hand.Hear(At(start + 250), 3, Ack{nonce});
      hand.RunTo(At(start + 260));
      EXPECT(hand.Datagrams<Nack>().size() == (late ? 1 : 0));
      EXPECT(hand.Datagrams<Ack>().size() == (late ? 0 : 1));
      for (const Hand::Sent& sent : hand.datagrams) {
        if (!std::holds_alternative<Spread>(sent.message.body))
          EXPECT(sent.bytes <= Say(2, request).size());
      }
    }
  }

  TEST_CASE("F5: those held for dead are answered once a second, and told so") {
    Hand hand(kQuiet);
    hand.Knows({2, 3, 4});
    hand.Hear(At(0), 4, Spread{1}, {ClaimBy(2, Liveness::kDead), ClaimBy(3, Liveness::kDead)});
    hand.RunTo(At(1000));
    hand.Forget();
    for (std::int64_t ms = 2000; ms < 4000; ms += 10) {
      hand.Hear(At(ms), 2, Ping{1, Host(1)});
      hand.Hear(At(ms), 3, Ping{1, Host(1)});
      hand.Hear(At(ms), 4, Ping{1, Host(1)});
    }
    std::map<base::Address, int> answers;
    for (const Hand::Sent& sent : hand.Datagrams<Ack>()) {
      ++answers[sent.to];
      EXPECT(std::get<Ack>(sent.message.body).seen_as ==
             (sent.to == AddressOf(4) ? Liveness::kAlive : Liveness::kDead));
    }
    EXPECT(answers ==
           std::map<base::Address, int>{{AddressOf(2), 2}, {AddressOf(3), 2}, {AddressOf(4), 200}});
    EXPECT(hand.core->counters().replies_withheld == 396);
  }

  TEST_CASE("F5: of many dead no more than 64 are answered a second") {
    OnceEach<base::HostId> limit(base::seconds(1), Courier::kDeadRepliesMax);
    std::size_t answered = 0;
    for (std::uint64_t host = 1; host <= 1000; ++host) answered += limit.Take(At(0), Host(host));
    EXPECT(answered == 64);
    EXPECT(!limit.Take(At(999), Host(1000)));
    EXPECT(limit.Take(At(1000), Host(1000)));
  }

  TEST_CASE("who is told by an ack that it is held for dead refutes it at once") {
    Hand hand(kQuiet);
    hand.Knows({2, 3});
    hand.Hear(At(10), 2, Ack{1, Liveness::kDead, 1, 0});
    EXPECT(hand.core->self().incarnation == 1);
    hand.Hear(At(20), 2, Ack{1, Liveness::kDead, 1, 0});  // Old news.
    EXPECT(hand.core->self().incarnation == 1);
    EXPECT(hand.core->counters().conflicts == 0);
  }

  TEST_CASE("who has refuted by its packet's header alone is not declared dead meanwhile") {
    Hand hand(kQuiet);
    hand.Knows({2, 3, 4, 5});
    Claim accusation = ClaimBy(2, Liveness::kSuspect);
    for (const std::uint64_t accuser : {3, 4, 5})
      accusation.accusers.Add({ShortId(Host(accuser)), 0});
    hand.Hear(At(0), 3, Spread{1}, {accusation});
    REQUIRE(hand.LivenessOf(2) == Liveness::kUnreachable);
    hand.RunTo(At(3900));
    hand.Do([](Gossip& core) {
      core.OnDatagram(At(3900), AddressOf(2),
                      Encoded({.header = {Host(2), 1, 1}, .body = Spread{1}}));
    });
    hand.RunTo(At(7800));
    EXPECT(hand.LivenessOf(2) == Liveness::kUnreachable);
    EXPECT(!hand.Streams<Sync>().empty());  // It asks for the rest.
    hand.RunTo(At(8000));
    EXPECT(hand.LivenessOf(2) == Liveness::kDead);
  }
}

}  // namespace
}  // namespace starling::gossip
