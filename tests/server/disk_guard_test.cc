// Goal:   a node stops taking puts before the disk is full, and does not go to and fro.
// Method: looks at disks of several sizes.
#include "server/disk_guard.h"

#include "tests/storage/temp_directory.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kDiskMiB = 1 << 20, kGiB = 1 << 30;

TEST_SUITE("server/disk_guard") {
  TEST_CASE("full below the reserve; not full again before a tenth more is free") {
    DiskGuard guard(kGiB);
    EXPECT(!guard.Look({10 * kGiB, 100 * kGiB}));
    EXPECT(!guard.Look({kGiB, 100 * kGiB}));
    EXPECT(!guard.full());
    EXPECT(guard.Look({kGiB - 1, 100 * kGiB}));
    EXPECT(guard.full());
    EXPECT(!guard.Look({guard.resume_bytes() - 1, 100 * kGiB}));
    EXPECT(guard.full());
    EXPECT(guard.Look({guard.resume_bytes(), 100 * kGiB}));
    EXPECT(!guard.full());
    EXPECT(guard.resume_bytes() == kGiB + kGiB / 10);
    EXPECT(guard.room_bytes() == kGiB / 10);
    guard.Look({kGiB - 1, 100 * kGiB});
    EXPECT(guard.room_bytes() == 0);
  }

  TEST_CASE("of a small disk a fifth is kept") {
    DiskGuard guard(kGiB);
    EXPECT(!guard.Look({9 * kDiskMiB, 40 * kDiskMiB}));
    EXPECT(guard.reserve_bytes() == 8 * kDiskMiB);
    EXPECT(guard.Look({7 * kDiskMiB, 40 * kDiskMiB}));
    EXPECT(guard.Look(
        {7 * kDiskMiB, 10 * kDiskMiB}));  // It was made smaller, and a fifth of it is less.
    EXPECT(!guard.full());
  }

  TEST_CASE("without a reserve it is never full") {
    DiskGuard guard(0);
    EXPECT(!guard.Look({0, 40 * kDiskMiB}));
    EXPECT(!guard.full());
  }

  TEST_CASE("a directory's file system is asked, and one that is not there is an error") {
    const storage::TempDirectory directory;
    const auto space = LookAtDirectory(directory.path());
    REQUIRE(space.has_value());
    EXPECT(space->total_bytes > 0);
    EXPECT(space->free_bytes <= space->total_bytes);
    const auto none = LookAtDirectory(directory.path() + "/none");
    EXPECT(none.error().code() == base::Code::kIo);
    EXPECT(none.error().message().find("/none") != std::string::npos);
  }
}

}  // namespace
}  // namespace starling::server
