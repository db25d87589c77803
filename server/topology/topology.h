// server/topology/topology.h: who owns what, as one immutable value that all nodes agree on.
//
// A Topology is the outcome of an epoch: nodes with their tokens, the voters that choose the next
// epoch, and the keyspaces. It says nothing about who is alive (gossip knows) nor which node holds
// a bucket (ring.h works that out). Nobody edits one in place: changes.h makes the next value,
// paxos.h gets it chosen.
//
// Thread:    a value; shared between threads as TopologyPtr, never changed after it was published.
// Read next: ring.h, then changes.h, then paxos.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/host_id.h"
#include "base/place.h"
#include "base/status.h"
#include "base/version.h"

namespace starling::topology {

inline constexpr std::size_t kNodesMax = 4096;  // Those that are gone included.
inline constexpr std::size_t kVnodesMax = 256;
inline constexpr std::size_t kVotersMax = 5;
inline constexpr std::size_t kSeedsMax = 16;
inline constexpr std::size_t kKeyspacesMax = 1024;
inline constexpr std::uint32_t kFactorMax = 16;    // In a datacenter.
inline constexpr std::uint32_t kReplicasMax = 32;  // Of a key, in all datacenters together.
inline constexpr std::size_t kNameMax = 64;        // Of a cluster, datacenter or rack, in bytes.
inline constexpr std::size_t kKeyspaceNameMax = 48;

enum class NodeState : std::uint8_t {
  kNormal = 1,
  kJoining,
  kLeaving,
  kMoving,
  kReplaced,  // Gone; kept so that its number and its host id are never given out again.
};

struct Node {
  base::HostId host;
  base::NodeNumber number = 0;
  base::Address cluster;
  base::Address client;
  base::Address resp;
  std::string dc;
  std::string rack;
  NodeState state = NodeState::kNormal;
  // The first buckets of its vnodes, sorted. A vnode reaches up to the next token of any node.
  std::vector<std::uint16_t> tokens;
  // The boot as which it returned after it had lost data; what it acknowledged before that counts
  // no more. 0: it never lost any.
  std::uint64_t back = 0;
  // The epoch that declared it absent, as it was away for too long: purge goes on without it, and
  // what it has is stale when it returns. 0: it counts.
  std::uint64_t absent = 0;

  bool member() const { return state != NodeState::kReplaced; }
  bool operator==(const Node&) const = default;
};

// How many copies of each key are asked for. What is in effect is at most the number of nodes.
struct Replication {
  // kEverywhere: each node has all of it, and a write spreads by rumor.
  enum class Kind : std::uint8_t { kSimple = 1, kDatacenters, kEverywhere };

  Kind kind = Kind::kSimple;
  std::uint32_t factor = 1;                     // kSimple only, else 0.
  std::map<std::string, std::uint32_t> per_dc;  // kDatacenters only, else empty.

  bool everywhere() const { return kind == Kind::kEverywhere; }

  // "simple:3", a factor for each datacenter, "dc1:3,dc2:2", or "everywhere". Fails with
  // InvalidArgument, which names the part that is wrong.
  static base::Result<Replication> Parse(std::string_view text);
  std::string ToString() const;  // The form of Parse, datacenters sorted.

  bool operator==(const Replication&) const = default;
};

struct Keyspace {
  base::KeyspaceId id = 0;
  std::string name;
  Replication replication;

  bool operator==(const Keyspace&) const = default;
};

struct Topology {
  base::HostId cluster_id;
  std::string cluster_name;
  std::uint64_t token_seed = 0;      // Seeds the hash from keys to tokens.
  std::uint64_t generation = 1;      // Raised by disaster recovery alone; counts before the epoch.
  std::uint64_t epoch = 0;           // 0: a value that no epoch has chosen yet.
  std::vector<Node> nodes;           // By number.
  std::vector<base::HostId> voters;  // Sorted. They choose the next epoch.
  std::vector<Keyspace> keyspaces;   // By id.
  base::NodeNumber next_node_number = 1;
  base::KeyspaceId next_keyspace_id = 1;
  base::NodeNumber founders = 0;  // Epoch 1 named the nodes 1 to this; all others came later.

  // Whether epoch 1 named this host. A later one has to catch up before it serves reads.
  bool FoundedBy(base::HostId host) const;
  // Null when there is none. Find and FindNumber know nodes that are gone too.
  const Node* Find(base::HostId host) const;
  const Node* FindNumber(base::NodeNumber number) const;
  const Node* FindAddress(base::Address cluster) const;  // Members only.
  const Keyspace* FindKeyspace(std::string_view name) const;
  const Keyspace* FindKeyspace(base::KeyspaceId id) const;
  std::vector<const Node*> members() const;  // By number.

  bool operator==(const Topology&) const = default;
};

using TopologyPtr = std::shared_ptr<const Topology>;

// Whether the same nodes own the same, wherever they are reached; and whether those in both are
// reached, as members, where they were.
bool SameOwners(const Topology& a, const Topology& b);
bool SameAddresses(const Topology& a, const Topology& b);

// Whether `a` was agreed on later than `b`: by generation, then by epoch.
bool Newer(const Topology& a, const Topology& b);

// How many replicas each key of `replication` has on the members of `topology`.
std::uint32_t EffectiveFactor(const Topology& topology, const Replication& replication);

// Everything that holds for a topology that was chosen: limits, order, uniqueness, known voters.
// Fails with InvalidArgument, which names the first thing that is wrong.
base::Status Validate(const Topology& topology);

// The rules for names: keyspaces [a-z0-9_-]{1,48}; datacenters and racks [A-Za-z0-9_.-]{1,64};
// clusters printable ASCII of at most 64 bytes. Each fails with InvalidArgument.
base::Status CheckKeyspaceName(std::string_view name);
base::Status CheckPlaceName(std::string_view what, std::string_view name);
base::Status CheckClusterName(std::string_view name);

}  // namespace starling::topology
