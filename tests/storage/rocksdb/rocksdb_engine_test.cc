// Goal:   RocksDB behind our interface does what every engine does, and says clearly when it can't.
// Method: the shared suite on the machine's disk and on one that loses power; then the cache tier,
//         directories in use or impossible, and files damaged by hand.
#include "storage/rocksdb/rocksdb_engine.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

// Flips a byte in the data of every table of at least `size` bytes; says how many there were.
int DamageTables(const std::string& directory, std::size_t size) {
  int damaged = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() != ".sst" || file.file_size() < size) continue;
    std::fstream bytes(file.path(), std::ios::binary | std::ios::in | std::ios::out);
    const auto middle = static_cast<std::streamoff>(size / 2);
    bytes.seekg(middle);
    const char flipped = static_cast<char>(bytes.get() ^ 0xff);
    bytes.seekp(middle);
    bytes.put(flipped);
    ++damaged;
  }
  return damaged;
}

// By number.
std::vector<std::filesystem::path> LogsIn(const std::string& directory) {
  std::vector<std::filesystem::path> logs;
  for (const auto& file : std::filesystem::directory_iterator(directory))
    if (file.path().extension() == ".log") logs.push_back(file.path());
  std::sort(logs.begin(), logs.end());
  return logs;
}

// The one log of a directory whose memtables were never flushed.
std::filesystem::path OnlyLog(const std::string& directory) {
  std::filesystem::path found;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() != ".log" || file.file_size() == 0) continue;
    EXPECT(found.empty());
    found = file.path();
  }
  REQUIRE(!found.empty());
  return found;
}

void FlipByte(const std::filesystem::path& path, std::uint64_t at) {
  std::fstream bytes(path, std::ios::binary | std::ios::in | std::ios::out);
  bytes.seekg(static_cast<std::streamoff>(at));
  const char flipped = static_cast<char>(bytes.get() ^ 0x55);
  bytes.seekp(static_cast<std::streamoff>(at));
  bytes.put(flipped);
}

// A directory with 30 synced values of a size, all of them in its log alone.
void WriteLog(const std::string& directory, std::size_t value_size) {
  auto options = SmallOptions(directory);
  options.memtable_bytes = 16 << 20;
  auto engine = RocksDbEngine::Open(options);
  REQUIRE(engine.has_value());
  for (int i = 0; i < 30; ++i)
    REQUIRE(
        WriteOne(**engine, PutBatch(fmt::format("k{:02}", i), Noise(value_size)), Sync::kYes).ok());
}

struct ErrorSink final : GetSink {
  void OnFound(std::size_t, Found found, base::Bytes, const base::Status& error) override {
    founds.push_back(found);
    errors.push_back(error);
  }
  std::vector<Found> founds;
  std::vector<base::Status> errors;
};

TEST_SUITE("storage/rocksdb") {
  TEST_CASE("RocksDB on the machine's disk") {
    RunEngineSuite([] { return std::make_unique<RocksDbMachine>(); });
  }

  TEST_CASE("RocksDB on a disk that loses power") {
    RunEngineSuite([] { return std::make_unique<RocksDbMachine>(std::make_shared<UnsyncedFs>()); });
  }

  TEST_CASE("the cache tier says kNotCached for what is on disk, until a full read brought it in") {
    RocksDbMachine machine;
    REQUIRE(WriteOne(machine.engine(), PutBatch("k", std::string(1000, 'v'))).ok());
    REQUIRE(WriteOne(machine.engine(), PutBatch("l", std::string(1000, 'v'))).ok());
    REQUIRE(machine.engine().Flush().ok());
    machine.Kill();  // With its cache.
    const auto cached = [&machine](const std::vector<std::string>& keys) {
      std::vector<Found> founds;
      for (const Lookup& found : GetMany(machine.engine(), Family::kData, keys, Tier::kCacheOnly))
        founds.push_back(found.found);
      return founds;
    };
    EXPECT(cached({"k"}) == std::vector{Found::kNotCached});
    EXPECT(cached({"k", "l"}) == std::vector{Found::kNotCached, Found::kNotCached});
    // The filter is in memory, so that an absent key costs no read.
    EXPECT(cached({"k1", "l"}) == std::vector{Found::kAbsent, Found::kNotCached});
    GetMany(machine.engine(), Family::kData, {"k"});
    EXPECT(cached({"k"}) == std::vector{Found::kValue});
  }

  // Their memtable hashes keys, and must not show for that.
  TEST_CASE("leaves come in order, from memtable and files, each as it was written last") {
    const TempDirectory directory;
    const auto engine = OpenSmall(directory.path() + "/db");
    const auto put = [&](int from, int step, const std::string& value) {
      Batch batch;
      for (int i = from; i < 3000; i += step)
        batch.Put(Family::kTree, fmt::format("{:06}", i), value);
      const Batch* const batches[] = {&batch};
      REQUIRE(engine->Write(batches, Sync::kNo).ok());
    };
    put(0, 2, "old....");
    put(0, 4, "flushed");
    REQUIRE(engine->Flush().ok());
    put(1, 2, "memory.");
    put(0, 8, "changed");
    put(0, 16, "again..");
    const auto expected = [](int i) {
      if (i % 2 == 1) return "memory.";
      if (i % 16 == 0) return "again..";
      return i % 8 == 0 ? "changed" : i % 4 == 0 ? "flushed" : "old....";
    };
    int next = 40;
    const auto cursor = engine->Scan(Family::kTree, "000040", "002000");
    for (cursor->Seek("000040"); cursor->Valid(); cursor->Next(), ++next) {
      EXPECT(cursor->key() == fmt::format("{:06}", next));
      EXPECT(cursor->value() == expected(next));
    }
    EXPECT(cursor->status().ok());
    EXPECT(next == 2000);
  }

  TEST_CASE("flushes are no faster than the rate that is set for them and compactions") {
    const TempDirectory directory;
    RocksDbOptions options = SmallOptions(directory.path() + "/db");
    options.memtable_bytes = 16 << 20;
    options.compaction_bytes_per_second = 1 << 20;
    const auto engine = *RocksDbEngine::Open(options);
    REQUIRE(WriteOne(*engine, PutBatch("key", Noise(2 << 20)), Sync::kNo).ok());
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(engine->Flush().ok());
    EXPECT(std::chrono::steady_clock::now() - began > std::chrono::milliseconds(1000));
  }

  TEST_CASE("a directory in use is refused, and free once it is closed") {
    TempDirectory directory;
    auto first = OpenSmall(directory.path());
    const auto second = RocksDbEngine::Open(SmallOptions(directory.path()));
    REQUIRE(!second.has_value());
    EXPECT(second.error() == base::FailedPrecondition("in use by another process"));
    first.reset();
    EXPECT(RocksDbEngine::Open(SmallOptions(directory.path())).has_value());
  }

  TEST_CASE("a directory is made with its parents") {
    TempDirectory directory;
    EXPECT(WriteOne(*OpenSmall(directory.path() + "/a/b/c"), PutBatch("k", "v"), Sync::kYes).ok());
    EXPECT(std::filesystem::exists(directory.path() + "/a/b/c/CURRENT"));
  }

  TEST_CASE("a directory that can't be made is Io, naming it and the cause") {
    TempDirectory directory;
    const std::string file = directory.path() + "/file";
    std::ofstream(file) << "not a directory";
    const auto opened = RocksDbEngine::Open(SmallOptions(file + "/data"));
    REQUIRE(!opened.has_value());
    EXPECT(opened.error().code() == base::Code::kIo);
    EXPECT(opened.error().message().find(file + "/data") != std::string::npos);
    EXPECT(opened.error().message().find("Not a directory") != std::string::npos);
  }

  TEST_CASE("a damaged table gives Corruption for what is in it, never a wrong value") {
    TempDirectory directory;
    auto engine = OpenSmall(directory.path());
    REQUIRE(WriteOne(*engine, PutBatch("k", Noise(9000))).ok());
    REQUIRE(engine->Flush().ok());
    engine.reset();
    REQUIRE(DamageTables(directory.path(), 9000) == 1);
    engine = OpenSmall(directory.path());
    const base::Bytes key = "k";
    ErrorSink sink;
    engine->Get(Family::kData, {&key, 1}, Tier::kAll, sink);
    REQUIRE(sink.founds == std::vector{Found::kError});
    EXPECT(sink.errors[0].code() == base::Code::kCorruption);
    EXPECT(sink.errors[0].message().find(directory.path()) != std::string::npos);
    EXPECT(GetOne(*engine, Family::kData, "k").error().code() == base::Code::kCorruption);
    const auto cursor = engine->Scan(Family::kData, "", "");
    cursor->Seek("");
    EXPECT(!cursor->Valid());
    EXPECT(cursor->status().code() == base::Code::kCorruption);
  }

  TEST_CASE("a damaged record among others of the log is refused, naming the file") {
    std::size_t value_size = 0;
    SUBCASE("many records in a block") { value_size = 100; }
    SUBCASE("records over several blocks") { value_size = 70'000; }
    TempDirectory written;
    WriteLog(written.path(), value_size);
    const std::uint64_t size = std::filesystem::file_size(OnlyLog(written.path()));
    // Checksum, length, kind, sequence number of the first records, and places among the others.
    std::vector<std::uint64_t> places;
    for (std::uint64_t i = 0; i < 20; ++i) places.push_back(size / 40 * (i + 2) + i);
    const std::uint64_t record = size / 30;
    for (std::uint64_t i = 0; i < 12; ++i) places.push_back(record * 3 + i);
    for (const std::uint64_t place : places) {
      TempDirectory directory;
      std::filesystem::copy(written.path(), directory.path(),
                            std::filesystem::copy_options::recursive);
      FlipByte(OnlyLog(directory.path()), place);
      // Twice: the first attempt must not have thrown away what it refused.
      for (int attempt = 0; attempt < 2; ++attempt) {
        const auto opened = RocksDbEngine::Open(SmallOptions(directory.path()));
        DOCTEST_INFO("byte ", place, " of ", size);
        REQUIRE(!opened.has_value());
        EXPECT(opened.error().code() == base::Code::kCorruption);
        EXPECT(opened.error().message().find(OnlyLog(directory.path()).string()) !=
               std::string::npos);
      }
      // Unless what comes before the damage will do: that is fewer changes, and those are sound.
      RocksDbOptions part = SmallOptions(directory.path());
      part.keep_sound_part = true;
      const auto opened = RocksDbEngine::Open(part);
      REQUIRE(opened.has_value());
      EXPECT((*opened)->sequence() < 30);
    }
  }

  TEST_CASE("a log that ends in the middle of a record opens with all that came before") {
    std::size_t value_size = 0;
    SUBCASE("many records in a block") { value_size = 100; }
    SUBCASE("records over several blocks") { value_size = 70'000; }
    TempDirectory written;
    WriteLog(written.path(), value_size);
    const std::uint64_t size = std::filesystem::file_size(OnlyLog(written.path()));
    const auto expect_29 = [&](const std::function<void(const std::filesystem::path&)>& damage) {
      TempDirectory directory;
      std::filesystem::copy(written.path(), directory.path(),
                            std::filesystem::copy_options::recursive);
      damage(OnlyLog(directory.path()));
      // Again and again: what an earlier start left of the torn log must not look like damage.
      for (int start = 0; start < 3; ++start)
        EXPECT(ScanAll(*OpenSmall(directory.path()), Family::kData).size() == 29);
    };
    for (const std::uint64_t cut : {1U, 5U, 50U})
      expect_29([&](const auto& log) { std::filesystem::resize_file(log, size - cut); });
    expect_29([&](const auto& log) { FlipByte(log, size - 10); });
    expect_29([&](const auto& log) {
      std::filesystem::resize_file(log, size - 20);
      std::filesystem::resize_file(log, size + 100'000);  // Zeros, as of a file made larger.
    });
  }

  TEST_CASE("a torn log that a start has replayed is no damage, whatever was written since") {
    TempDirectory directory;
    const auto write = [](Engine& engine, const std::string& key) {
      REQUIRE(WriteOne(engine, PutBatch(key, "v"), Sync::kYes).ok());
    };
    const auto tear_newest_log = [&] {
      const auto logs = LogsIn(directory.path());
      const auto size = std::filesystem::file_size(logs.back());
      REQUIRE(size > 5);
      std::filesystem::resize_file(logs.back(), size - 5);
    };
    auto engine = OpenSmall(directory.path());
    write(*engine, "kept");
    write(*engine, "lost");
    engine.reset();
    tear_newest_log();
    write(*OpenSmall(directory.path()), "lost too");
    tear_newest_log();  // Nothing is left in it but where it began.
    engine = OpenSmall(directory.path());
    write(*engine, "in a table");
    REQUIRE(engine->Flush().ok());
    write(*engine, "in a log");
    TempDirectory killed;  // Closing in order would take the torn log away.
    std::filesystem::copy(directory.path(), killed.path());
    REQUIRE(LogsIn(killed.path()).size() > 1);
    for (int start = 0; start < 3; ++start)
      EXPECT(ScanAll(*OpenSmall(killed.path()), Family::kData).size() == 3);
  }

  TEST_CASE("a log that is missing is refused") {
    TempDirectory directory;
    RocksDbOptions options = SmallOptions(directory.path());
    options.memtable_bytes = 1 << 20;
    {
      auto engine = RocksDbEngine::Open(options);
      REQUIRE(engine.has_value());
      // The first value fills the memtable of `data`, so the second goes to another log; `meta`
      // keeps both alive. All stays far below what would make RocksDB flush `meta` meanwhile.
      REQUIRE(WriteOne(**engine, PutBatch("m", "v", Family::kMeta), Sync::kYes).ok());
      REQUIRE(WriteOne(**engine, PutBatch("k0", Noise(600'000)), Sync::kYes).ok());
      REQUIRE(WriteOne(**engine, PutBatch("k1", "v"), Sync::kYes).ok());
    }
    const auto logs = LogsIn(directory.path());
    REQUIRE(logs.size() == 2);
    std::filesystem::remove(logs.front());
    const auto opened = RocksDbEngine::Open(options);
    REQUIRE(!opened.has_value());
    EXPECT(opened.error().code() == base::Code::kCorruption);
  }

  TEST_CASE("an older manifest, which does not know of the newest table, is refused") {
    TempDirectory directory;
    const auto manifest = [&] {
      std::filesystem::path found;
      for (const auto& file : std::filesystem::directory_iterator(directory.path()))
        if (file.path().filename().string().starts_with("MANIFEST")) found = file.path();
      return found;
    };
    const std::string copy = directory.path() + "/copy";
    {
      const auto engine = OpenSmall(directory.path());
      REQUIRE(WriteOne(*engine, PutBatch("k0", "v"), Sync::kYes).ok());
      REQUIRE(engine->Flush().ok());
      std::filesystem::copy_file(manifest(), copy);
      REQUIRE(WriteOne(*engine, PutBatch("k1", "v"), Sync::kYes).ok());
      REQUIRE(engine->Flush().ok());
      REQUIRE(WriteOne(*engine, PutBatch("k2", "v"), Sync::kYes).ok());
    }
    std::filesystem::rename(copy, manifest());
    const auto opened = RocksDbEngine::Open(SmallOptions(directory.path()));
    REQUIRE(!opened.has_value());
    EXPECT(opened.error().code() == base::Code::kCorruption);
    EXPECT(opened.error().message().find("MANIFEST is an older one") != std::string::npos);
  }

  TEST_CASE("a new directory is not for everybody to read; one that was there stays as it is") {
    TempDirectory directory;
    const auto mode = [](const std::string& path) {
      return static_cast<unsigned>(std::filesystem::status(path).permissions());
    };
    const unsigned before = mode(directory.path());
    OpenSmall(directory.path() + "/new");
    EXPECT(mode(directory.path() + "/new") == 0750U);
    OpenSmall(directory.path());
    EXPECT(mode(directory.path()) == before);
  }

  TEST_CASE("without CURRENT an engine is refused, and what lies there is left") {
    const TempDirectory directory;
    {
      auto engine = RocksDbEngine::Open(SmallOptions(directory.path()));
      REQUIRE(engine.has_value());
      REQUIRE(WriteOne(**engine, PutBatch("key", "value"), Sync::kYes).ok());
      REQUIRE((*engine)->Flush().ok());
    }
    const auto current = std::filesystem::path(directory.path()) / "CURRENT";
    std::filesystem::rename(current, current.string() + ".away");
    const auto refused = RocksDbEngine::Open(SmallOptions(directory.path()));
    REQUIRE(!refused.has_value());
    EXPECT(refused.error().code() == base::Code::kCorruption);
    EXPECT(refused.error().message().find("CURRENT is missing") != std::string::npos);
    std::filesystem::rename(current.string() + ".away", current);
    const auto engine = RocksDbEngine::Open(SmallOptions(directory.path()));
    REQUIRE(engine.has_value());
    EXPECT(GetMany(**engine, Family::kData, {"key"})[0].value == "value");
  }

  TEST_CASE("a damaged manifest or CURRENT file fails to open with Corruption") {
    TempDirectory directory;
    REQUIRE(WriteOne(*OpenSmall(directory.path()), PutBatch("k", "v"), Sync::kYes).ok());
    SUBCASE("CURRENT") { std::ofstream(directory.path() + "/CURRENT") << "nonsense"; }
    SUBCASE("the manifest") {
      for (const auto& file : std::filesystem::directory_iterator(directory.path()))
        if (file.path().filename().string().starts_with("MANIFEST"))
          std::ofstream(file.path()) << std::string(100, 'x');
    }
    const auto opened = RocksDbEngine::Open(SmallOptions(directory.path()));
    REQUIRE(!opened.has_value());
    EXPECT(opened.error().code() == base::Code::kCorruption);
    EXPECT(opened.error().message().find(directory.path()) != std::string::npos);
  }
}

}  // namespace
}  // namespace starling::storage
