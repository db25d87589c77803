// Goal:   what one node of a cluster seals every other with the key opens, and nobody else's packet
//         gets as far as the parser.
// Method: envelopes of several nodes, clusters and keyrings on each other's bytes; every bit
// flipped.
#include "gossip/envelope.h"

#include <rapidcheck.h>

#include <set>

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

using Verdict = Envelope::Verdict;

// Node `number`, booted for the `boot`th time.
Envelope NodeWith(const Keyring& keyring, std::uint64_t number = 1, std::uint64_t boot = 1,
                  const char* cluster = kCluster) {
  return Envelope(cluster, keyring, {Host(number), boot, number * 1000 + boot});
}

std::string Packet(Envelope& from, Envelope::Way way, base::Bytes body) {
  std::string packet;
  from.Begin(way, packet);
  packet.append(body);
  from.Close(way, packet);
  return packet;
}
std::string Sealed(Envelope& from, base::Bytes body) { return Packet(from, from.way(), body); }

Keyring With(Keyring keyring, unsigned char first_byte) {
  REQUIRE(keyring.Add(KeyBytes{first_byte}).ok());
  return keyring;
}

std::string NonceOf(const std::string& packet) { return packet.substr(9, kNonceBytes); }

TEST_SUITE("gossip/envelope") {
  TEST_CASE("what one node seals another opens, and it shows nothing of the message") {
    EXPECT(rc::check([] {
      const auto body = *rc::gen::string<std::string>();
      Envelope one = NodeWith(KeyringOf(1), 1), two = NodeWith(KeyringOf(1), 2);
      const std::string packet = Sealed(one, body);
      RC_ASSERT(packet.size() == 5 + body.size() + kSealedBytesMore);
      if (body.size() >= 8) RC_ASSERT(packet.find(body) == std::string::npos);
      const Envelope::Opened opened = two.Open(packet);
      RC_ASSERT(opened.verdict == Verdict::kOpened);
      RC_ASSERT(opened.way == KeyringOf(1).primary());
      RC_ASSERT(opened.body == body);
    }));
  }

  // docs/gossip.md shows it. Another implementation opens it: Python's cryptography, by
  // AESGCM(bytes([1]) + bytes(31)).decrypt(packet[9:21], packet[21:], packet[:9] + b"orders").
  TEST_CASE("a sealed packet has the bytes that the docs show") {
    Envelope node("orders", KeyringOf(1), {Host(1), 1, 1});
    const std::string packet = Sealed(node, "hello");
    EXPECT(base::ToHex(packet) ==
           "02fb7449fac3076fc8e7745768d114c79700000000d6061fa02cafa2e0ccb55e80b4e4680e33afe13c3a");
  }

  TEST_CASE("a packet with any bit changed, or cut, is dropped before it is parsed") {
    Envelope one = NodeWith(KeyringOf(1), 1), two = NodeWith(KeyringOf(1), 2);
    const std::string packet = Sealed(one, "some message");
    for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
      std::string changed = packet;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
      EXPECT(two.Open(changed).verdict != Verdict::kOpened);
    }
    for (std::size_t length = 0; length < packet.size(); ++length)
      EXPECT(two.Open(packet.substr(0, length)).verdict != Verdict::kOpened);
    EXPECT(two.Open(packet + "x").verdict == Verdict::kBroken);
    EXPECT(two.Open(packet).verdict == Verdict::kOpened);
  }

  // Also where the tags are equal: the whole name is authenticated.
  TEST_CASE("F17: a node of another cluster cannot open it, even with the same key") {
    Envelope ours = NodeWith(KeyringOf(1));
    Envelope theirs = NodeWith(KeyringOf(1), 2, 1, "other");
    const std::string packet = Sealed(ours, "message");
    EXPECT(theirs.Open(packet).verdict == Verdict::kOtherCluster);
    std::string forged = packet;
    base::StoreLittle(forged.data() + 1, ClusterTag("other"));
    EXPECT(theirs.Open(forged).verdict == Verdict::kBroken);
  }

  TEST_CASE("with a required seal, plain packets are dropped; without, both are taken") {
    Keyring both;
    REQUIRE(both.Add(KeyBytes{1}).ok());
    Envelope plain = NodeWith({}), migrating = NodeWith(both, 2),
             sealing = NodeWith(KeyringOf(1), 3);
    const std::string open = Packet(plain, std::nullopt, "m");
    const std::string sealed = Sealed(sealing, "m");
    EXPECT(!migrating.way());
    EXPECT(migrating.Open(open).verdict == Verdict::kOpened);
    EXPECT(!migrating.Open(open).way);
    EXPECT(migrating.Open(sealed).verdict == Verdict::kOpened);
    EXPECT(sealing.way() == KeyringOf(1).primary());
    EXPECT(sealing.Open(open).verdict == Verdict::kUnsealed);
    EXPECT(plain.Open(sealed).verdict == Verdict::kUnknownKey);
    EXPECT(plain.Open(sealed).way == KeyringOf(1).primary());
  }

  TEST_CASE("a node opens what any of its keys sealed, and seals with the primary") {
    Envelope old = NodeWith(KeyringOf(1), 1);
    Keyring rotated = With(KeyringOf(1), 2);
    REQUIRE(rotated.Use(Fingerprint(KeyBytes{2})).ok());
    Envelope changed = NodeWith(rotated, 2);
    EXPECT(changed.Open(Sealed(old, "m")).verdict == Verdict::kOpened);
    EXPECT(old.Open(Sealed(changed, "m")).verdict == Verdict::kUnknownKey);
    old.SetKeyring(With(KeyringOf(1), 2));
    EXPECT(old.Open(Sealed(changed, "m")).verdict == Verdict::kOpened);
    REQUIRE(rotated.Remove(Fingerprint(KeyBytes{1})).ok());
    changed.SetKeyring(rotated);
    EXPECT(changed.Open(Sealed(old, "m")).verdict == Verdict::kUnknownKey);
  }

  TEST_CASE("no nonce comes twice: not in a process, nor after a restart, nor on another node") {
    std::set<std::string> nonces;
    std::size_t sealed = 0;
    for (std::uint64_t node = 1; node <= 20; ++node) {
      for (std::uint64_t boot = 1; boot <= 20; ++boot) {
        Envelope process = NodeWith(KeyringOf(1), node, boot);
        for (int packet = 0; packet < 10; ++packet, ++sealed)
          nonces.insert(NonceOf(Sealed(process, "m")));
        process.SetKeyring(With(KeyringOf(1), 2));  // The count goes on.
        nonces.insert(NonceOf(Sealed(process, "m")));
        ++sealed;
      }
    }
    EXPECT(nonces.size() == sealed);
  }

  TEST_CASE("even a seed that repeats gives a restarted process other nonces") {
    Envelope before(kCluster, KeyringOf(1), {Host(1), 1, 7});
    Envelope after(kCluster, KeyringOf(1), {Host(1), 2, 7});
    EXPECT(NonceOf(Sealed(before, "m")) != NonceOf(Sealed(after, "m")));
  }

  TEST_CASE("garbage is no packet") {
    Envelope node = NodeWith(KeyringOf(1));
    for (const std::string& garbage : {std::string(), std::string("\x02"), std::string(36, '\x02'),
                                       std::string("GET / HTTP"), std::string(17 << 20, '\x02')})
      EXPECT(node.Open(garbage).verdict != Verdict::kOpened);
  }
}

}  // namespace
}  // namespace starling::gossip
