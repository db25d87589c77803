// tests/process/damage_tree.cc: changes one leaf of a node's tree, or one value, and nothing else.
//
//   damage_tree DIRECTORY leaf|value     whose node has ended
#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <string>

#include "server/stored_trees.h"
#include "storage/batch.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace starling {
namespace {

// The last byte of the first record: of a page a part of a leaf's sum, of an entry the end of its
// value.
base::Status Damage(const char* directory, storage::Family family) {
  ASSIGN_OR_RETURN(const auto engine, storage::RocksDbEngine::Open({.directory = directory,
                                                                    .block_cache_bytes = 1 << 20,
                                                                    .memtable_bytes = 1 << 20,
                                                                    .file_system = nullptr}));
  // What the journal says anew would hide it.
  RETURN_IF_ERROR(server::FoldTrees(*engine));
  storage::Batch batch;
  {
    const auto cursor = engine->Scan(family, {}, {});
    cursor->Seek({});
    if (!cursor->Valid()) return base::FailedPrecondition("there is nothing to damage");
    std::string value(cursor->value());
    value.back() = static_cast<char>(value.back() ^ 1);
    batch.Put(family, cursor->key(), value);
  }
  const std::array batches{static_cast<const storage::Batch*>(&batch)};
  return engine->Write(batches, storage::Sync::kYes);
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[2] : "";
  if (what != "leaf" && what != "value") {
    fmt::print(stderr, "usage: damage_tree DIRECTORY leaf|value\n");
    return 2;
  }
  const auto damaged = starling::Damage(argv[1], what == "leaf" ? starling::storage::Family::kTree
                                                                : starling::storage::Family::kData);
  if (damaged.ok()) return 0;
  fmt::print(stderr, "damage_tree: {}\n", damaged.ToString());
  return 1;
}
