// tests/process/newer_format.cc: marks a node's data directory as written by a newer program.
//
//   newer_format DIRECTORY     whose node has ended
#include <fmt/core.h>

#include <array>
#include <cstdio>

#include "storage/batch.h"
#include "storage/identity.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace starling {
namespace {

base::Status Mark(const char* directory) {
  ASSIGN_OR_RETURN(const auto engine, storage::RocksDbEngine::Open({.directory = directory,
                                                                    .block_cache_bytes = 1 << 20,
                                                                    .memtable_bytes = 1 << 20,
                                                                    .file_system = nullptr}));
  ASSIGN_OR_RETURN(const auto identity, LoadIdentity(*engine));
  if (!identity)
    return base::FailedPrecondition(fmt::format("no node has ever run on {}", directory));
  storage::Batch batch;
  base::AppendLittle(batch.BeginPut(storage::Family::kMeta, "format"),
                     storage::kDirectoryFormat + 1);
  batch.EndPut();
  const std::array batches{static_cast<const storage::Batch*>(&batch)};
  return engine->Write(batches, storage::Sync::kYes);
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: newer_format DIRECTORY\n");
    return 2;
  }
  const starling::base::Status marked = starling::Mark(argv[1]);
  if (marked.ok()) return 0;
  fmt::print(stderr, "newer_format: {}\n", marked.ToString());
  return 1;
}
