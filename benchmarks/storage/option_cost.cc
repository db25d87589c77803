// benchmarks/storage/option_cost.cc: what each of RocksDB's options that we set gains or costs.
//
// For each, two databases take the same load in alternating rounds: as the engine sets RocksDB up,
// and with that one option as it would be otherwise. Prints one JSON object a line;
// benchmarks/storage/run makes the table.
#include <fmt/core.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "base/random.h"
#include "benchmarks/tree/rocks_store.h"
#include "benchmarks/tree/writer.h"

namespace {

using namespace starling;              // NOLINT: this file is nothing but their front.
using namespace starling::benchmarks;  // NOLINT
using storage::Family;

struct Options {
  std::string directory;
  std::uint32_t keys = 300'000;
  std::uint32_t writes = 10'000;  // Of a round; as many reads of what is there, and of what is not.
  std::uint32_t rounds = 31;
  std::vector<std::string> only;
};

struct Alternative {
  std::string name;  // The option, and what it is otherwise.
  std::function<void(RocksSetup&)> change;
};

void ForEachTable(RocksSetup& setup,
                  const std::function<void(rocksdb::BlockBasedTableOptions&)>& change) {
  for (rocksdb::ColumnFamilyDescriptor& family : setup.families) {
    auto table = *family.options.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
    change(table);
    family.options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  }
}

rocksdb::ColumnFamilyOptions& TreeOf(RocksSetup& setup) {
  return setup.families.at(static_cast<std::size_t>(Family::kTree)).options;
}

// The tree's memtable as those of the other families.
void UseList(RocksSetup& setup) {
  rocksdb::ColumnFamilyOptions& tree = TreeOf(setup);
  const rocksdb::ColumnFamilyOptions& data = setup.families.front().options;
  tree.memtable_factory = data.memtable_factory;
  tree.prefix_extractor = data.prefix_extractor;
  tree.memtable_whole_key_filtering = data.memtable_whole_key_filtering;
  tree.memtable_prefix_bloom_size_ratio = data.memtable_prefix_bloom_size_ratio;
}

std::function<void(RocksSetup&)> Compress(rocksdb::CompressionType type) {
  return [type](RocksSetup& setup) {
    for (rocksdb::ColumnFamilyDescriptor& family : setup.families)
      family.options.compression = type;
  };
}

std::vector<Alternative> Alternatives() {
  return {
      {"as set, against itself", [](RocksSetup&) {}},
      {"tree's memtable: a list, in place", UseList},
      {"tree's memtable: a list, as usual",
       [](RocksSetup& setup) {
         UseList(setup);
         TreeOf(setup).inplace_update_support = false;
       }},
      {"filter before memtables: none",
       [](RocksSetup& setup) {
         for (rocksdb::ColumnFamilyDescriptor& family : setup.families) {
           family.options.memtable_whole_key_filtering = false;
           family.options.memtable_prefix_bloom_size_ratio = 0;
         }
       }},
      {"hints of memtables: by a token's first byte",
       [](RocksSetup& setup) {
         for (rocksdb::ColumnFamilyDescriptor& family : setup.families)
           if (family.name == "data")
             family.options.memtable_insert_with_hint_prefix_extractor.reset(
                 rocksdb::NewFixedPrefixTransform(5));
       }},
      {"filter of tables: none",
       [](RocksSetup& setup) {
         ForEachTable(setup, [](auto& table) { table.filter_policy.reset(); });
       }},
      {"filter of tables: ribbon",
       [](RocksSetup& setup) {
         ForEachTable(setup, [](auto& table) {
           table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(10));
         });
       }},
      {"compression: none", Compress(rocksdb::kNoCompression)},
      {"compression: ZSTD", Compress(rocksdb::kZSTD)},
      {"checksum: crc32c",
       [](RocksSetup& setup) {
         ForEachTable(setup, [](auto& table) { table.checksum = rocksdb::kCRC32c; });
       }},
      {"dynamic level sizes: off",
       [](RocksSetup& setup) {
         for (rocksdb::ColumnFamilyDescriptor& family : setup.families)
           family.options.level_compaction_dynamic_level_bytes = false;
       }},
      {"statistics: none", [](RocksSetup& setup) { setup.database.statistics.reset(); }},
      {"bytes_per_sync: 0", [](RocksSetup& setup) { setup.database.bytes_per_sync = 0; }},
      {"rate of compactions: 32 MB/s",
       [](RocksSetup& setup) {
         setup.database.rate_limiter.reset(rocksdb::NewGenericRateLimiter(32 << 20));
       }},
  };
}

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Side {
  RocksStore* store = nullptr;  // The writer's.
  std::unique_ptr<Writer> writer;
  std::vector<double> write_us, write_cpu_us, hit_us, miss_us;  // By round.
};

base::Result<Side> OpenSide(const Options& options, const std::string& name,
                            std::function<void(RocksSetup&)> change) {
  ASSIGN_OR_RETURN(auto store,
                   RocksStore::Open({.store = {.directory = options.directory + "/" + name,
                                               .block_cache_bytes = std::size_t{256} << 20,
                                               .memtable_bytes = std::size_t{32} << 20},
                                     .change = std::move(change)}));
  Side side;
  side.store = store.get();
  side.writer = std::make_unique<Writer>(RowKind{}, TreeKept::kJournal, std::move(store));
  return side;
}

base::Status Fill(Side& side, const Options& options) {
  const std::vector<Row> rows = SortedRows(options.keys, RowKind{}.seed);
  constexpr std::size_t kFillTurn = 1024;
  for (std::size_t from = 0; from < rows.size(); from += kFillTurn)
    RETURN_IF_ERROR(side.writer->Run(
        {.rows = std::span(rows).subspan(from, std::min(kFillTurn, rows.size() - from)),
         .generation = 1}));
  return side.writer->Settle();
}

std::vector<Row> DrawRows(std::uint32_t count, std::uint32_t first, std::uint32_t keys,
                          std::uint64_t seed) {
  base::Random random(seed);
  std::vector<Row> rows;
  for (std::uint32_t i = 0; i < count; ++i)
    rows.push_back(RowOf(first + static_cast<std::uint32_t>(random.Below(keys)), RowKind{}.seed));
  return rows;
}

// Microseconds a read.
base::Result<double> Read(Side& side, const std::vector<Row>& rows) {
  std::vector<std::string> keys;
  WrittenRow row{RowKind{}};
  for (const Row& each : rows) {
    row.Make(each, 1);
    keys.push_back(row.stored_key());
  }
  LookedUp found;
  found.Prepare(1);
  const auto began = std::chrono::steady_clock::now();
  for (const std::string& key : keys) {
    const base::Bytes asked[] = {key};
    side.store->Get(asked, storage::Tier::kAll, found);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  if (!found.error.ok()) return base::Fail(found.error);
  return took.count() * 1e6 / static_cast<double>(rows.size());
}

base::Status Round(Side& side, const Options& options, std::uint64_t round) {
  constexpr std::size_t kTurn = 32;
  const std::vector<Row> rows = DrawRows(options.writes, 0, options.keys, round);
  const std::vector<Row> absent = DrawRows(options.writes, options.keys, options.keys, round);
  const double cpu_before = CpuSeconds();
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t from = 0; from < rows.size(); from += kTurn)
    RETURN_IF_ERROR(side.writer->Run(
        {.rows = std::span(rows).subspan(from, std::min(kTurn, rows.size() - from)),
         .generation = round + 2}));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  RETURN_IF_ERROR(side.writer->Settle());
  side.write_us.push_back(took.count() * 1e6 / options.writes);
  side.write_cpu_us.push_back((CpuSeconds() - cpu_before) * 1e6 / options.writes);
  ASSIGN_OR_RETURN(const double hit, Read(side, rows));
  ASSIGN_OR_RETURN(const double miss, Read(side, absent));
  side.hit_us.push_back(hit);
  side.miss_us.push_back(miss);
  return base::Ok();
}

double Median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

// Median of each round's own ratio.
double Ratio(const std::vector<double>& other, const std::vector<double>& set) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < set.size(); ++i) ratios.push_back(other[i] / set[i]);
  return Median(ratios);
}

struct Sizes {
  std::uint64_t tables = 0;
  std::uint64_t filters = 0;
};

base::Result<Sizes> SizesOf(Side& side) {
  rocksdb::DB& db = side.store->db();
  rocksdb::ColumnFamilyHandle* data = side.store->family(Family::kData);
  rocksdb::TablePropertiesCollection tables;
  if (!db.Flush({}, data).ok() || !db.CompactRange({}, data, nullptr, nullptr).ok() ||
      !db.GetPropertiesOfAllTables(data, &tables).ok())
    return base::Fail(base::Io("compacting " + db.GetName()));
  Sizes sizes;
  db.GetIntProperty(data, rocksdb::DB::Properties::kLiveSstFilesSize, &sizes.tables);
  for (const auto& [name, table] : tables) sizes.filters += table->filter_size;
  return sizes;
}

base::Status Measure(const Alternative& alternative, const Options& options, int number) {
  ASSIGN_OR_RETURN(Side set, OpenSide(options, fmt::format("{}-set", number), {}));
  ASSIGN_OR_RETURN(Side other,
                   OpenSide(options, fmt::format("{}-other", number), alternative.change));
  Side* const sides[] = {&set, &other};
  for (Side* side : sides) RETURN_IF_ERROR(Fill(*side, options));
  for (std::uint64_t round = 0; round < options.rounds; ++round)
    for (std::size_t i = 0; i < 2; ++i)
      RETURN_IF_ERROR(Round(*sides[(i + round) % 2], options, round));
  ASSIGN_OR_RETURN(const Sizes set_sizes, SizesOf(set));
  ASSIGN_OR_RETURN(const Sizes other_sizes, SizesOf(other));
  fmt::print(
      "{{\"name\":\"{}\",\"write_us\":{:.2f},\"write\":{:.3f},\"write_cpu\":{:.3f},\"hit_us\":{:."
      "2f},"
      "\"hit\":{:.3f},\"miss_us\":{:.2f},\"miss\":{:.3f},\"table_bytes\":{},\"other_table_bytes\":{"
      "},"
      "\"filter_bytes\":{},\"other_filter_bytes\":{}}}\n",
      alternative.name, Median(set.write_us), Ratio(other.write_us, set.write_us),
      Ratio(other.write_cpu_us, set.write_cpu_us), Median(set.hit_us),
      Ratio(other.hit_us, set.hit_us), Median(set.miss_us), Ratio(other.miss_us, set.miss_us),
      set_sizes.tables, other_sizes.tables, set_sizes.filters, other_sizes.filters);
  std::fflush(stdout);
  return base::Ok();
}

base::Status Run(const Options& options) {
  int number = 0;
  for (const Alternative& alternative : Alternatives()) {
    ++number;
    const auto wanted = [&](const std::string& word) {
      return alternative.name.find(word) != std::string::npos;
    };
    if (!options.only.empty() && std::none_of(options.only.begin(), options.only.end(), wanted))
      continue;
    RETURN_IF_ERROR(Measure(alternative, options, number));
  }
  return base::Ok();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What RocksDB's options gain and cost: called by benchmarks/storage/run.");
  Options options;
  app.add_option("--dir", options.directory, "an empty directory")->required();
  app.add_option("--keys", options.keys, "in each database")->capture_default_str();
  app.add_option("--writes", options.writes, "of a round")->capture_default_str();
  app.add_option("--rounds", options.rounds, "of each")->capture_default_str();
  app.add_option("--only", options.only, "options with these words in their name");
  CLI11_PARSE(app, argc, argv);
  if (options.keys == 0 || options.writes == 0 || options.rounds == 0) {
    fmt::print(stderr, "option_cost: keys, writes and rounds are at least 1\n");
    return 2;
  }
  const base::Status status = Run(options);
  if (!status.ok()) fmt::print(stderr, "option_cost: {}\n", status.message());
  return status.ok() ? 0 : 1;
}
