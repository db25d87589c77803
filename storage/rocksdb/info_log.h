// storage/rocksdb/info_log.h: RocksDB's own messages, in the node's log instead of a file.
//
// A file of them would lie on the disk that may be full: RocksDB 7.8 then fails an assertion when
// it wants to log, after a flush that failed, why it failed.
//
// Thread:    any.
// Read next: storage/rocksdb/tuning.cc
#pragma once

#include <rocksdb/env.h>

#include <memory>

namespace starling::storage {

// Its warnings and errors, as lines of the module `rocksdb`; nothing else, and not what it says of
// each thousandth table that is added.
std::shared_ptr<rocksdb::Logger> MakeInfoLog();
// Nothing at all; without a log RocksDB would make a file of messages.
std::shared_ptr<rocksdb::Logger> MakeSilentLog();

}  // namespace starling::storage
