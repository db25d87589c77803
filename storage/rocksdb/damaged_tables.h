// storage/rocksdb/damaged_tables.h: takes damaged tables out of a database, and keeps what can be
// read of them.
//
// RocksDB stops at a block that it cannot read, in scans and compactions alike, so a damaged table
// must go. Its readable entries that nothing newer hides are written to a table of their own before
// and put back afterwards. What remains lacks the rest: older versions of it may even show again.
// So whoever calls this has lost data, and must be named as back (server/absence.h). Tables go all
// together: a call that is cut off once the first is struck is finished by the next.
//
// Thread:    free functions; the database must not be open.
// Read next: storage/rocksdb/table_check.h, docs/storage.md
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"
#include "storage/irreplaceable.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace starling::storage {

struct TakenOut {
  std::string what;        // Which tables and why, in one line for an operator; empty: none.
  std::size_t tables = 0;  // How many this call found damaged.
};

// Reads all tables of the database in options.directory and takes out those that are damaged; if
// none is, nothing is changed. A note of what was taken out stays in the directory until
// ForgetTakenOut, so that a crash loses no word of it: the next call goes on from there, and tells
// it too. Fails with FailedPrecondition, and changes nothing, when a table may hold what is to
// `keep`, as no other node has it, or a log is damaged too and may; with Corruption when more than
// tables is damaged, and Io.
base::Result<TakenOut> TakeOutDamagedTables(const RocksDbOptions& options,
                                            const Irreplaceable& keep);

// Whether tables were taken out, and ForgetTakenOut was not called since.
bool TookOutTables(const std::string& directory);

// To be called once the loss is written down elsewhere. Io.
base::Status ForgetTakenOut(const std::string& directory);

}  // namespace starling::storage
