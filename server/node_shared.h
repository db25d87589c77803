// server/node_shared.h: what all actors of a node have in common.
//
// Thread:    made before any actor starts; what is not constant is atomic, or guards itself.
// Ownership: config and engine outlive it, and it the actors.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "base/host_id.h"
#include "server/absence.h"
#include "server/committer.h"
#include "server/config.h"
#include "server/disk_guard.h"
#include "server/fresh_keys.h"
#include "server/keyring_file.h"
#include "server/met_damage.h"
#include "server/peer_marks.h"
#include "server/resolve.h"
#include "storage/engine.h"

namespace starling::server {

struct NodeShared {
  NodeShared(const Config& node_config, const NodeIdentity& node_identity,
             storage::Engine& node_engine, storage::Guard& node_guard, unsigned worker_count,
             NodeKeys node_keys = {})
      : config(node_config),
        identity(node_identity),
        engine(node_engine),
        guard(node_guard),
        committer(node_engine, node_guard, node_config.storage.durability),
        workers(worker_count),
        began_empty(HoldsNothing(node_engine)),
        keys(std::move(node_keys)) {}

  // Constant after construction.
  const Config& config;
  const NodeIdentity identity;
  storage::Engine& engine;
  storage::Guard& guard;
  Committer committer;
  const unsigned workers;
  const bool began_empty;  // No entry was stored at the start.
  const NodeKeys keys;  // As of the start: control has them as they are (server/keyring_admin.h).
  LookUp look_up = SystemLookUp;  // Of the names of seeds. Set before any actor starts.
  LookAtDisk look_at_disk;        // Likewise.

  PeerMarks peer_marks;  // What others acknowledged to us.

  // Written by control once it is on disk; read by the workers.
  std::atomic<std::uint64_t> clock_bound{0};
  // The highest stamp of any worker, as of its last tick; control reserves above it.
  std::atomic<std::uint64_t> clock_used{0};
  // Written by control, as DiskGuard has it: replicas take deletes and nothing else.
  std::atomic<bool> disk_full{false};
  // Likewise: no run of pulled entries is gathered for tables while it is false.
  std::atomic<bool> room_for_runs{true};
  MetDamage met_damage;
  // Clients' connections, of both protocols: control counts up and gives them away, the worker that
  // has one counts down.
  std::atomic<std::uint32_t> clients{0};
  // What large mails between workers hold: who sends one adds to it, who receives it takes it off.
  std::atomic<std::uint64_t> mail_bytes{0};
  // This life ends to begin another at once: the data directory needs a higher boot number.
  std::atomic<bool> begins_again{false};
  // The damaged table for which it does; empty: for something else. Control's, until it has ended.
  std::string ended_for;
  // What workers have mailed to control to be told as rumors, and it has not taken yet.
  std::atomic<std::uint64_t> rumor_mail_bytes{0};
};

// The listeners of a node.
inline constexpr base::ListenerId kClusterListener{1};
inline constexpr base::ListenerId kClientListener{2};
inline constexpr base::ListenerId kRespListener{3};
inline constexpr base::ListenerId kHttpListener{4};

inline base::ActorId WorkerActor(unsigned worker) {
  return base::ActorId{static_cast<std::uint16_t>(worker + 1)};
}

}  // namespace starling::server
