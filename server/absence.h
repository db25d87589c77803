// server/absence.h: does this node still have what it acknowledged? And what follows if not (G7).
//
// At start three things are compared: what the engine recovered, what the guard file says was
// synced (storage/guard.h), and what the other members remember of this node's acknowledgements
// (server/peer_marks.h), which each tells in its answer to a hello. Having less is a loss. It is
// written down before the first packet leaves, and from then on this node serves no read and casts
// no vote, until an epoch has named it as back and it has compared with the others in that epoch
// (docs/repair.md).
//
// Thread:    free functions at start, then confined to control.
// Read next: server/control_absence.cc, docs/repair.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/host_id.h"
#include "base/status.h"
#include "server/scrub.h"
#include "server/topology/topology.h"
#include "storage/engine.h"
#include "storage/guard.h"
#include "storage/identity.h"

namespace starling::server {

// How far a node's synced writes reached: in which of its lives, and there the engine's sequence.
struct Mark {
  std::uint64_t boot = 0;
  std::uint64_t sequence = 0;

  auto operator<=>(const Mark&) const = default;
};

struct Loss {
  std::uint64_t boot = 0;  // The start that found it; 0: nothing is lost.
  std::string reason;

  bool any() const { return boot != 0; }
  bool operator==(const Loss&) const = default;
};

// The keyspaces of which an entry may be on one node alone, when so many of its replicas may lack
// it.
storage::Irreplaceable IrreplaceableIn(const topology::Topology& topology,
                                       std::uint32_t lacking = 0);

base::Result<Loss> LoadLoss(storage::Engine& engine);
void SaveLoss(storage::Batch& batch, const Loss& loss);

// Who this node is, from its data directory.
struct NodeIdentity {
  base::HostId host;
  std::uint64_t boot = 0;         // Counted and synced before the first packet.
  base::HostId cluster_id;        // Empty until it founded or joined.
  std::uint64_t clock_floor = 0;  // No stamp of an earlier run is higher.
  std::uint64_t recovered = 0;    // Engine::sequence() at the start, before anything was written.
  Loss loss;
  std::uint64_t damaged_tables = 0;  // Taken out by this process, at this start and those before.
  // Tables for which lives of this process ended, as they were found damaged, and the starts that
  // followed found them sound. What is wrong with them will not go by beginning again.
  HealedInVain healed_in_vain{};
};

struct Start {
  storage::Identity identity{};
  std::optional<storage::GuardRecord> last{};  // What the guard of the life before says.
  std::string damage{};  // Opening the engine has found a loss already: which.
  // `damage` says of tables without what is irreplaceable, or accept_loss is true.
  bool accept_loss = false;  // Of data that no other node has.
};

// Begins a life: counts the boot past both the engine's and the guard's, notes a loss if the engine
// has less than the guard says, syncs that, and begins `guard`'s record. After a loss the trees are
// to be made anew (server/tree_rebuild.h), and purge's marks are none. Corruption when what is left
// cannot be read. FailedPrecondition when the guard was of another host, as parts of two
// directories were mixed; and when data are lost that no other node has, of a node alone or a
// keyspace of one replica, unless that is accepted.
base::Result<NodeIdentity> BeginLife(storage::Engine& engine, storage::Guard& guard,
                                     const Start& start);

// Whether a member that remembers `remembered` of us tells of a loss: why, or empty. `recovered` is
// of this life's start and `synced` what it has synced by now; acknowledgements of lives before
// `back`, the last loss that is over, count no more.
std::string LossAgainst(const Mark& remembered, std::uint64_t boot, std::uint64_t recovered,
                        std::uint64_t synced, std::uint64_t back);

}  // namespace starling::server
