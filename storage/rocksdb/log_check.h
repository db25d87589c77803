// storage/rocksdb/log_check.h: tells damage in RocksDB's log from the torn end of a power loss.
//
// RocksDB replays a log up to the first record that it cannot read, and takes what follows for
// unwritten. That is right after a power loss, which tears the end of what was not synced; it is
// silent loss when a byte flipped among synced records. The difference shows in what follows: after
// a torn end there is nothing, or a later log that goes on with the very next sequence number.
//
// Nor does RocksDB mind when the first log goes on where the tables have not arrived yet: an older
// MANIFEST was put back, which does not know of the newest tables.
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
#include "storage/rocksdb/manifest.h"

namespace starling::storage {

// Corruption, naming the file, when a record in the logs of `directory` cannot be read and records
// come after the gap, or when the first one is not of the change that follows the tables or an
// earlier one. Looks at logs that still count: older ones may end in a power loss that later writes
// have long left behind. Ok when there is no directory or no log yet. Reads each log once; changes
// nothing.
base::Status CheckLogs(rocksdb::Env& env, const std::string& directory, const Manifest& manifest);

}  // namespace starling::storage
