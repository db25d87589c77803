// server/adoption.h: makes a bucket, up to a peer's higher purge mark, what the peer has.
//
// A replica that missed a COMMIT keeps what the others removed, and may hold what they never had.
// COMMIT is not passed on; instead the replica takes over the peer's content: repair brings what it
// lacks, page by page, with the names of all that the peer has up to its mark. What this replica
// has beyond them goes: values to the quarantine, tombstones for good. Only when all of that is
// committed does its own mark rise: what the pages brought, too, however long an old version of it
// takes to be read. A mark without an entry would refuse this entry from every replica whose mark
// is lower. What is refused, as on a full disk, ends the adoption; so does an extra in whose place
// the peer has something older: that was not sent, and comes once the extra is gone.
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

  // The first page of a bucket's pull has come, of a peer in `epoch` whose mark is `purged`. To be
  // called before anything of the page is taken. Gives the adoption's number, which is never 0.
  std::uint64_t Begin(const Id& id, std::uint64_t epoch, std::uint64_t purged);
  // An entry of its pages was handed to the replica. REQUIRES: pages of it are being taken.
  void OnTaking(std::uint64_t serial);
  // That entry is committed, or was refused.
  void OnTaken(std::uint64_t serial, const base::Status& error);
  // A page was taken: it named all that the peer, in `epoch`, has in the span at or below `purged`.
  void OnPage(std::uint64_t serial, std::uint64_t epoch, std::uint64_t purged, Span span,
              std::string names);
  // That was the last page; or the pull ends early, or with a page that tells too little. The
  // number says nothing afterwards.
  void OnLastPage(std::uint64_t serial);
  void GiveUp(std::uint64_t serial);

  void SetEpoch(std::uint64_t epoch) { epoch_ = epoch; }
  void OnLocalWrite(const Ticket& ticket, const base::Status& error);  // Of its own tickets.

  std::uint64_t adopted() const { return adopted_; }

 private:
  struct Bucket {
    Id id;
    std::uint64_t epoch = 0;
    std::uint64_t purged = 0;
    std::size_t open = 0;  // Scans, removals, and entries that are not committed.
    bool last = false;     // No page follows.
    bool failed = false;
  };
  struct ScanJob;

  void OnScanned(ScanJob& job);
  void End(std::uint64_t serial, const base::Status& error);

  base::World& world_;
  storage::Engine& engine_;
  Replica& replica_;
  MetDamage& met_damage_;
  std::uint64_t epoch_ = 0;
  std::map<std::uint64_t, Bucket> buckets_;  // By serial.
  std::vector<std::unique_ptr<ScanJob>> jobs_;
  std::uint64_t serial_ = 0;
  std::uint64_t adopted_ = 0;
};

}  // namespace starling::server
