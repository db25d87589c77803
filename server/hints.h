// server/hints.h: writes that a replica missed, kept for it until it is back.
//
// A hint is one stamped entry in the hints family, under target node u32 | keyspace u32 | token u64
// | version, 16 bytes, high first | key (all big-endian); its value is the entry as stored. It is
// written with the turn's batch of the worker that owns the key, replayed by that worker once the
// target is up, and deleted when the target has answered. Hints only hurry what repair would do
// anyway: over their limits, or when the target will never take them, they are dropped and counted.
//
// A replay goes through a target's hints in rounds, a page at a time. What the target refuses for
// the time being is passed by; the next round, after a pause that doubles, tries it again.
//
// Thread:    confined to its worker.
// Read next: server/coordinator_put.cc, which stores them
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/world.h"
#include "server/config.h"
#include "server/met_damage.h"
#include "server/peer_links.h"
#include "server/replica.h"
#include "server/snapshot.h"
#include "server/stats.h"

namespace starling::server {

inline constexpr std::uint32_t kTagHint = 3;  // PeerTag::kind of replays.

struct HintsParts {
  base::World& world;
  const Config& config;
  storage::Engine& engine;
  Replica& replica;
  PeerLinks& links;
  MetDamage& met_damage;
  unsigned worker = 0;
  unsigned workers = 1;
};

class Hints {
 public:
  explicit Hints(const HintsParts& parts);
  ~Hints();

  // Counts what an earlier run left behind, in the background.
  void Start();
  void Adopt(SnapshotPtr snapshot);

  // False: it is not kept, hints being switched off or over their limit.
  bool Store(base::NodeNumber target, const storage::DataKey& key,
             const storage::EntryHeader& header, base::Bytes value);

  // Starts replays to targets that are up. Call now and then.
  void OnTick();

  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag);

  const HintStats& stats() const { return stats_; }

 private:
  static constexpr std::size_t kPageHints = 512;
  static constexpr std::size_t kPageBytes = 1 << 20;
  static constexpr base::Duration kPauseMin = base::seconds(1);  // Before what failed is repeated.
  static constexpr base::Duration kPauseMax = base::seconds(60);

  // One scan of the hints family: a page of a target's, or (target 0) a count of all.
  struct ScanJob;
  struct Hint {
    std::string stored_key;
    std::string entry;
  };
  struct Replay {
    enum class Step : std::uint8_t { kIdle, kScanning, kSending } step = Step::kIdle;
    std::vector<Hint> page;
    std::size_t open = 0;    // Of the page: sent, and not answered yet.
    std::string after;       // This round has been through the hints up to here.
    bool refused = false;    // This round left some behind.
    bool away = false;       // The target did not answer.
    base::Duration pause{};  // The last one.
    base::Instant not_before;
    // Commits of the replica: the last ones with a deletion and with a new hint for this target.
    std::uint64_t deleting = 0;
    std::uint64_t storing = 0;
  };

  void Scan(base::NodeNumber target, base::Bytes after);
  void OnScanned(ScanJob& job);
  void OnCounted(const ScanJob& job);
  void OnPage(ScanJob& job);
  bool Doomed(base::NodeNumber target, const Hint& hint) const;
  bool Owns(base::NodeNumber target, const Hint& hint) const;
  void SendPage(base::NodeNumber target, Replay& replay);
  void SendHint(base::NodeNumber target, std::size_t index, const Hint& hint);
  const Hint* Answered(const PeerTag& tag);
  void Drop(base::NodeNumber target, const Hint& hint);
  void Forget(base::NodeNumber target, const Hint& hint);
  void Settle(Replay& replay);
  void EndPage(Replay& replay);
  void EndRound(Replay& replay);
  void Pause(Replay& replay);
  const topology::Node* Target(base::NodeNumber number) const;
  bool up(base::NodeNumber number) const;
  std::uint64_t bytes() const;

  const HintsParts parts_;
  SnapshotPtr snapshot_;
  HintStats stats_;
  std::map<base::NodeNumber, Replay> replays_;
  std::map<base::NodeNumber, std::unique_ptr<ScanJob>> scans_;
  base::Instant count_again_ = base::Instant::Never();  // After the count has failed.
};

}  // namespace starling::server
