// storage/rocksdb/taken_out_note.h: what is known of damaged tables while they are taken out, on
// disk.
//
// It is there from before anything is changed until the loss is written down elsewhere. Once it
// names tables to strike, all that can be read of them is saved, and they must go before anybody
// reads the database again: one that went alone would let another show what it had hidden.
//
// Thread:    free functions.
// Read next: storage/rocksdb/damaged_tables.h
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace starling::storage {

struct TakenOutNote {
  std::string what;                   // Which tables and why, in a line for an operator.
  std::vector<std::uint64_t> strike;  // Their numbers; empty: nothing is under way.
};

// Of a directory without one: an empty note. Corruption when it is none, Io.
base::Result<TakenOutNote> ReadNote(rocksdb::Env& files, const std::string& directory);
// Replaces it as a whole; synced, and its name too. Io.
base::Status WriteNote(rocksdb::Env& files, const std::string& directory, const TakenOutNote& note);

// The file's name; the same with another ending while it is being written.
inline constexpr std::string_view kNoteName = "tables-taken-out";

}  // namespace starling::storage
