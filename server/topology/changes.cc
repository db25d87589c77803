#include "server/topology/changes.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <span>
#include <tuple>

#include "server/topology/codec.h"
#include "server/topology/tokens.h"

namespace starling::topology {
namespace {

using base::FailedPrecondition;
using base::InvalidArgument;
using base::Status;

Node MakeNode(const NodeInfo& info, base::NodeNumber number, std::vector<std::uint16_t> tokens) {
  return {.host = info.host,
          .number = number,
          .cluster = info.cluster,
          .client = info.client,
          .resp = info.resp,
          .dc = info.dc,
          .rack = info.rack,
          .state = NodeState::kNormal,
          .tokens = std::move(tokens),
          .back = 0,
          .absent = 0};
}

void SetAddresses(Node& node, base::Address cluster, base::Address client, base::Address resp) {
  node.cluster = cluster;
  node.client = client;
  node.resp = resp;
}

std::vector<NodeInfo> ByAddress(std::vector<NodeInfo> nodes) {
  std::sort(nodes.begin(), nodes.end(),
            [](const NodeInfo& a, const NodeInfo& b) { return a.cluster < b.cluster; });
  return nodes;
}

// Up to kVotersMax nodes, over as many racks as can be: each rack gives one before any gives two.
std::vector<base::HostId> ChooseVoters(std::span<const Node> nodes) {
  std::map<std::pair<std::string, std::string>, std::size_t> chosen_of_rack;
  std::vector<std::tuple<std::size_t, base::NodeNumber, base::HostId>> order;
  order.reserve(nodes.size());
  for (const Node& node : nodes)
    order.emplace_back(chosen_of_rack[{node.dc, node.rack}]++, node.number, node.host);
  std::sort(order.begin(), order.end());
  if (order.size() > kVotersMax) order.resize(kVotersMax);
  std::vector<base::HostId> voters;
  voters.reserve(order.size());
  for (const auto& [turn, number, host] : order) voters.push_back(host);
  std::sort(voters.begin(), voters.end());
  return voters;
}

// The topology that follows, checked; what it breaks is the caller's input, never our own.
base::Result<Topology> Follow(Topology next, std::uint64_t epoch) {
  next.epoch = epoch;
  RETURN_IF_ERROR(Validate(next));
  if (const std::size_t size = EncodeTopology(next).size(); size > kTopologyBytesMax)
    return base::Fail(FailedPrecondition(
        fmt::format("the topology would take {} bytes, {} is the limit: {} nodes with their tokens "
                    "and {} keyspaces are too much together",
                    size, kTopologyBytesMax, next.nodes.size(), next.keyspaces.size())));
  return next;
}

std::string MembersOf(const Topology& topology) {
  std::string text;
  for (const Node* node : topology.members())
    text += fmt::format("{}{} (host {})", text.empty() ? "" : ", ", node->cluster.ToString(),
                        node->host.ToString());
  return text;
}

const Node* FindReplaced(const Topology& topology, const Replaced& replaced) {
  for (const Node* member : topology.members())
    if (replaced.Names(*member)) return member;
  return nullptr;
}

Status CheckReplaced(const Topology& topology, const NodeInfo& node, const Replaced& replaced) {
  const Node* old = FindReplaced(topology, replaced);
  if (old == nullptr && !replaced.host.empty())
    return FailedPrecondition(
        fmt::format("cannot replace host {}: it is no member; the members are {}",
                    replaced.host.ToString(), MembersOf(topology)));
  if (old == nullptr)
    return FailedPrecondition(
        fmt::format("cannot replace the node at {}: no member has that address; the members are {}",
                    replaced.address.ToString(), MembersOf(topology)));
  if (old->dc != node.dc || old->rack != node.rack)
    return FailedPrecondition(
        fmt::format("cannot replace the node at {}: it is in datacenter {}, rack {}, and the new "
                    "one in {}, {}; "
                    "a replacement stands in the same place, or replicas would have to move",
                    old->cluster.ToString(), old->dc, old->rack, node.dc, node.rack));
  return base::Ok();
}

}  // namespace

bool IsReachedAt(const Node& node, const NodeInfo& info) {
  return node.cluster == info.cluster && node.client == info.client && node.resp == info.resp;
}

base::Result<Topology> Found(const FoundingPlan& plan) {
  if (plan.seeds.empty() || plan.seeds.size() > kSeedsMax)
    return base::Fail(
        InvalidArgument(fmt::format("cluster '{}' cannot be founded by {} seeds; 1 to {} may",
                                    plan.cluster_name, plan.seeds.size(), kSeedsMax)));
  std::vector<NodeInfo> founders = ByAddress(plan.seeds);
  for (NodeInfo& node : ByAddress(plan.newcomers)) founders.push_back(std::move(node));
  std::vector<std::uint32_t> vnodes;
  vnodes.reserve(founders.size());
  for (const NodeInfo& node : founders) vnodes.push_back(node.vnodes);
  ASSIGN_OR_RETURN(auto tokens, FoundingTokens(vnodes, plan.token_seed));

  Topology topology;
  topology.cluster_id = plan.cluster_id;
  topology.cluster_name = plan.cluster_name;
  topology.token_seed = plan.token_seed;
  for (std::size_t i = 0; i < founders.size(); ++i)
    topology.nodes.push_back(
        MakeNode(founders[i], topology.next_node_number++, std::move(tokens[i])));
  topology.founders = static_cast<base::NodeNumber>(founders.size());
  topology.voters = ChooseVoters(std::span(topology.nodes).first(plan.seeds.size()));
  topology.keyspaces.push_back({.id = topology.next_keyspace_id++,
                                .name = "default",
                                .replication = {.factor = 3, .per_dc = {}}});
  return Follow(std::move(topology), 1);
}

base::Result<Topology> AddKeyspace(const Topology& topology, std::string_view name,
                                   const Replication& replication) {
  RETURN_IF_ERROR(CheckKeyspaceName(name));
  if (const Keyspace* there = topology.FindKeyspace(name)) {
    if (there->replication == replication) return topology;
    return base::Fail(
        base::AlreadyExists(fmt::format("keyspace '{}' exists with replication {}, not {}", name,
                                        there->replication.ToString(), replication.ToString())));
  }
  std::map<std::string, bool> dcs;
  for (const Node* node : topology.members()) dcs[node->dc] = true;
  std::string known;
  for (const auto& [dc, there] : dcs) known += (known.empty() ? "" : ", ") + dc;
  for (const auto& [dc, factor] : replication.per_dc)
    if (!dcs.contains(dc))
      return base::Fail(InvalidArgument(
          fmt::format("keyspace '{}' asks for replicas in datacenter '{}', which has no node; "
                      "there are {}",
                      name, dc, known)));
  Topology next = topology;
  next.keyspaces.push_back({next.next_keyspace_id++, std::string(name), replication});
  return Follow(std::move(next), topology.epoch + 1);
}

base::Result<Topology> AdmitNode(const Topology& topology, const NodeInfo& node) {
  RETURN_IF_ERROR(CheckJoin(topology, node, {}));
  if (topology.Find(node.host) != nullptr) return topology;
  ASSIGN_OR_RETURN(auto tokens, JoiningTokens(topology, node.vnodes));
  Topology next = topology;
  next.nodes.push_back(MakeNode(node, next.next_node_number++, std::move(tokens)));
  return Follow(std::move(next), topology.epoch + 1);
}

base::Result<Topology> ReplaceNode(const Topology& topology, const Replaced& replaced,
                                   const NodeInfo& node) {
  RETURN_IF_ERROR(CheckJoin(topology, node, replaced));
  if (topology.Find(node.host) != nullptr) return topology;
  Topology next = topology;
  const auto old = std::find_if(next.nodes.begin(), next.nodes.end(), [&](const Node& candidate) {
    return candidate.member() && replaced.Names(candidate);
  });
  std::vector<std::uint16_t> tokens = std::exchange(old->tokens, {});
  old->state = NodeState::kReplaced;
  old->absent = 0;
  next.nodes.push_back(MakeNode(node, next.next_node_number++, std::move(tokens)));
  return Follow(std::move(next), topology.epoch + 1);
}

base::Result<Topology> DeclareAbsent(const Topology& topology, base::HostId host) {
  Topology next = topology;
  for (Node& node : next.nodes) {
    if (node.host == host && node.member()) {
      if (node.absent != 0) return topology;
      node.absent = topology.epoch + 1;
    } else if (node.absent != 0) {
      return base::Fail(FailedPrecondition(
          fmt::format("the node at {} is absent already, and only one may be: bring it back, or "
                      "replace it",
                      node.cluster.ToString())));
    }
  }
  const Node* declared = next.Find(host);
  if (declared == nullptr || !declared->member())
    return base::Fail(FailedPrecondition(
        fmt::format("host {} cannot be declared absent: it is no member", host.ToString())));
  return Follow(std::move(next), topology.epoch + 1);
}

base::Result<Topology> ReturnNode(const Topology& topology, base::HostId host, std::uint64_t boot) {
  Topology next = topology;
  const auto node = std::find_if(next.nodes.begin(), next.nodes.end(),
                                 [&](const Node& each) { return each.host == host; });
  if (node == next.nodes.end() || !node->member())
    return base::Fail(FailedPrecondition(
        fmt::format("host {} cannot come back: it is no member", host.ToString())));
  if (node->back >= boot && node->absent == 0) return topology;
  node->back = std::max(node->back, boot);
  node->absent = 0;
  if (next.voters == std::vector<base::HostId>{host})
    return base::Fail(FailedPrecondition(
        fmt::format("the node at {} lost data and is the only one that votes on the topology: it "
                    "cannot be sure of what it voted",
                    node->cluster.ToString())));
  return Follow(std::move(next), topology.epoch + 1);
}

base::Result<Topology> MoveNode(const Topology& topology, const NodeInfo& node) {
  const Node* known = topology.Find(node.host);
  if (known == nullptr || !known->member())
    return base::Fail(
        FailedPrecondition(fmt::format("host {} cannot move to {}: it is no member",
                                       node.host.ToString(), node.cluster.ToString())));
  if (IsReachedAt(*known, node)) return topology;
  Topology next = topology;
  for (Node& other : next.nodes)
    if (other.member() && other.host != node.host && other.cluster == node.cluster)
      SetAddresses(other, known->cluster, known->client, known->resp);
  for (Node& moved : next.nodes)
    if (moved.host == node.host) SetAddresses(moved, node.cluster, node.client, node.resp);
  return Follow(std::move(next), topology.epoch + 1);
}

base::Result<Topology> SeatVoter(const Topology& topology, const std::vector<base::HostId>& ready) {
  const std::size_t members = topology.members().size();
  const std::size_t wanted = std::min(kVotersMax, members - (members + 1) % 2);
  Topology next = topology;
  // Who was replaced votes no more: a member that is ready takes the seat.
  const auto gone = std::find_if(next.voters.begin(), next.voters.end(), [&](base::HostId voter) {
    return !topology.Find(voter)->member();
  });
  if (gone != next.voters.end())
    next.voters.erase(gone);
  else if (next.voters.size() >= wanted)
    return topology;
  for (const Node* node : topology.members()) {
    const auto listed = [&](const std::vector<base::HostId>& hosts) {
      return std::find(hosts.begin(), hosts.end(), node->host) != hosts.end();
    };
    if (listed(topology.voters) || !listed(ready)) continue;
    next.voters.push_back(node->host);
    std::sort(next.voters.begin(), next.voters.end());
    return Follow(std::move(next), topology.epoch + 1);
  }
  return topology;
}

Status CheckJoin(const Topology& topology, const NodeInfo& node, const Replaced& replaced) {
  const std::string self =
      fmt::format("node {} at {}", node.host.ToString(), node.cluster.ToString());
  if (const Node* known = topology.Find(node.host)) {
    if (!known->member())
      return FailedPrecondition(fmt::format(
          "{} was replaced and may not return: empty its data directory and let it join anew",
          self));
    return base::Ok();
  }
  if (replaced.any()) RETURN_IF_ERROR(CheckReplaced(topology, node, replaced));
  const Node* there = topology.FindAddress(node.cluster);
  if (there == nullptr || replaced.Names(*there)) return base::Ok();
  return FailedPrecondition(fmt::format(
      "{} cannot join: that is the address of member {}, and this data directory is not its own "
      "(was it emptied?). Bring that directory back, or give up what it held and start with "
      "node.replace = {}",
      self, there->host.ToString(), node.cluster.ToString()));
}

Status CheckSuccessor(const Topology& before, const Topology& after) {
  if (after.generation != before.generation || after.epoch != before.epoch + 1)
    return FailedPrecondition(fmt::format(
        "epoch {} cannot follow epoch {}: it is not the next one of the same generation",
        after.epoch, before.epoch));
  return CheckDescendant(before, after);
}

Status CheckDescendant(const Topology& before, const Topology& after) {
  const auto bad = [&](const std::string& why) {
    return FailedPrecondition(
        fmt::format("epoch {} cannot follow epoch {}: {}", after.epoch, before.epoch, why));
  };
  if (after.cluster_id != before.cluster_id)
    return bad(fmt::format("it is of cluster {}, not {}", after.cluster_id.ToString(),
                           before.cluster_id.ToString()));
  if (after.cluster_name != before.cluster_name || after.token_seed != before.token_seed)
    return bad("it changes the cluster's name or token seed");
  if (after.founders != before.founders) return bad("it changes who founded the cluster");
  if (after.next_node_number < before.next_node_number ||
      after.next_keyspace_id < before.next_keyspace_id)
    return bad("numbers would be given out again");
  for (const Node& node : before.nodes) {
    const Node* kept = after.FindNumber(node.number);
    if (kept == nullptr || kept->host != node.host)
      return bad(fmt::format("it drops node {}", node.number));
    if (kept->back < node.back)
      return bad(fmt::format("it forgets that node {} lost data", node.number));
    if (node.absent != 0 && kept->member() && kept->absent == 0 && kept->back == 0)
      return bad(fmt::format("it takes node {} for present, which has not come back", node.number));
    if (kept->member() && !node.member())
      return bad(fmt::format("it brings back node {}", node.number));
  }
  for (const Node& node : after.nodes)
    if (node.number < before.next_node_number && before.FindNumber(node.number) == nullptr)
      return bad(fmt::format("it gives out node number {} again", node.number));
  for (const Keyspace& keyspace : after.keyspaces)
    if (keyspace.id < before.next_keyspace_id && before.FindKeyspace(keyspace.id) == nullptr)
      return bad(fmt::format("it gives out keyspace id {} again", keyspace.id));
  return base::Ok();
}

}  // namespace starling::topology
