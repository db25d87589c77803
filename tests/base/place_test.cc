// Goal:   each key has one token, bucket, slice, leaf and worker, and all of each are used.
// Method: all 65,536 buckets and all numbers of workers, one by one; laws over drawn tokens.
#include "base/place.h"

#include <rapidcheck.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "tests/test.h"

namespace starling::base {
namespace {

constexpr unsigned kWorkersMost = 64;  // As many as a configuration may ask for.

TEST_SUITE("base/place") {
  TEST_CASE("a token is the hash of the key under the cluster's seed") {
    EXPECT(TokenOf("", 0) == 0x2d06800538d394c2);  // XXH3's published answer for no bytes.
    EXPECT(TokenOf("key", 7) == Hash64("key", 7));
    EXPECT(TokenOf("key", 7) != TokenOf("key", 8));
    EXPECT(TokenOf("key", 7) != TokenOf("kez", 7));
  }

  TEST_CASE("a token's top 16 bits are its bucket; low byte the slice, high byte the leaf") {
    constexpr Token kToken = 0xabcd'0123'4567'89ef;
    static_assert(BucketOf(kToken) == 0xabcd);
    static_assert(SliceOf(0xabcd) == 0xcd);
    static_assert(LeafOf(0xabcd) == 0xab);
    static_assert(BucketAt(0xcd, 0xab) == 0xabcd);
    static_assert(FirstToken(0xabcd) == 0xabcd'0000'0000'0000);
    static_assert(LastToken(0xabcd) == 0xabcd'ffff'ffff'ffff);
    EXPECT(BucketOf(0) == 0);
    EXPECT(BucketOf(~Token{0}) == 65535);
  }

  TEST_CASE("buckets follow each other without gap or overlap, and fill the ring") {
    EXPECT(FirstToken(0) == 0);
    EXPECT(LastToken(65535) == ~Token{0});
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      const auto bucket = static_cast<std::uint16_t>(i);
      REQUIRE(BucketOf(FirstToken(bucket)) == bucket);
      REQUIRE(BucketOf(LastToken(bucket)) == bucket);
      if (i > 0) REQUIRE(LastToken(static_cast<std::uint16_t>(i - 1)) + 1 == FirstToken(bucket));
    }
  }

  TEST_CASE("slice and leaf name each bucket once") {
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      const auto bucket = static_cast<std::uint16_t>(i);
      REQUIRE(BucketAt(SliceOf(bucket), LeafOf(bucket)) == bucket);
    }
  }

  TEST_CASE("any number of workers share all buckets, whole slices each, evenly") {
    for (unsigned workers = 1; workers <= kWorkersMost; ++workers) {
      std::vector<std::uint32_t> slices(workers);
      for (std::uint32_t slice = 0; slice < kSlices; ++slice) {
        const unsigned owner = WorkerOf(static_cast<std::uint16_t>(slice), workers);
        REQUIRE(owner < workers);
        ++slices[owner];
      }
      for (const std::uint32_t count : slices) {
        REQUIRE(count >= kSlices / workers);
        REQUIRE(count <= kSlices / workers + 1);
      }
    }
  }

  TEST_CASE("law: a bucket's worker is its slice's, whatever the leaf") {
    EXPECT(rc::check([](Token token) {
      const auto workers = *rc::gen::inRange(1U, kWorkersMost + 1);
      const std::uint16_t bucket = BucketOf(token);
      const std::uint16_t first_of_slice = BucketAt(SliceOf(bucket), 0);
      RC_ASSERT(WorkerOf(bucket, workers) == WorkerOf(first_of_slice, workers));
      RC_ASSERT(FirstToken(bucket) <= token);
      RC_ASSERT(token <= LastToken(bucket));
    }));
  }
}

}  // namespace
}  // namespace starling::base
