// Goal:   entries and keys come back as they were stored, sort as they should, and no damage
// passes.
//
// Method: laws over drawn entries; every truncation and every single flipped bit of some of them.
#include "storage/entry.h"

#include <rapidcheck.h>

#include "tests/test.h"

namespace starling::storage {
namespace {

EntryHeader DrawHeader(base::Bytes value) {
  EntryHeader header;
  header.version = {*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<std::uint32_t>(),
                    *rc::gen::arbitrary<std::uint32_t>()};
  header.expiry_ms = *rc::gen::arbitrary<std::uint64_t>();
  header.value_digest = ValueDigest(value);
  header.origin = static_cast<Origin>(*rc::gen::inRange(1, 6));
  header.flags = static_cast<std::uint8_t>(*rc::gen::inRange(0, 4));
  return header;
}

bool SameHeader(const EntryHeader& a, const EntryHeader& b) {
  return a.version == b.version && a.expiry_ms == b.expiry_ms && a.value_digest == b.value_digest &&
         a.origin == b.origin && a.flags == b.flags;
}

std::string Encoded(const EntryHeader& header, base::Bytes value) {
  std::string bytes;
  EncodeEntryTo(header, value, bytes);
  return bytes;
}

std::string EncodedSample() {
  const EntryHeader header{.version = {1764000000000ULL << 16 | 3, 2, 7},
                           .expiry_ms = 1764000060000ULL,
                           .value_digest = ValueDigest("some value"),
                           .origin = Origin::kRepair,
                           .flags = kFlagHasExpiry};
  return Encoded(header, "some value");
}

std::string EncodedKey(const DataKey& key) {
  std::string bytes;
  EncodeDataKeyTo(key, bytes);
  return bytes;
}

DataKey DrawKey(const std::string& key) {
  return {*rc::gen::inRange<base::KeyspaceId>(0, 3), *rc::gen::arbitrary<base::Token>(), key};
}

TEST_SUITE("storage/entry") {
  TEST_CASE("any entry comes back as it was encoded, and its value verifies") {
    EXPECT(rc::check([] {
      const auto value = *rc::gen::arbitrary<std::string>();
      const EntryHeader header = DrawHeader(value);
      const std::string bytes = Encoded(header, value);
      RC_ASSERT(bytes.size() == kEntryHeaderBytes + value.size());
      const auto decoded = DecodeEntry(bytes);
      RC_ASSERT(decoded.has_value());
      RC_ASSERT(SameHeader(decoded->header, header));
      RC_ASSERT(decoded->value == value);
      RC_ASSERT(VerifyValue(*decoded).ok());
    }));
  }

  TEST_CASE("an entry cut short anywhere is Corruption, in its header or by its digest") {
    const std::string bytes = EncodedSample();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto decoded = DecodeEntry(base::Bytes(bytes).substr(0, size));
      const base::Status status = decoded ? VerifyValue(*decoded) : decoded.error();
      EXPECT(status.code() == base::Code::kCorruption);
    }
  }

  TEST_CASE("any flipped bit is Corruption or another header, never the same entry") {
    const std::string bytes = EncodedSample();
    const EntryHeader original = DecodeEntry(bytes)->header;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      const auto decoded = DecodeEntry(damaged);
      const base::Status status = decoded ? VerifyValue(*decoded) : decoded.error();
      if (status.ok())
        EXPECT(!SameHeader(decoded->header, original));
      else
        EXPECT(status.code() == base::Code::kCorruption);
    }
  }

  TEST_CASE("arbitrary bytes decode or are Corruption") {
    EXPECT(rc::check([] {
      const auto bytes = *rc::gen::arbitrary<std::string>();
      const auto decoded = DecodeEntry(bytes);
      RC_ASSERT(decoded.has_value() || decoded.error().code() == base::Code::kCorruption);
      const auto key = DecodeDataKey(bytes);
      RC_ASSERT(key.has_value() == (bytes.size() >= kKeyPrefixBytes));
    }));
  }

  TEST_CASE("what no writer writes is refused by name") {
    const auto message_with = [](std::size_t at, char byte) {
      std::string bytes = EncodedSample();
      bytes[at] = byte;
      return DecodeEntry(bytes).error().message();
    };
    EXPECT(message_with(0, 2).find("format 2") != std::string::npos);
    EXPECT(message_with(1, 4).find("flags 0x04") != std::string::npos);
    EXPECT(message_with(2, 0).find("origin 0") != std::string::npos);
    EXPECT(message_with(2, 6).find("origin 6") != std::string::npos);
    EXPECT(message_with(7, 1).find("reserved") != std::string::npos);
    EXPECT(message_with(47, 1).find("reserved") != std::string::npos);
  }

  TEST_CASE("a reader sees neither tombstones nor what has expired") {
    EXPECT(EntryHeader{}.live(0));
    EXPECT(EntryHeader{.expiry_ms = 5}.live(10));  // No flag, so the field does not count.
    EXPECT(!EntryHeader{.flags = kFlagTombstone}.live(0));
    const EntryHeader expiring{.expiry_ms = 1000, .flags = kFlagHasExpiry};
    EXPECT(expiring.live(999));
    EXPECT(!expiring.live(1000));
  }

  TEST_CASE("any key comes back, and keys sort by keyspace, token, key") {
    EXPECT(rc::check([] {
      const auto text_a = *rc::gen::arbitrary<std::string>();
      const auto text_b = *rc::gen::arbitrary<std::string>();
      const DataKey a = DrawKey(text_a), b = DrawKey(text_b);
      const auto decoded = DecodeDataKey(EncodedKey(a));
      RC_ASSERT(decoded.has_value());
      RC_ASSERT(decoded->keyspace == a.keyspace);
      RC_ASSERT(decoded->token == a.token);
      const auto order = [](const DataKey& k) { return std::tuple(k.keyspace, k.token, k.key); };
      RC_ASSERT((EncodedKey(a) < EncodedKey(b)) == (order(a) < order(b)));
    }));
  }

  TEST_CASE("a key lies between the borders of its own bucket and of no other") {
    EXPECT(rc::check([] {
      const auto text = *rc::gen::arbitrary<std::string>();
      const DataKey key = DrawKey(text);
      const std::string bytes = EncodedKey(key);
      const std::uint16_t bucket = base::BucketOf(key.token);
      RC_ASSERT(BucketBegin(key.keyspace, bucket) <= bytes);
      RC_ASSERT(bytes < BucketEnd(key.keyspace, bucket));
    }));
  }

  TEST_CASE("buckets meet without a gap, over the border of a keyspace too") {
    for (std::uint32_t bucket = 0; bucket + 1 < base::kBuckets; ++bucket)
      REQUIRE(BucketEnd(7, static_cast<std::uint16_t>(bucket)) ==
              BucketBegin(7, static_cast<std::uint16_t>(bucket + 1)));
    EXPECT(BucketEnd(7, 65535) == BucketBegin(8, 0));
    EXPECT(BucketEnd(0xffffffff, 65535).empty());  // To the end of the family.
  }
}

}  // namespace
}  // namespace starling::storage
