// server/tree_rebuild.h: the leaves of all trees, and purge's counts of what is dead, made anew
// from the entries.
//
// They are written with the entries in one batch and agree with them after any crash. Not after
// files were lost or put back: a family of RocksDB may then be of another moment than the others.
//
// Thread:    a free function; nobody else uses the engine.
// Read next: merkle/tree.h, server/absence.h
#pragma once

#include <cstdint>

#include "base/status.h"
#include "storage/engine.h"

namespace starling::server {

// Replaces every leaf and count. A crash in the midst of it leaves wrong ones: do it again. Reads
// all entries once: about a second for a million. Entries that are damaged, values that do not fit
// their digests included, are removed, for the other replicas to send them. Fails with Corruption
// when the engine cannot read on, and Io.
base::Status RebuildTrees(storage::Engine& engine, std::uint64_t digest_seed);

}  // namespace starling::server
