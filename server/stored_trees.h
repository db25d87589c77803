// server/stored_trees.h: the trees in an engine: read whole, and folded into pages before a node
// begins another journal.
//
// A worker's journal begins empty and counts from 1, whoever wrote the last one and for however
// many workers. So each start first puts what is in journals into their pages, and removes them.
//
// Thread:    free functions; the engine's rules apply.
// Read next: merkle/stored_trees.h, merkle/journal.h
#pragma once

#include <cstddef>

#include "base/status.h"
#include "merkle/journal.h"
#include "merkle/stored_trees.h"
#include "storage/engine.h"

namespace starling::server {

// Of a checkpoint, or of an engine at rest. Corruption when the records do not add up to trees; Io.
base::Result<merkle::StoredTrees> ReadTrees(storage::Engine& engine);

// Leaves nothing but pages, also of what builds before the journal stored. Trees whose records are
// missing or malformed are to be made anew afterwards (server/tree_rebuild.h), and nothing is
// stored of them; that is logged. Cut off, it can be done again. Corruption and Io when they cannot
// be read. REQUIRES: no worker has started.
//
// Of a batch of what need not become true together. Higher: more memory; lower: more writes.
inline constexpr std::size_t kFoldBytes = 4 << 20;
base::Status FoldTrees(storage::Engine& engine, std::size_t batch_bytes = kFoldBytes);

// Where a journal's puts go.
class TreeSink final : public merkle::RecordSink {
 public:
  explicit TreeSink(storage::Batch& batch) : batch_(batch) {}
  std::string& BeginPut(base::Bytes key) override {
    return batch_.BeginPut(storage::Family::kTree, key);
  }
  void EndPut() override { batch_.EndPut(); }

 private:
  storage::Batch& batch_;
};

}  // namespace starling::server
