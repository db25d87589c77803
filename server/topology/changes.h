// server/topology/changes.h: what each change makes of a topology, as pure functions.
//
// Each takes the topology that is and gives the one that should follow, one epoch later; getting it
// chosen is paxos.h's task. A change that is already in the topology gives the same topology back,
// same epoch: so a caller whose outcome was unknown, or who lost a round to another change, simply
// applies its change again to the newest topology.
//
// What would take more than kTopologyBytesMax (codec.h) is refused with FailedPrecondition.
//
//   ASSIGN_OR_RETURN(Topology next, AddKeyspace(*current, "users", replication));
//   if (next.epoch == current->epoch) return;  // Nothing left to do.
//
// Thread:    pure functions.
// Read next: paxos.h
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/host_id.h"
#include "base/status.h"
#include "server/topology/topology.h"

namespace starling::topology {

// What a node says of itself when it founds, joins or replaces.
struct NodeInfo {
  base::HostId host;
  base::Address cluster;
  base::Address client;
  base::Address resp;
  std::string dc;
  std::string rack;
  std::uint32_t vnodes = 16;

  bool operator==(const NodeInfo&) const = default;
};

// Whose place a node takes, as an operator names it: by the address at which it is noted, or by its
// host id, which no other member takes from it. Neither: nobody's.
struct Replaced {
  base::Address address{};
  base::HostId host{};

  bool any() const { return address.port != 0 || !host.empty(); }
  bool Names(const Node& node) const {
    return host.empty() ? node.cluster == address : node.host == host;
  }
  bool operator==(const Replaced&) const = default;
};

// Whether the topology has all the addresses that `info` says of it.
bool IsReachedAt(const Node& node, const NodeInfo& info);

struct FoundingPlan {
  base::HostId cluster_id;
  std::string cluster_name;
  std::uint64_t token_seed = 0;
  std::vector<NodeInfo> seeds;  // Numbered in the order of their addresses.
  // Nodes that are no seeds and wait to be taken in. Numbered behind the seeds, likewise.
  std::vector<NodeInfo> newcomers;
};

// Epoch 1: the seeds, up to kVotersMax of them as voters, the newcomers, and keyspace `default`
// (simple:3). No newcomer votes: nobody has heard from it that it takes the epoch up.
// Fails with InvalidArgument when the nodes' names, addresses or vnodes won't do.
base::Result<Topology> Found(const FoundingPlan& plan);

// Fails with InvalidArgument (name, replication, a datacenter without a node), with AlreadyExists
// when the name is there with another replication, or when there is no room.
base::Result<Topology> AddKeyspace(const Topology& topology, std::string_view name,
                                   const Replication& replication);

// Adds `node` with tokens of its own. Fails as CheckJoin does, or when there is no room.
base::Result<Topology> AdmitNode(const Topology& topology, const NodeInfo& node);

// `node` takes over the tokens of the member `replaced`, under a number of its own; the old node
// becomes kReplaced and can never return. Voters stay as they are. Fails as CheckJoin does. That
// the old node is dead is for the caller to know.
base::Result<Topology> ReplaceNode(const Topology& topology, const Replaced& replaced,
                                   const NodeInfo& node);

// Declares the member `host` absent: no purge round waits for it any more, and it has to catch up
// before it counts again. One at a time, since two could have what no other replica has between
// them. FailedPrecondition when it is no member or another one is absent.
base::Result<Topology> DeclareAbsent(const Topology& topology, base::HostId host);

// Names the member `host` as back, as of its boot `boot`, after it lost data or was absent: what it
// acknowledged before counts no more, and it has to catch up. A voter keeps its seat: the epochs
// that it may have forgotten votes on end with this one. FailedPrecondition when it is no member,
// or the only voter.
base::Result<Topology> ReturnNode(const Topology& topology, base::HostId host, std::uint64_t boot);

// The member `node.host` is reached where `node` says: it listens there. Whoever the topology has
// at that cluster address is there no more, and is noted where `node` was, until it says itself
// where it is; so members may take each other's addresses. What else `node` says is not looked at.
// FailedPrecondition when it is no member.
base::Result<Topology> MoveNode(const Topology& topology, const NodeInfo& node);

// Seats one of `ready`, members all, while there are fewer voters than the largest odd number of
// members, or than kVotersMax: an even number bears no more losses than one fewer. It takes the
// seat of one that was replaced, if there is such. The same topology when there is none to seat.
base::Result<Topology> SeatVoter(const Topology& topology, const std::vector<base::HostId>& ready);

// Whether `node` may enter (or already is a member): asked by the node that admits it.
// FailedPrecondition, with what to do about it, when its host id was replaced, when its address is
// another member's and `replaced` does not say so (an empty data directory: a new host id), or when
// there is nobody to replace or in another place. A member may ask from another address than it is
// known by: it moves there once it is back (MoveNode).
base::Status CheckJoin(const Topology& topology, const NodeInfo& node, const Replaced& replaced);

// What holds between an epoch and the next, whatever the change: one cluster, and numbers, host ids
// and keyspace ids that are never dropped or reused. FailedPrecondition names what does not.
base::Status CheckSuccessor(const Topology& before, const Topology& after);

// The same between an epoch and any later one.
base::Status CheckDescendant(const Topology& before, const Topology& after);

}  // namespace starling::topology
