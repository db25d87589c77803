// Goal:   large requests fill a share and no more; small ones are served meanwhile.
// Method: take and give sizes around the limits, and ask whether there is room.
#include "server/memory_share.h"

#include "tests/client/fake_world.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kShareMiB = 1 << 20;

struct Shares {
  client::FakeWorld world;
  std::atomic<std::uint64_t> mail_bytes = 0;
  MemoryShare one{world, 80 * kShareMiB, 2, mail_bytes};  // Of 40 MiB.
};

TEST_SUITE("server/memory_share") {
  TEST_CASE("each worker has an even share, and counts its part of the mails") {
    Shares shares;
    EXPECT(shares.one.bytes_max() == 40 * kShareMiB);
    shares.mail_bytes = 10 * kShareMiB;
    EXPECT(shares.one.held() == 5 * kShareMiB);
  }

  TEST_CASE("large requests leave an eighth to small ones") {
    Shares shares;
    shares.one.Take(34 * kShareMiB);
    EXPECT(shares.one.HasRoom(kShareMiB));
    EXPECT(!shares.one.HasRoom(kShareMiB + 1));
    EXPECT(shares.one.HasRoom(100));
    shares.one.Give(34 * kShareMiB);
    EXPECT(shares.one.held() == 0);
  }

  TEST_CASE("small requests have their eighth though large ones grew beyond the share") {
    Shares shares;
    shares.mail_bytes = 200 * kShareMiB;
    EXPECT(!shares.one.HasRoom(kShareMiB));
    EXPECT(shares.one.HasRoom(100));
    for (std::uint64_t taken = 0; taken < 5 * kShareMiB; taken += 1024) shares.one.Take(1024);
    EXPECT(!shares.one.HasRoom(100));
    shares.one.Give(1024);
    EXPECT(shares.one.HasRoom(100));
  }

  TEST_CASE("requests that have come in part fill the share, but for one when there is no other") {
    Shares shares;
    EXPECT(shares.one.TakePart(50 * kShareMiB));
    EXPECT(!shares.one.TakePart(kShareMiB));
    shares.one.GivePart(51 * kShareMiB);
    EXPECT(!shares.one.has_parts());
    EXPECT(shares.one.TakePart(20 * kShareMiB));
    EXPECT(shares.one.TakePart(20 * kShareMiB));
    EXPECT(!shares.one.HasRoom(kShareMiB));
    EXPECT(!shares.one.TakePart(kShareMiB));
  }

  TEST_CASE("a share that is hardly used takes one request of any size") {
    Shares shares;
    EXPECT(shares.one.HasRoom(1000 * kShareMiB));
    shares.one.Take(1000 * kShareMiB);
    EXPECT(!shares.one.HasRoom(kShareMiB));
  }
}

}  // namespace
}  // namespace starling::server
