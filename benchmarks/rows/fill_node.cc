// benchmarks/rows/fill_node.cc: fill_node, which writes rows into the directory of a node that is
// down, and the changes of the tree with them, as if the node had taken them.
//
// The node must have been in a cluster, with the keyspace on all of its nodes: whose rows they are
// comes from its topology. `--spread COUNT` writes so many of the rows, evenly spread, at a later
// version. `--kill` ends without closing the database, so that its log has to be replayed.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <string>

#include "benchmarks/rows/rows.h"
#include "merkle/journal.h"
#include "server/meta_records.h"
#include "server/stored_trees.h"
#include "server/topology/codec.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace {

using namespace starling;              // NOLINT: this file is nothing but their front.
using namespace starling::benchmarks;  // NOLINT
using storage::Family;

constexpr std::size_t kBatchRows = 512;
constexpr std::size_t kBatchBytes = 8 << 20;

struct Options {
  std::string directory;
  std::string keyspace = "default";
  std::uint32_t keys = 0;
  std::uint32_t spread = 0;  // 0: all.
  std::uint64_t generation = 1;
  std::size_t value_bytes = 100;
  std::size_t memtable_bytes = std::size_t{64} << 20;
  bool kill = false;
};

base::Result<RowKind> KindOf(storage::Engine& engine, const Options& options) {
  ASSIGN_OR_RETURN(const server::StoredTopology stored, server::LoadTopology(engine));
  ASSIGN_OR_RETURN(const auto topology, topology::DecodeTopology(stored.topology));
  const auto* keyspace = topology.FindKeyspace(options.keyspace);
  if (keyspace == nullptr) return base::Fail(base::NotFound("no keyspace " + options.keyspace));
  return RowKind{keyspace->id, topology.token_seed, options.value_bytes};
}

class Filler {
 public:
  Filler(storage::Engine& engine, const RowKind& kind, merkle::Tree& tree)
      : engine_(engine), kind_(kind), tree_(tree), row_(kind) {}

  base::Status Put(const Row& row, std::uint64_t generation) {
    row_.Make(row, generation);
    ASSIGN_OR_RETURN(const storage::EntryHeader old, OldOf(row_.stored_key()));
    if (row_.header().version <= old.version)
      return base::FailedPrecondition(fmt::format("row {} is there already", row.number));
    storage::EncodeEntryTo(row_.header(), row_.value(),
                           batch_.BeginPut(Family::kData, row_.stored_key()));
    batch_.EndPut();
    tree_.Add(row_.bucket(), row_.DigestAs(row_.header()));
    if (!old.version.empty()) tree_.Remove(row_.bucket(), row_.DigestAs(old));
    const bool full = ++rows_ % kBatchRows == 0 || batch_.bytes() >= kBatchBytes;
    return full ? Commit() : base::Ok();
  }

  base::Status Commit() {
    journal_.Take(tree_);
    server::TreeSink sink(batch_);
    journal_.EndTurn(sink);
    const storage::Batch* const batches[] = {&batch_};
    RETURN_IF_ERROR(engine_.Write(batches, storage::Sync::kNo));
    batch_.Clear();
    return base::Ok();
  }

 private:
  base::Result<storage::EntryHeader> OldOf(const std::string& stored_key) {
    auto found = storage::GetOne(engine_, Family::kData, stored_key);
    if (!found && found.error().code() == base::Code::kNotFound) return storage::EntryHeader{};
    if (!found) return base::Fail(found.error());
    ASSIGN_OR_RETURN(const storage::Entry entry, storage::DecodeEntry(*found));
    return entry.header;
  }

  storage::Engine& engine_;
  const RowKind kind_;
  merkle::Tree& tree_;
  merkle::Journal journal_{{}};
  WrittenRow row_;
  storage::Batch batch_;
  std::size_t rows_ = 0;
};

base::Status Run(const Options& options) {
  ASSIGN_OR_RETURN(auto engine,
                   storage::RocksDbEngine::Open({.directory = options.directory,
                                                 .block_cache_bytes = std::size_t{64} << 20,
                                                 .memtable_bytes = options.memtable_bytes,
                                                 .file_system = nullptr}));
  ASSIGN_OR_RETURN(const RowKind kind, KindOf(*engine, options));
  RETURN_IF_ERROR(server::FoldTrees(*engine));  // As each start does, before another journal.
  ASSIGN_OR_RETURN(merkle::StoredTrees trees, server::ReadTrees(*engine));
  Filler filler(*engine, kind, trees.TreeOf(kind.keyspace));
  if (options.spread > 0) {
    for (std::uint64_t i = 0; i < options.spread; ++i) {
      const auto number = static_cast<std::uint32_t>(i * options.keys / options.spread);
      RETURN_IF_ERROR(filler.Put(RowOf(number, kind.seed), options.generation));
    }
  } else {
    for (const Row& row : SortedRows(options.keys, kind.seed))
      RETURN_IF_ERROR(filler.Put(row, options.generation));
  }
  RETURN_IF_ERROR(filler.Commit());
  RETURN_IF_ERROR(engine->SyncLog());
  if (options.kill) _exit(0);
  return engine->Flush();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Writes rows into the directory of a node that is down: for the scripts beside it.");
  Options options;
  app.add_option("--dir", options.directory, "of the node's data")->required();
  app.add_option("--keyspace", options.keyspace, "that every node of the cluster has all of")
      ->capture_default_str();
  app.add_option("--keys", options.keys, "rows 0 to KEYS - 1")->required();
  app.add_option("--spread", options.spread, "only so many of them, evenly spread");
  app.add_option("--generation", options.generation, "a higher one is a later version")
      ->capture_default_str();
  app.add_option("--value-bytes", options.value_bytes, "of each")->capture_default_str();
  app.add_option("--memtable-bytes", options.memtable_bytes, "as the node's")
      ->capture_default_str();
  app.add_flag("--kill", options.kill, "end as if killed, with the log left to be replayed");
  CLI11_PARSE(app, argc, argv);
  if (options.keys == 0 || options.spread > options.keys) {
    fmt::print(stderr, "fill_node: --keys is at least 1, and --spread at most --keys\n");
    return 2;
  }
  const base::Status status = Run(options);
  if (!status.ok()) fmt::print(stderr, "fill_node: {}\n", status.message());
  return status.ok() ? 0 : 1;
}
