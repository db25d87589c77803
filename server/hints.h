// server/hints.h: writes that a replica missed, kept for it until it is back.
//
// A hint is one stamped entry in the hints family, under target node u32 | keyspace u32 | token u64
// | version, 16 bytes, high first | key (all big-endian); its value is the entry as stored. It is
// written with the turn's batch of the worker that owns the key, replayed by that worker once the
// target is up, a page at a time, and deleted when the target has answered. Hints only hurry what
// repair would do anyway: over their limits they are dropped and counted.
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

  void Store(base::NodeNumber target, const storage::DataKey& key,
             const storage::EntryHeader& header, base::Bytes value);

  // Starts replays to targets that are up. Call now and then.
  void OnTick();

  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag);

  const HintStats& stats() const { return stats_; }

 private:
  static constexpr std::size_t kPageHints = 512;
  static constexpr std::size_t kPageBytes = 1 << 20;

  // One scan of the hints family: a page of a target's, or (target 0) a count of all.
  struct ScanJob;
  struct Hint {
    std::string stored_key;
    std::string entry;
    bool done = false;
  };
  struct Replay {
    std::vector<Hint> page;
    std::size_t open = 0;  // Sent, and not answered yet.
    bool failed = false;   // The target went away: what is left waits for the next time.
    bool scanning = false;
  };

  void OnScanned(ScanJob& job);
  void SendPage(base::NodeNumber target, Replay& replay);
  void SendHint(base::NodeNumber target, std::size_t index, Replay& replay);
  void Forget(base::NodeNumber target, const Hint& hint);
  void EndPage(base::NodeNumber target);
  const topology::Node* Target(base::NodeNumber number) const;
  bool up(base::NodeNumber number) const;
  void Scan(base::NodeNumber target);

  const HintsParts parts_;
  SnapshotPtr snapshot_;
  HintStats stats_;
  std::map<base::NodeNumber, Replay> replays_;
  std::map<base::NodeNumber, std::unique_ptr<ScanJob>> scans_;
};

}  // namespace starling::server
