// benchmarks/tree/writer.h: a worker's turn as server/replica.cc carries it out, with the tree and
// without, and with the tree kept in another way.
//
// It looks the old entries up, decides by version, and writes one batch.
//
// Thread:    confined.
// Read next: benchmarks/tree/store.h, docs/decisions/0005-what-the-tree-costs.md
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "benchmarks/rows/rows.h"
#include "benchmarks/tree/store.h"
#include "merkle/history.h"
#include "merkle/journal.h"

namespace starling::benchmarks {

enum class TreeKept : std::uint8_t {
  kNot,      // Only the old entries are read.
  kMemory,   // And digests are kept, that come to no disk: the tree itself.
  kJournal,  // As the server does: a record of a turn's leaves in the batch of its entries.
  kLeaves,   // Each changed leaf is put in the batch of its entries.
  kPages,    // Likewise, for a store that only logs leaves; and now and then a whole page is put.
};

struct Turn {
  std::span<const Row> rows;
  std::uint64_t generation = 0;  // Which writing of the rows this is: higher than any before.
  storage::Sync sync = storage::Sync::kNo;
};

class Writer final : merkle::RecordSink {
 public:
  // Of a page's 256 leaves, after which it is put: what recovery would have to replay.
  static constexpr std::uint32_t kChangesAPage = 1024;

  Writer(const RowKind& kind, TreeKept tree, std::unique_ptr<Store> store);

  base::Status Run(const Turn& turn);
  base::Status Flush() { return store_->Flush(); }
  // Waits until the store has nothing to do in the background. Io when that takes a minute.
  base::Status Settle();

 private:
  base::Status Change(std::span<const Row> rows, std::uint64_t generation);
  base::Status FetchTheRest();
  void KeepTree();
  void PutLeaves();
  std::string& BeginPut(base::Bytes key) override;
  void EndPut() override;
  void PutPage(std::uint8_t slice);

  const RowKind kind_;
  const TreeKept tree_kept_;
  const std::unique_ptr<Store> store_;
  WrittenRow row_;
  merkle::History history_;
  merkle::Journal journal_{{}};
  std::array<std::uint32_t, base::kSlices> changes_{};  // Since the page was put.
  storage::Batch batch_;
  std::vector<std::string> stored_keys_;
  std::vector<base::Bytes> asked_;
  LookedUp old_;
};

}  // namespace starling::benchmarks
