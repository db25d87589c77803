// Goal:   what is encoded comes back the same; nothing else comes in; sizes are as promised.
// Method: round trips of drawn messages, each field spoiled by hand, and bytes of no meaning.
#include "gossip/codec.h"

#include <rapidcheck.h>

#include <limits>
#include <vector>

#include "base/hash.h"
#include "gossip/wire_format.h"
#include "tests/gossip/hand.h"
#include "tests/gossip/reference_codec.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

std::string Bytes(const Message& message) {
  std::string bytes;
  Encode(message, bytes);
  return bytes;
}

Claim DrawClaim(std::size_t metadata_max) {
  Claim claim = ClaimBy(
      *rc::gen::nonZero<std::uint64_t>(), static_cast<Liveness>(*rc::gen::inRange(0, 5)),
      *rc::gen::arbitrary<std::uint32_t>(), *rc::gen::inRange<std::uint64_t>(0, kGenerations));
  claim.host.high = *rc::gen::arbitrary<std::uint64_t>();
  claim.address = {*rc::gen::inRange(1U, ~0U), *rc::gen::inRange<std::uint16_t>(1, 0xffff)};
  claim.metadata = Kept(std::string(*rc::gen::inRange<std::size_t>(0, metadata_max + 1), 'x'));
  claim.domain = *rc::gen::arbitrary<std::uint32_t>();
  if (claim.liveness != Liveness::kAlive)
    claim.age = base::milliseconds(*rc::gen::inRange<std::int64_t>(0, 1LL << 41));
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
    claim.accusers.Add(
        {*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<std::uint32_t>()});
  return claim;
}

RumorItem DrawRumor(std::size_t payload_max) {
  RumorItem rumor{.key = std::string(*rc::gen::inRange<std::size_t>(1, kRumorKeyBytesMax + 1), 'k'),
                  .version = *rc::gen::arbitrary<std::uint64_t>(),
                  .hash = *rc::gen::arbitrary<std::uint64_t>(),
                  .age = base::milliseconds(*rc::gen::inRange<std::int64_t>(0, 1LL << 31))};
  if (!*rc::gen::arbitrary<bool>()) return rumor;
  rumor.payload = std::string(*rc::gen::inRange<std::size_t>(0, payload_max + 1), 'p');
  rumor.hash = base::Hash64(*rumor.payload);
  return rumor;
}

Body DrawBody() {
  const auto nonce = *rc::gen::arbitrary<std::uint64_t>();
  const base::HostId target = Host(*rc::gen::nonZero<std::uint64_t>());
  switch (*rc::gen::inRange(0, 19)) {
    case 0: return Ping{nonce, target};
    case 1:
      if ((nonce & 1) == 0)
        return Ack{.nonce = nonce,
                   .vitals = Kept(
                       std::string(*rc::gen::inRange<std::size_t>(0, kVitalsBytesMax + 1), 'v'))};
      return Ack{nonce, static_cast<Liveness>(*rc::gen::inRange(1, 5)),
                 *rc::gen::inRange<std::uint64_t>(0, kGenerations),
                 *rc::gen::arbitrary<std::uint32_t>()};
    case 2: return PingRequest{nonce, target, AddressOf(77)};
    case 3: return Spread{nonce};
    case 4: return Feedback{nonce, nonce * 3};
    case 5: return Sync{nonce, nonce * 5};
    case 6: return State{(nonce & 1) != 0, (nonce & 2) != 0};
    case 7: return Push{};
    case 8: return Pull{};
    case 9: return Nack{nonce};
    case 10: return Confirm{target};
    case 11: return Farewell{nonce};
    case 12: return Compare{Kept(std::string(kBucketsBytes, 'b')), Kept(std::string(24, 'e'))};
    case 13: return Difference{Kept(std::string(nonce % 9 * 8, 'w'))};
    case 14: return State{.buckets = Kept(std::string(kBucketDigestsBytes, 'd'))};
    case 15: return State{.rumors_equal = true, .retry_after_ms = 250};
    case 16: return Payloads{};
    case 17: return RumorState{};
    default: {
      RumorSync sync;
      for (std::uint64_t& digest : sync.digests) digest = *rc::gen::arbitrary<std::uint64_t>();
      return sync;
    }
  }
}

Message DrawMessage() {
  Message message{
      .header = {Host(*rc::gen::nonZero<std::uint64_t>()),
                 *rc::gen::inRange<std::uint64_t>(0, kGenerations),
                 *rc::gen::arbitrary<std::uint32_t>(), *rc::gen::arbitrary<std::uint64_t>()},
      .body = DrawBody()};
  for (int i = *rc::gen::inRange(0, 5); i > 0; --i) message.claims.push_back(DrawClaim(512));
  for (int i = *rc::gen::inRange(0, 5); i > 0; --i) message.rumors.push_back(DrawRumor(2000));
  return message;
}

base::Result<Message> Read(const std::string& bytes) { return Decoded(bytes); }

bool Refused(const Message& message) { return !Read(Bytes(message)).has_value(); }

Message Sound() { return {.header = {Host(2), 1, 0}, .body = Spread{5}, .claims = {ClaimBy(3)}}; }

TEST_SUITE("gossip/codec") {
  TEST_CASE("a message comes back as it was") {
    EXPECT(rc::check([] {
      const Message message = DrawMessage();
      const std::string bytes = Bytes(message);
      const base::Result<Message> read = Read(bytes);
      RC_ASSERT(read.has_value());
      RC_ASSERT(read->body.index() == message.body.index());
      RC_ASSERT(read->claims.size() == message.claims.size());
      RC_ASSERT(read->rumors.size() == message.rumors.size());
      RC_ASSERT(Bytes(*read) == bytes);
    }));
  }

  // docs/gossip.md explains them one by one.
  TEST_CASE("a ping has the bytes that the docs show") {
    const Message ping{.header = {{1, 2}, 3, 4}, .body = Ping{5, {6, 7}}};
    const unsigned char expected[] = {
        0x0a, 0x12, 0x09, 1,    0, 0, 0, 0, 0, 0, 0,  // from.high
        0x11, 2,    0,    0,    0, 0, 0, 0, 0,        // from.low
        0x10, 0x03, 0x18, 0x04,                       // generation, incarnation
        0x22, 0x1d, 0x09, 5,    0, 0, 0, 0, 0, 0, 0,  // ping.nonce
        0x12, 0x12, 0x09, 6,    0, 0, 0, 0, 0, 0, 0,  // ping.target.high
        0x11, 7,    0,    0,    0, 0, 0, 0, 0};       // ping.target.low
    EXPECT(Bytes(ping) == std::string(reinterpret_cast<const char*>(expected), sizeof expected));
  }

  // Equal sizes say that no field is unknown to it, nor of another type.
  TEST_CASE("Protobuf reads what we write, and we read what Protobuf writes") {
    EXPECT(rc::check([] {
      const std::string bytes = Bytes(DrawMessage());
      const std::optional<std::string> again = Reserialized(bytes);
      RC_ASSERT(again.has_value());
      RC_ASSERT(again->size() == bytes.size());
      const base::Result<Message> read = Read(*again);
      RC_ASSERT(read.has_value());
      RC_ASSERT(Bytes(*read) == bytes);
    }));
  }

  TEST_CASE("no datagram is larger than the bounds by which packets are filled") {
    EXPECT(rc::check([] {
      const Message message = DrawMessage();
      RC_PRE(message.body.index() <= Body(Feedback{}).index());  // Those of datagrams.
      // Header and seal are around it.
      std::size_t bound = kEnvelopeBytesMax -
                          (Encoded(message, kCluster, KeyringOf(1)).size() - Bytes(message).size());
      if (std::holds_alternative<Confirm>(message.body)) bound += kConfirmPaddingBytes;
      if (std::holds_alternative<PingRequest>(message.body)) bound += kPingRequestPaddingBytes;
      for (const Claim& claim : message.claims) bound += BytesBound(claim);
      for (const RumorItem& rumor : message.rumors) bound += BytesBound(rumor);
      RC_ASSERT(Bytes(message).size() <= bound);
    }));
  }

  TEST_CASE("the highest generation and incarnation are taken, and those above refused") {
    constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();
    for (const std::uint64_t generation : {kGenerations - 1, kGenerations}) {
      Message sender = Sound(), claim = Sound(), ack = Sound();
      sender.header = {Host(2), generation, kLast};
      claim.claims = {ClaimBy(3, Liveness::kDead, kLast, generation)};
      ack.body = Ack{1, Liveness::kDead, generation, kLast};
      for (const Message& message : {sender, claim, ack})
        EXPECT(Refused(message) == (generation == kGenerations));
    }
  }

  // Cut to its low half it would be another one.
  TEST_CASE("an incarnation of more than 32 bits is refused") {
    for (const std::uint64_t incarnation : {(1ULL << 32) - 1, 1ULL << 32}) {
      std::string sender = Bytes(Sound()), claim = sender, ack = sender;
      wire_format::Writer(sender).Varint(3, incarnation);
      wire_format::Writer in_claim(claim);
      in_claim.Message(14, [&] {
        in_claim.Message(1, [&] { in_claim.Fixed64(2, 7); });
        in_claim.Varint(3, incarnation);
        in_claim.Varint(4, 1);
        in_claim.Fixed32(5, 1);
        in_claim.Varint(6, 1);
      });
      wire_format::Writer in_ack(ack);
      in_ack.Message(5, [&] {
        in_ack.Varint(2, 3);
        in_ack.Varint(4, incarnation);
      });
      for (const std::string& bytes : {sender, claim, ack})
        EXPECT(Read(bytes).has_value() == (incarnation < 1ULL << 32));
    }
  }

  TEST_CASE("F20: more members or rumors than any node has are refused before they take room") {
    const GossipOptions options;
    Message message = Sound();
    message.claims.clear();
    const std::size_t most = ClaimsMax(options), rumors = RumorsMax(options);
    const auto refused_beyond = [&](auto grow) {
      EXPECT(!Refused(message));
      grow();
      EXPECT(Refused(message));
    };
    SUBCASE("claims") {
      message.claims.assign(most, ClaimBy(3));
      refused_beyond([&] { message.claims.push_back(ClaimBy(3)); });
    }
    SUBCASE("rumors") {
      message.rumors.assign(rumors, {.key = "k"});
      refused_beyond([&] { message.rumors.push_back({.key = "k"}); });
    }
    SUBCASE("compared") {
      const std::string bitmap(kBucketsBytes, 'b');
      std::string entries(most * kEntryBytes, 'e');
      message.body = Compare{bitmap, entries};
      refused_beyond([&] {
        entries.append(kEntryBytes, 'e');
        message.body = Compare{bitmap, entries};
      });
    }
    SUBCASE("wanted") {
      std::string wanted(most * 8, 'w');
      message.body = Difference{wanted};
      refused_beyond([&] {
        wanted.append(8, 'w');
        message.body = Difference{wanted};
      });
    }
    SUBCASE("a node with a smaller table still takes the largest") {
      EXPECT(ClaimsMax({.members_max = 4}) == most);
      EXPECT(RumorsMax({.rumors_max = 4, .passing_rumors_max = 4}) == rumors);
      EXPECT(ClaimsMax({.members_max = 100'000}) == 100'001);
    }
  }

  TEST_CASE("a field out of range is refused") {
    EXPECT(!Refused(Sound()));
    Message message = Sound();
    SUBCASE("no sender") { message.header.from = {}; }
    SUBCASE("a sender's generation that leaves no room to refute") {
      message.header.generation = ~0ULL;
    }
    SUBCASE("a claim about nobody") { message.claims[0].host = {}; }
    SUBCASE("a claim's generation that leaves no room to refute") {
      message.claims[0].generation = 1ULL << 63;
    }
    SUBCASE("a claim without an address") { message.claims[0].address = {}; }
    SUBCASE("a claim with more metadata than is allowed") {
      message.claims[0].metadata = Kept(std::string(513, 'x'));
    }
    SUBCASE("bucket digests that are too few") {
      message.body = State{.buckets = Kept(std::string(8, 'd'))};
    }
    SUBCASE("a comparison without its bitmap") { message.body = Compare{{}, Kept("123456789012")}; }
    SUBCASE("half an entry") {
      message.body = Compare{Kept(std::string(kBucketsBytes, 'b')), Kept("123456")};
    }
    SUBCASE("half a wanted id") { message.body = Difference{Kept("1234")}; }
    SUBCASE("an ack that sees a generation that leaves no room to refute") {
      message.body = Ack{1, Liveness::kDead, 1ULL << 63, 0};
    }
    SUBCASE("a confirm of nobody") { message.body = Confirm{{}}; }
    SUBCASE("a ping to nobody") { message.body = Ping{1, {}}; }
    SUBCASE("a ping request without an address") { message.body = PingRequest{1, Host(3), {}}; }
    SUBCASE("an ack with more vitals than are taken") {
      message.body = Ack{.nonce = 1, .vitals = Kept(std::string(kVitalsBytesMax + 1, 'v'))};
    }
    SUBCASE("a rumor without a key") { message.rumors = {{.key = "", .version = 1}}; }
    SUBCASE("a rumor with a key too long") {
      message.rumors = {{.key = std::string(256, 'k'), .version = 1}};
    }
    SUBCASE("a rumor whose payload is not what its hash says") {
      message.rumors = {{.key = "k", .version = 1, .hash = 1, .payload = "p"}};
    }
    SUBCASE("a rumor larger than is allowed") {
      const std::string payload((1 << 20) + 1, 'p');
      message.rumors = {
          {.key = "k", .version = 1, .hash = base::Hash64(payload), .payload = payload}};
    }
    EXPECT(Refused(message));
  }

  TEST_CASE("a message of no known kind is refused") {
    EXPECT(!Read("").has_value());
    EXPECT(!Read(Bytes(Sound()).substr(0, 11)).has_value());  // Its sender alone.
  }

  TEST_CASE("digests of rumors are as many as there are buckets, or refused") {
    for (const std::size_t count : {0U, 15U, 16U, 17U}) {
      std::string bytes = Bytes(Sound());  // A second body replaces the first.
      wire_format::Writer out(bytes);
      out.Message(20, [&] { out.PackedFixed64(1, std::vector<std::uint64_t>(count, 7)); });
      EXPECT(Read(bytes).has_value() == (count == kRumorBuckets));
    }
  }

  TEST_CASE("fields in order: a length or number that does not end is no field") {
    const std::string endless = std::string("\x81") + std::string(9, '\x80');
    for (const std::string& number : {std::string("\x81"), endless, endless + "anything"}) {
      base::Bytes bytes;
      const std::string with_length = "\x3a" + number, with_value = "\x10" + number;
      wire_format::InOrder lengths(with_length), values(with_value);
      lengths.Bytes(7, bytes);
      EXPECT(!lengths.done());
      std::uint64_t value = 0;
      values.Varint(2, value);
      EXPECT(!values.done());
    }
  }

  TEST_CASE("cut, flipped and random bytes never do more than fail") {
    EXPECT(rc::check([] {
      std::string bytes = Bytes(DrawMessage());
      const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
      if (*rc::gen::arbitrary<bool>())
        bytes.resize(at);
      else
        bytes[at] = static_cast<char>(*rc::gen::arbitrary<unsigned char>());
      (void)Read(bytes);
      (void)Read(*rc::gen::string<std::string>());
    }));
  }
}

}  // namespace
}  // namespace starling::gossip
