// storage/rocksdb/rocksdb_engine.h: the engine of production: RocksDB's column families.
//
// Opening is all that is public; from there on it is a storage::Engine. Nothing of RocksDB's own
// types or errors leaves this folder.
//
// Thread:    as storage/engine.h says. RocksDB runs its own background threads.
// Ownership: the engine holds the directory's lock until it is destroyed.
// Read next: storage/rocksdb/tuning.cc, docs/storage.md.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"
#include "storage/engine.h"

namespace rocksdb {
class FileSystem;
}  // namespace rocksdb

namespace starling::storage {

struct RocksDbOptions {
  std::string directory;  // Made, with its parents, when it is not there; then with mode 0750.

  // Uncompressed blocks of all families. Higher: fewer reads go to the disk; it is the node's
  // largest piece of memory, with the memtables.
  std::size_t block_cache_bytes = std::size_t{256} << 20;

  // All families' memtables together. Higher: fewer flushes and less write amplification; lower:
  // less memory, and a shorter log to replay at start (at most twice this, see tuning.cc).
  std::size_t memtable_bytes = std::size_t{128} << 20;

  // That flushes and compactions write together; 0: no limit. Lower: a slow disk has more left for
  // the log and for reads; too low, and writes are held back until the memtables have room again.
  std::uint64_t compaction_bytes_per_second = 0;

  // Compactions leave this much of the disk free, and no file is preallocated out of it: a log or a
  // flush that finds no room ends the node. 0: they take what there is.
  std::uint64_t keep_free_bytes = 0;

  // Opens what comes before the damage in a log; what follows it is lost. Else that is Corruption.
  bool keep_sound_part = false;

  // Null is the machine's. Tests give one that loses power or fails.
  std::shared_ptr<rocksdb::FileSystem> file_system{};
};

class RocksDbEngine {
 public:
  // Fails with FailedPrecondition when another process uses the directory, Io when it can't be made
  // or read, Corruption when what is in it can't be trusted, or files are missing.
  static base::Result<std::unique_ptr<Engine>> Open(const RocksDbOptions& options);

  // To be read only, and changing nothing in the directory: a checkpoint, or that of a node that is
  // down. Its writes, flushes and compactions fail. Several processes may read one at once.
  // NotFound when it is no directory of an engine.
  static base::Result<std::unique_ptr<Engine>> OpenToRead(const RocksDbOptions& options);
};

}  // namespace starling::storage
