#include "tests/storage/rocksdb/damage.h"

#include <fmt/core.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "base/hash.h"
#include "storage/entry.h"
#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/test.h"

namespace starling::storage {

std::string KeyOf(int number, base::KeyspaceId keyspace) {
  const std::string name = fmt::format("key{}", number);
  std::string key;
  EncodeDataKeyTo({keyspace, base::Hash64(name), name}, key);
  return key;
}

std::string EntryOf(int number, std::uint32_t version) {
  const std::string value = fmt::format("value {} of {}: {}", version, number,
                                        std::string(100, static_cast<char>('a' + number % 26)));
  EntryHeader header;
  header.version = {std::uint64_t{version} << 16, 1, 1};
  header.value_digest = ValueDigest(value);
  std::string entry;
  EncodeEntryTo(header, value, entry);
  return entry;
}

void Fill(Engine& engine, std::uint32_t version, int count, int step, base::KeyspaceId keyspace) {
  Batch batch;
  for (int i = 0; i < count; i += step)
    batch.Put(Family::kData, KeyOf(i, keyspace), EntryOf(i, version));
  batch.Put(Family::kMeta, "name", "a record");
  REQUIRE(WriteOne(engine, batch, Sync::kYes).ok());
  REQUIRE(engine.Flush().ok());
}

std::string LargestTable(const std::string& directory) {
  std::filesystem::path largest;
  for (const auto& file : std::filesystem::directory_iterator(directory))
    if (file.path().extension() == ".sst" &&
        (largest.empty() || file.file_size() > std::filesystem::file_size(largest)))
      largest = file.path();
  return largest.string();
}

void FlipBit(const std::string& path, double share) {
  const auto at = static_cast<std::streamoff>(
      static_cast<double>(std::filesystem::file_size(path) - 1) * share);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char was = static_cast<char>(file.get());
  file.seekp(at);
  file.put(static_cast<char>(was ^ 0x10));
}

base::Result<TakenOut> TakeOut(const std::string& directory, const Irreplaceable& keep,
                               std::shared_ptr<UnsyncedFs> fs) {
  return TakeOutDamagedTables(SmallOptions(directory, std::move(fs)), keep);
}

std::map<std::string, std::string> AllOf(Engine& engine) {
  const Entries entries = ScanAll(engine, Family::kData);
  return {entries.begin(), entries.end()};
}

}  // namespace starling::storage
