// server/adoption.h: makes a bucket, up to a peer's higher purge mark, what the peer has.
//
// A replica that missed a COMMIT keeps what the others removed, and may hold what they never had.
// COMMIT is not passed on; instead the replica takes over the peer's content: repair brings what it
// lacks, page by page, with the names of all that the peer has up to its mark. What this replica
// has beyond them goes: values to the quarantine, tombstones for good. Only when all of that is
// committed does its own mark rise.
//
// Thread:    confined to its worker.
// Read next: server/repair_pull.h, server/purge_scan.h, docs/purge.md
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/world.h"
#include "server/met_damage.h"
#include "server/purge_scan.h"
#include "server/replica.h"

namespace starling::server {

class Adoption {
 public:
  Adoption(base::World& world, storage::Engine& engine, Replica& replica, MetDamage& met_damage);
  ~Adoption();

  using Id = std::pair<base::KeyspaceId, std::uint16_t>;

  // A page of a bucket's pull was taken: it named all that the peer, in `epoch`, has in the span at
  // or below `purged`. The first page of a bucket begins its adoption.
  void OnPage(std::uint64_t epoch, std::uint64_t purged, Span span, std::string names);
  // That was the last page; or the pull ends early, or with a page that tells too little.
  void OnLastPage(const Id& id);
  void GiveUp(const Id& id);

  void SetEpoch(std::uint64_t epoch) { epoch_ = epoch; }
  void OnLocalWrite(const Ticket& ticket, const base::Status& error);  // Of its own tickets.

  std::uint64_t adopted() const { return adopted_; }

 private:
  struct Bucket {
    std::uint64_t serial = 0;
    std::uint64_t epoch = 0;
    std::uint64_t purged = 0;
    std::size_t open = 0;  // Scans and removals.
    bool last = false;     // No page follows.
    bool failed = false;
  };
  struct ScanJob;

  Bucket* Find(std::uint64_t serial);
  void OnScanned(ScanJob& job);
  void Settle(std::uint64_t serial);

  base::World& world_;
  storage::Engine& engine_;
  Replica& replica_;
  MetDamage& met_damage_;
  std::uint64_t epoch_ = 0;
  std::map<std::uint64_t, Bucket> buckets_;  // By serial.
  std::map<Id, std::uint64_t> current_;      // Those that take pages.
  std::map<std::uint64_t, Id> ids_;
  std::vector<std::unique_ptr<ScanJob>> jobs_;
  std::uint64_t serial_ = 0;
  std::uint64_t adopted_ = 0;
};

}  // namespace starling::server
