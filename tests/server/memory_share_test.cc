// Goal:   large requests fill a share and no more; small ones are served meanwhile.
// Method: take and give sizes around the limits, and ask whether there is room.
#include "server/memory_share.h"

#include "tests/client/fake_world.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct Shares {
  client::FakeWorld world;
  std::atomic<std::uint64_t> mail_bytes = 0;
  MemoryShare one{world, 80 * kMiB, 2, mail_bytes};  // Of 40 MiB.
};

TEST_SUITE("server/memory_share") {
  TEST_CASE("each worker has an even share, and counts its part of the mails") {
    Shares shares;
    EXPECT(shares.one.bytes_max() == 40 * kMiB);
    shares.mail_bytes = 10 * kMiB;
    EXPECT(shares.one.held() == 5 * kMiB);
  }

  TEST_CASE("large requests leave an eighth to small ones") {
    Shares shares;
    shares.one.Take(34 * kMiB);
    EXPECT(shares.one.HasRoom(kMiB));
    EXPECT(!shares.one.HasRoom(kMiB + 1));
    EXPECT(shares.one.HasRoom(100));
    shares.one.Give(34 * kMiB);
    EXPECT(shares.one.held() == 0);
  }

  TEST_CASE("small requests have their eighth though large ones grew beyond the share") {
    Shares shares;
    shares.mail_bytes = 200 * kMiB;
    EXPECT(!shares.one.HasRoom(kMiB));
    EXPECT(shares.one.HasRoom(100));
    for (std::uint64_t taken = 0; taken < 5 * kMiB; taken += 1024) shares.one.Take(1024);
    EXPECT(!shares.one.HasRoom(100));
    shares.one.Give(1024);
    EXPECT(shares.one.HasRoom(100));
  }

  TEST_CASE("requests that have come in part fill the share, but for one when there is no other") {
    Shares shares;
    EXPECT(shares.one.TakePart(50 * kMiB));
    EXPECT(!shares.one.TakePart(kMiB));
    shares.one.GivePart(51 * kMiB);
    EXPECT(!shares.one.has_parts());
    EXPECT(shares.one.TakePart(20 * kMiB));
    EXPECT(shares.one.TakePart(20 * kMiB));
    EXPECT(!shares.one.HasRoom(kMiB));
    EXPECT(!shares.one.TakePart(kMiB));
  }

  TEST_CASE("a share that is hardly used takes one request of any size") {
    Shares shares;
    EXPECT(shares.one.HasRoom(1000 * kMiB));
    shares.one.Take(1000 * kMiB);
    EXPECT(!shares.one.HasRoom(kMiB));
  }
}

}  // namespace
}  // namespace starling::server
