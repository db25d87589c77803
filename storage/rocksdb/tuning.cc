#include "storage/rocksdb/tuning.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

#include "storage/rocksdb/info_log.h"

namespace starling::storage {
namespace {

constexpr double kBloomBitsPerKey = 10;  // About 1 % of false positives; a miss costs no read.
constexpr std::uint64_t kBytesPerSync = std::uint64_t{1} << 20;
// Most writes are of keys that are not in the memtable: the filter saves the walk to find that out.
constexpr double kMemtableBloomShare = 0.05;
// The slots of two workers' journals find a place of their own in the hash table of the tree's
// memtable, which takes 8 bytes a place and an eighth of a small memtable at most.
constexpr std::size_t kTreePlacesMax = std::size_t{1} << 15;
constexpr std::size_t kTreeKeyBytes = 6;  // At most.
constexpr int kTableFormat = 5;           // Faster filters; read by every RocksDB since 6.6.

// On disk; the order is that of Family's numbers.
constexpr std::array<const char*, kFamilies> kFamilyNames = {"data", "meta", "tree", "hints",
                                                             "quarantine"};
constexpr std::string_view kTreeName = kFamilyNames[static_cast<std::size_t>(Family::kTree)];

// LZ4 decompresses faster than a disk delivers. Which ones are there was decided when RocksDB was
// built.
rocksdb::CompressionType Compression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  for (const auto type : {rocksdb::kLZ4Compression, rocksdb::kZSTD})
    if (std::find(supported.begin(), supported.end(), type) != supported.end()) return type;
  return rocksdb::kNoCompression;
}

std::shared_ptr<rocksdb::TableFactory> TableFactory(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.format_version = kTableFormat;
  table.checksum = rocksdb::kXXH3;  // Debian's build has no SSE4.2, so its crc32c is slow.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.whole_key_filtering = true;
  // A write reads what its key had before, most likely something written lately: found in memory
  // from the memtable's flush on, not after a read of the table that it went to.
  table.prepopulate_block_cache =
      rocksdb::BlockBasedTableOptions::PrepopulateBlockCache::kFlushOnly;
  // Indexes and filters stay with their tables, found without a search in the cache, and grow with
  // the data: the cache has so much less, so that both together keep to its size.
  table.cache_usage_options.options_overrides[rocksdb::CacheEntryRole::kBlockBasedTableReader] = {
      rocksdb::CacheEntryRoleOptions::Decision::kEnabled};
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

// Half of the budget, so that one memtable fills while another is flushed. The other families are
// small; db_write_buffer_size bounds all together.
rocksdb::ColumnFamilyOptions FamilyOptions(const RocksDbOptions& options,
                                           const std::shared_ptr<rocksdb::TableFactory>& tables) {
  rocksdb::ColumnFamilyOptions family;
  family.table_factory = tables;
  family.write_buffer_size = std::max<std::size_t>(options.memtable_bytes / 2, 64 << 10);
  family.max_write_buffer_number = 3;
  family.compression = Compression();
  family.compaction_style = rocksdb::kCompactionStyleLevel;
  family.level_compaction_dynamic_level_bytes = true;
  family.memtable_prefix_bloom_size_ratio = kMemtableBloomShare;
  family.memtable_whole_key_filtering = true;
  return family;
}

// The slots of the trees' journals are written over and over, and so are pages: they are changed
// where they are, so that the tree's memtable stays as small as these. A cursor opened before a
// write may show it. They are found by hashing their keys: a list would have one more search, and
// its cache misses, for each turn (docs/decisions/0005).
rocksdb::ColumnFamilyOptions TreeOptions(rocksdb::ColumnFamilyOptions family) {
  family.inplace_update_support = true;
  family.inplace_update_num_locks = 1024;
  family.prefix_extractor.reset(rocksdb::NewCappedPrefixTransform(kTreeKeyBytes));
  const std::size_t places =
      std::min(kTreePlacesMax, std::bit_floor(family.write_buffer_size / 64));
  family.memtable_factory.reset(rocksdb::NewHashLinkListRepFactory(places));
  family.memtable_whole_key_filtering = false;  // The table itself says as fast what is not there.
  family.memtable_prefix_bloom_size_ratio = 0;
  return family;
}

std::shared_ptr<rocksdb::Statistics> CheapStatistics() {
  auto statistics = rocksdb::CreateDBStatistics();
  statistics->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
  return statistics;
}

}  // namespace

rocksdb::DBOptions DatabaseOptions(const RocksDbOptions& options, rocksdb::Env* env) {
  rocksdb::DBOptions database;
  database.env = env;
  database.create_if_missing = true;
  database.create_missing_column_families = true;
  database.statistics = CheapStatistics();
  database.info_log = MakeInfoLog();

  database.max_background_jobs = 2;
  database.db_write_buffer_size = options.memtable_bytes;
  // A family that is hardly written (meta) would otherwise keep every log alive.
  database.max_total_wal_size = 2 * options.memtable_bytes;
  database.allow_concurrent_memtable_write = false;  // One writer; in-place updates need it.
  if (options.compaction_bytes_per_second > 0)
    database.rate_limiter.reset(rocksdb::NewGenericRateLimiter(
        static_cast<std::int64_t>(options.compaction_bytes_per_second)));
  database.bytes_per_sync = kBytesPerSync;  // Spreads a flush's write-back; no durability in it.

  // After a power loss the log is replayed up to its first hole: a prefix of what was written. A
  // hole among synced writes was refused before (storage/rocksdb/log_check.h).
  database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // A log that was deleted, or is shorter than it was when it was synced and closed, is refused.
  database.track_and_verify_wals_in_manifest = true;
  database.avoid_flush_during_shutdown = true;  // The log has it all; stopping should be fast.
  // A write or sync that failed ends the process (G2). RocksDB must not go on by itself.
  database.max_bgerror_resume_count = 0;
  return database;
}

std::vector<rocksdb::ColumnFamilyDescriptor> FamilyDescriptors(const RocksDbOptions& options) {
  const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  const auto family_options = FamilyOptions(options, TableFactory(cache));
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.reserve(kFamilies + 1);
  for (const char* name : kFamilyNames)
    descriptors.emplace_back(name,
                             name == kTreeName ? TreeOptions(family_options) : family_options);
  descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, family_options);
  return descriptors;
}

}  // namespace starling::storage
