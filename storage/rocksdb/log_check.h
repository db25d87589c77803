// storage/rocksdb/log_check.h: tells damage in RocksDB's log from the torn end of a power loss.
//
// RocksDB replays a log up to the first record that it cannot read, and takes what follows for
// unwritten. That is right after a power loss, which tears the end of what was not synced; it is
// silent loss when a byte flipped among synced records. The difference shows in what follows: after
// a torn end there is nothing, or a later log that goes on with the very next sequence number.
//
// What it cannot see: damage to the last record, or a last log that was cut between two records.
//
// Thread:    free functions; the database must not be open.
// Read next: storage/rocksdb/rocksdb_engine.cc
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <string>

#include "base/status.h"

namespace starling::storage {

// Corruption, naming the file, when a record in the logs of `directory` cannot be
// read and records come after the gap. Looks at those from number `first` on, the first that still
// counts (storage/rocksdb/manifest.h): older ones may end in a power loss that later writes have
// long left behind. Ok when there is no directory or no log yet. Reads each log once; changes
// nothing.
base::Status CheckLogs(rocksdb::Env& env, const std::string& directory, std::uint64_t first);

}  // namespace starling::storage
