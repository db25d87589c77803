// Goal:   compactions and preallocations leave what the log and flushes need.
// Method: a file system that says how much is free, with room for all.
#include "storage/rocksdb/room_keeper.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/storage/rocksdb/unsynced_fs.h"
#include "tests/storage/temp_directory.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

constexpr std::uint64_t kKept = std::uint64_t{64} << 20;
constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;
constexpr std::chrono::seconds kFoundMax{60};  // RocksDB looks for room every 5 s.

// The block that a file is preallocated by, asked for with so much free.
std::size_t PreallocatedWith(std::uint64_t free_bytes, std::size_t asked) {
  const TempDirectory directory;
  const auto fs = std::make_shared<UnsyncedFs>();
  fs->SetFreeBytes(free_bytes);
  RoomKeeper keeper(fs, kKept);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  REQUIRE(keeper.NewWritableFile(directory.path() + "/1.log", {}, &file, nullptr).ok());
  file->SetPreallocationBlockSize(asked);
  std::size_t block = 0, last = 0;
  file->GetPreallocationStatus(&block, &last);
  return block;
}

TEST_SUITE("storage/rocksdb/room_keeper") {
  TEST_CASE("a file is preallocated only from what is not kept") {
    EXPECT(PreallocatedWith(kKept + 4096, 4096) == 4096);
    EXPECT(PreallocatedWith(kKept + 4095, 4096) == 0);
  }

  TEST_CASE("a compaction ends before it takes the log's room; flushes and writes go on") {
    const TempDirectory directory;
    const auto fs = std::make_shared<UnsyncedFs>();
    RocksDbOptions options = SmallOptions(directory.path(), fs);
    options.keep_free_bytes = kKept;
    fs->SetFreeBytes(kPlenty);
    const auto engine = Opened(RocksDbEngine::Open(options));
    Entries written;
    const auto write_and_flush = [&](int run) {
      for (const char* end : {"a", "z"}) {  // The tables overlap.
        written.emplace_back(fmt::format("{}{}", end, run), Noise(1000));
        const auto& [key, value] = written.back();
        REQUIRE(WriteOne(*engine, PutBatch(key, value), Sync::kYes).ok());
      }
      REQUIRE(engine->Flush().ok());
    };
    write_and_flush(0);
    write_and_flush(1);
    REQUIRE(engine->Compact().ok());

    fs->SetFreeBytes(kKept);
    write_and_flush(2);
    const base::Status refused = engine->Compact();
    EXPECT(refused.code() == base::Code::kIo);
    EXPECT(refused.message().find("storage.reserve") != std::string::npos);
    write_and_flush(3);

    fs->SetFreeBytes(kPlenty);
    const auto ends = std::chrono::steady_clock::now() + kFoundMax;
    bool compacted = false;
    while (!(compacted = engine->Compact().ok()) && std::chrono::steady_clock::now() < ends)
      std::this_thread::yield();
    EXPECT(compacted);
    std::ranges::sort(written);
    EXPECT(ScanAll(*engine, Family::kData) == written);
  }
}

}  // namespace
}  // namespace starling::storage
