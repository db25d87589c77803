// server/tree_rebuild.h: makes the trees of a worker's slices anew, beside its other work.
//
// A slice of which a page cannot be read is come back to when the others are made, and then every
// kAgainAfter. At most repair.rate bytes a second are read for it, shared evenly by the workers,
// and one page of each worker at a time waits on the background lane.
//
// Thread:    confined to its worker.
// Read next: server/tree_making.h, server/tree_page.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "base/world.h"
#include "server/met_damage.h"
#include "server/rate_shares.h"
#include "server/replica.h"
#include "server/stats.h"
#include "server/tree_page.h"
#include "storage/engine.h"

namespace starling::server {

// All trees are to be made anew: puts the records of that into `batch`, which is to be written and
// synced before anything else. Replica::Load drops the leaves, and the counts of what is dead, that
// are still stored. Nothing is written before: that a start is to find changes missing depends on
// how many there are.
void UnmakeTrees(storage::Batch& batch, DamagedEntries damaged);

// What a checkpoint says: FailedPrecondition while some trees are to be made, for then its leaves
// say nothing.
base::Status CheckTreesMade(storage::Engine& engine);
// The same, of so many slices.
base::Status TreesUnmade(std::size_t slices);

struct TreeRebuildParts {
  base::World& world;
  storage::Engine& engine;
  Replica& replica;
  MetDamage& met_damage;
  RateShare& rate;  // Of the worker's part of repair.rate: that of its pulls, too.
  TreePageLimits limits{};
};

class TreeRebuild {
 public:
  explicit TreeRebuild(const TreeRebuildParts& parts);
  ~TreeRebuild();

  // The replica knows the cluster's token seed: digests can be made. Again: nothing.
  void Start();
  void OnTurnEnd();

  SliceProgress progress() const;

 private:
  static constexpr base::Duration kAgainAfter = base::seconds(10);  // What is left cannot be read.
  static constexpr base::Duration kTellEvery = base::seconds(10);

  struct PageJob;

  void OnPage(PageJob& job);
  void NoteDamage(std::uint8_t slice, const TreePage& page);
  void Tell(base::Instant now);

  const TreeRebuildParts parts_;
  bool started_ = false;
  std::size_t slices_ = 0;  // To be made, when it began.
  base::Instant began_{};
  base::Instant not_before_{};
  base::Instant told_{};
  std::uint64_t entries_ = 0;
  std::unique_ptr<PageJob> job_;
};

}  // namespace starling::server
