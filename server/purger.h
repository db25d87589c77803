// server/purger.h: a worker's part in purge rounds: closing and reporting, and removing what is
// proved.
//
// PROVE: the buckets are closed up to the horizon, and once that is synced, with all that the
// digests comprise, they are reported. COMMIT: some buckets at a time are scanned off the worker,
// what may go is removed in bounded batches through the committer, and the mark rises with the last
// one. A change of epoch ends what is under way: what was removed by then, all owners had.
//
// Thread:    confined to its worker.
// Read next: server/purge/round.h, server/purge_rounds.h, docs/purge.md
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/world.h"
#include "server/config.h"
#include "server/mail.h"
#include "server/met_damage.h"
#include "server/purge_scan.h"
#include "server/replica.h"
#include "server/snapshot.h"
#include "server/stats.h"

namespace starling::server {

struct PurgerParts {
  base::World& world;
  const Config& config;
  storage::Engine& engine;
  Replica& replica;
  MetDamage& met_damage;
};

class Purger {
 public:
  explicit Purger(const PurgerParts& parts);
  ~Purger();

  void Adopt(SnapshotPtr snapshot);
  // Answered by a PurgeStepDoneMail, and a PurgeDueAnswerMail, to control.
  void OnStep(const PurgeStepMail& mail);
  void OnDueQuery(const PurgeDueQueryMail& mail);
  // Of its own tickets.
  void OnLocalWrite(const Ticket& ticket, const base::Status& error);
  void OnTurnEnd();

  PurgeStats StatsOf(base::KeyspaceId keyspace) const;
  std::uint64_t passes() const { return passes_ended_; }

 private:
  static constexpr std::size_t kBucketsAtATime = 64;
  static constexpr std::size_t kFoundMax = 1024;  // Removals in one batch.
  static constexpr std::size_t kPassesMax = 16;   // COMMITs that wait for their turn.

  enum class Told : std::uint64_t { kProved, kBegun, kRemoved };
  struct Pass;
  struct ScanJob;

  base::Status Check(const purge::Request& request) const;
  void Prove(const PurgeStepMail& mail);
  void Commit(const PurgeStepMail& mail);
  void Done(std::uint64_t serial, const base::Status& status,
            std::vector<merkle::Digest> digests = {});
  bool Stands(const Pass& pass) const;
  void CloseBeforeCatchingUp();
  void Go();
  void OnScanned(ScanJob& job);
  void EndBatch(Pass& pass);
  void EndPass();

  const PurgerParts parts_;
  SnapshotPtr snapshot_;
  std::map<std::uint64_t, std::vector<merkle::Digest>> proving_;  // By the mail's serial.
  std::deque<std::unique_ptr<Pass>> passes_;                      // The first is under way.
  std::set<std::pair<base::KeyspaceId, std::uint16_t>> busy_;     // In one of them.
  std::unique_ptr<ScanJob> job_;
  std::uint64_t serial_ = 0;
  std::uint64_t passes_ended_ = 0;
};

}  // namespace starling::server
