#include "server/topology/topology.h"

#include <fmt/core.h>

#include <algorithm>
#include <bitset>

namespace starling::topology {

const Node* Topology::Find(base::HostId host) const {
  const auto at =
      std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.host == host; });
  return at == nodes.end() ? nullptr : &*at;
}

bool Topology::FoundedBy(base::HostId host) const {
  const Node* node = Find(host);
  return node != nullptr && node->number <= founders;
}

const Node* Topology::FindNumber(base::NodeNumber number) const {
  const auto at = std::lower_bound(
      nodes.begin(), nodes.end(), number,
      [](const Node& node, base::NodeNumber wanted) { return node.number < wanted; });
  return at == nodes.end() || at->number != number ? nullptr : &*at;
}

const Node* Topology::FindAddress(base::Address cluster) const {
  const auto at = std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) {
    return node.member() && node.cluster == cluster;
  });
  return at == nodes.end() ? nullptr : &*at;
}

const Keyspace* Topology::FindKeyspace(std::string_view name) const {
  const auto at = std::find_if(keyspaces.begin(), keyspaces.end(),
                               [&](const Keyspace& keyspace) { return keyspace.name == name; });
  return at == keyspaces.end() ? nullptr : &*at;
}

const Keyspace* Topology::FindKeyspace(base::KeyspaceId id) const {
  const auto at = std::find_if(keyspaces.begin(), keyspaces.end(),
                               [&](const Keyspace& keyspace) { return keyspace.id == id; });
  return at == keyspaces.end() ? nullptr : &*at;
}

std::vector<const Node*> Topology::members() const {
  std::vector<const Node*> members;
  for (const Node& node : nodes)
    if (node.member()) members.push_back(&node);
  return members;
}

bool Newer(const Topology& a, const Topology& b) {
  return std::pair(a.generation, a.epoch) > std::pair(b.generation, b.epoch);
}

bool SameOwners(const Topology& a, const Topology& b) {
  return std::ranges::equal(a.nodes, b.nodes, [](const Node& left, Node right) {
    right.cluster = left.cluster;
    right.client = left.client;
    right.resp = left.resp;
    return left == right;
  });
}

bool SameAddresses(const Topology& a, const Topology& b) {
  return std::ranges::all_of(a.nodes, [&](const Node& node) {
    const Node* other = b.FindNumber(node.number);
    return other == nullptr || (other->cluster == node.cluster && other->member() == node.member());
  });
}

std::uint32_t EffectiveFactor(const Topology& topology, const Replication& replication) {
  std::uint32_t members = 0;
  std::map<std::string_view, std::uint32_t> members_of_dc;
  for (const Node* node : topology.members()) {
    ++members;
    ++members_of_dc[node->dc];
  }
  if (replication.everywhere()) return members;
  if (replication.kind == Replication::Kind::kSimple) return std::min(replication.factor, members);
  std::uint32_t factor = 0;
  for (const auto& [dc, wanted] : replication.per_dc) factor += std::min(wanted, members_of_dc[dc]);
  return factor;
}

namespace {

using base::InvalidArgument;
using base::Status;

Status CheckAddress(const Node& node, std::string_view what, base::Address address) {
  if (address.ip != 0 && address.port != 0) return base::Ok();
  return InvalidArgument(fmt::format("node {} has no {} address", node.number, what));
}

Status CheckNode(const Node& node) {
  if (node.host.empty()) return InvalidArgument(fmt::format("node {} has no host id", node.number));
  RETURN_IF_ERROR(CheckAddress(node, "cluster", node.cluster));
  RETURN_IF_ERROR(CheckAddress(node, "client", node.client));
  RETURN_IF_ERROR(CheckAddress(node, "RESP", node.resp));
  RETURN_IF_ERROR(CheckPlaceName("datacenter", node.dc));
  RETURN_IF_ERROR(CheckPlaceName("rack", node.rack));
  if (node.state < NodeState::kNormal || node.state > NodeState::kReplaced)
    return InvalidArgument(fmt::format("node {} has the unknown state {}", node.number,
                                       static_cast<unsigned>(node.state)));
  if (node.member() && (node.tokens.empty() || node.tokens.size() > kVnodesMax))
    return InvalidArgument(fmt::format("node {} has {} tokens, not 1 to {}", node.number,
                                       node.tokens.size(), kVnodesMax));
  if (!node.member() && node.absent != 0)
    return InvalidArgument(fmt::format("node {} is gone, yet absent", node.number));
  if (!node.member() && !node.tokens.empty())
    return InvalidArgument(fmt::format("node {} is gone, yet has tokens", node.number));
  return base::Ok();
}

// What two nodes may not share: numbers, host ids, tokens and, as members, cluster addresses.
Status CheckNodes(const Topology& topology) {
  if (topology.nodes.empty() || topology.nodes.size() > kNodesMax)
    return InvalidArgument(
        fmt::format("it has {} nodes, not 1 to {}", topology.nodes.size(), kNodesMax));
  base::NodeNumber previous = 0;
  std::bitset<base::kBuckets> taken;
  std::vector<base::HostId> hosts;
  std::vector<base::Address> addresses;
  base::NodeNumber absent = 0;
  for (const Node& node : topology.nodes) {
    if (node.number <= previous || node.number >= topology.next_node_number)
      return InvalidArgument(fmt::format("node number {} stands after {}, and the next is {}",
                                         node.number, previous, topology.next_node_number));
    previous = node.number;
    RETURN_IF_ERROR(CheckNode(node));
    if (node.absent > topology.epoch)
      return InvalidArgument(fmt::format("node {} is absent since epoch {}, which is yet to come",
                                         node.number, node.absent));
    if (node.absent != 0 && absent != 0)
      return InvalidArgument(
          fmt::format("nodes {} and {} are both absent; one may be", absent, node.number));
    if (node.absent != 0) absent = node.number;
    hosts.push_back(node.host);
    if (node.member()) addresses.push_back(node.cluster);
    for (std::size_t i = 0; i < node.tokens.size(); ++i) {
      if (i > 0 && node.tokens[i] <= node.tokens[i - 1])
        return InvalidArgument(fmt::format("the tokens of node {} are not sorted", node.number));
      if (taken[node.tokens[i]])
        return InvalidArgument(
            fmt::format("token {} of node {} is another node's", node.tokens[i], node.number));
      taken[node.tokens[i]] = true;
    }
  }
  std::sort(hosts.begin(), hosts.end());
  if (const auto twin = std::adjacent_find(hosts.begin(), hosts.end()); twin != hosts.end())
    return InvalidArgument(fmt::format("host id {} is there twice", twin->ToString()));
  std::sort(addresses.begin(), addresses.end());
  const auto twin = std::adjacent_find(addresses.begin(), addresses.end());
  if (twin != addresses.end())
    return InvalidArgument(fmt::format("two members have the address {}", twin->ToString()));
  if (addresses.empty()) return InvalidArgument("it has no member");
  return base::Ok();
}

Status CheckVoters(const Topology& topology) {
  const auto& voters = topology.voters;
  if (voters.empty() || voters.size() > kVotersMax)
    return InvalidArgument(fmt::format("it has {} voters, not 1 to {}", voters.size(), kVotersMax));
  for (std::size_t i = 0; i < voters.size(); ++i) {
    if (topology.Find(voters[i]) == nullptr)
      return InvalidArgument(fmt::format("voter {} is not a node of it", voters[i].ToString()));
    if (i > 0 && voters[i] <= voters[i - 1])
      return InvalidArgument("its voters are not sorted, or one is there twice");
  }
  return base::Ok();
}

Status CheckReplication(const Replication& replication) {
  const auto bad_factor = [](std::uint32_t factor) { return factor < 1 || factor > kFactorMax; };
  const Status bad =
      InvalidArgument(fmt::format("replication factors go from 1 to {}", kFactorMax));
  if (replication.kind == Replication::Kind::kSimple) {
    if (bad_factor(replication.factor)) return bad;
    if (!replication.per_dc.empty())
      return InvalidArgument("simple replication names no datacenters");
    return base::Ok();
  }
  if (replication.everywhere()) {
    if (replication.factor != 0 || !replication.per_dc.empty())
      return InvalidArgument("replication everywhere takes no factor");
    return base::Ok();
  }
  if (replication.kind != Replication::Kind::kDatacenters)
    return InvalidArgument("its replication is of an unknown kind");
  if (replication.per_dc.empty() || replication.factor != 0)
    return InvalidArgument("replication by datacenter takes a factor for each, and no other");
  std::uint32_t sum = 0;
  for (const auto& [dc, factor] : replication.per_dc) {
    RETURN_IF_ERROR(CheckPlaceName("datacenter", dc));
    if (bad_factor(factor)) return bad;
    sum += factor;
    if (sum > kReplicasMax)
      return InvalidArgument(
          fmt::format("a key has at most {} replicas in all datacenters together", kReplicasMax));
  }
  return base::Ok();
}

Status CheckKeyspaces(const Topology& topology) {
  if (topology.keyspaces.size() > kKeyspacesMax)
    return InvalidArgument(fmt::format("it has {} keyspaces; {} is the limit",
                                       topology.keyspaces.size(), kKeyspacesMax));
  base::KeyspaceId previous = 0;
  std::vector<std::string_view> names;
  for (const Keyspace& keyspace : topology.keyspaces) {
    if (keyspace.id <= previous || keyspace.id >= topology.next_keyspace_id)
      return InvalidArgument(fmt::format("keyspace id {} stands after {}, and the next is {}",
                                         keyspace.id, previous, topology.next_keyspace_id));
    previous = keyspace.id;
    RETURN_IF_ERROR(CheckKeyspaceName(keyspace.name));
    RETURN_IF_ERROR(CheckReplication(keyspace.replication)
                        .Annotate(fmt::format("keyspace '{}'", keyspace.name)));
    names.push_back(keyspace.name);
  }
  std::sort(names.begin(), names.end());
  if (const auto twin = std::adjacent_find(names.begin(), names.end()); twin != names.end())
    return InvalidArgument(fmt::format("two keyspaces are named '{}'", *twin));
  return base::Ok();
}

}  // namespace

Status Validate(const Topology& topology) {
  const std::string context = fmt::format("topology of epoch {}", topology.epoch);
  const auto checked = [&]() -> Status {
    if (topology.cluster_id.empty()) return InvalidArgument("it has no cluster id");
    if (topology.generation == 0 || topology.epoch == 0)
      return InvalidArgument("its generation or epoch is 0");
    RETURN_IF_ERROR(CheckClusterName(topology.cluster_name));
    RETURN_IF_ERROR(CheckNodes(topology));
    if (topology.founders >= topology.next_node_number)
      return InvalidArgument(fmt::format("{} nodes founded it, and the next number is {}",
                                         topology.founders, topology.next_node_number));
    RETURN_IF_ERROR(CheckVoters(topology));
    return CheckKeyspaces(topology);
  };
  return checked().Annotate(context);
}

}  // namespace starling::topology
