#include "server/topology/codec.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "server/topology/wire/topology.pb.h"

namespace starling::topology {
namespace {

namespace wire = v1;
using base::InvalidArgument;
using base::Result;
using base::Status;

// A message holds at most one topology and little else.
constexpr std::size_t kMessageBytesMax = kTopologyBytesMax + (std::size_t{64} << 10);
constexpr std::size_t kReasonMax = 4096;

template <typename Message>
std::string ToBytes(const Message& message) {
  std::string bytes;
  CHECK(message.SerializeToString(&bytes));
  return bytes;
}

template <typename Message>
Result<Message> Parse(std::string_view what, base::Bytes bytes, std::size_t bytes_max) {
  if (bytes.size() > bytes_max)
    return base::Fail(InvalidArgument(
        fmt::format("{} of {} bytes; {} is the limit", what, bytes.size(), bytes_max)));
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return base::Fail(
        InvalidArgument(fmt::format("{} of {} bytes is not a message", what, bytes.size())));
  return message;
}

void Put(const base::HostId& id, wire::Id* out) {
  out->set_high(id.high);
  out->set_low(id.low);
}

base::HostId Get(const wire::Id& id) { return {.high = id.high(), .low = id.low()}; }

void Put(const base::Address& address, wire::Endpoint* out) {
  out->set_ip(address.ip);
  out->set_port(address.port);
}

// A port that is out of range becomes 0, which every user of an address refuses.
base::Address Get(const wire::Endpoint& endpoint) {
  const bool fits = endpoint.port() <= 65535;
  return {.ip = endpoint.ip(),
          .port = fits ? static_cast<std::uint16_t>(endpoint.port()) : std::uint16_t{0}};
}

void Put(const Ballot& ballot, wire::Ballot* out) {
  out->set_round(ballot.round);
  Put(ballot.proposer, out->mutable_proposer());
}

Ballot Get(const wire::Ballot& ballot) {
  return {.round = ballot.round(), .proposer = Get(ballot.proposer())};
}

template <typename Ids>
void PutAll(const std::vector<base::HostId>& hosts, Ids* out) {
  for (const base::HostId& host : hosts) Put(host, out->Add());
}

// Hosts that vote: sorted, each once, not more than can be.
template <typename Ids>
Result<std::vector<base::HostId>> GetVoters(const Ids& ids) {
  std::vector<base::HostId> hosts;
  if (static_cast<std::size_t>(ids.size()) > kSeedsMax)
    return base::Fail(
        InvalidArgument(fmt::format("it names {} voters; {} is the limit", ids.size(), kSeedsMax)));
  for (const wire::Id& id : ids) {
    hosts.push_back(Get(id));
    if (hosts.back().empty() || (hosts.size() > 1 && hosts.back() <= hosts[hosts.size() - 2]))
      return base::Fail(InvalidArgument("its voters are not sorted, or one is empty"));
  }
  return hosts;
}

void Put(const Node& node, wire::Node* out) {
  Put(node.host, out->mutable_host());
  out->set_number(node.number);
  Put(node.cluster, out->mutable_cluster());
  Put(node.client, out->mutable_client());
  Put(node.resp, out->mutable_resp());
  out->set_dc(node.dc);
  out->set_rack(node.rack);
  out->set_state(static_cast<wire::NodeState>(node.state));
  for (const std::uint16_t token : node.tokens) out->add_tokens(token);
  out->set_back(node.back);
  out->set_absent(node.absent);
}

Result<Node> Get(const wire::Node& in) {
  Node node{.host = Get(in.host()),
            .number = in.number(),
            .cluster = Get(in.cluster()),
            .client = Get(in.client()),
            .resp = Get(in.resp()),
            .dc = in.dc(),
            .rack = in.rack(),
            .state = {},
            .tokens = {},
            .back = in.back(),
            .absent = in.absent()};
  if (!wire::NodeState_IsValid(in.state()) || in.state() == wire::NODE_STATE_UNSPECIFIED)
    return base::Fail(InvalidArgument(fmt::format("node {} has the unknown state {}", in.number(),
                                                  static_cast<int>(in.state()))));
  node.state = static_cast<NodeState>(in.state());
  for (const std::uint32_t token : in.tokens()) {
    if (token >= base::kBuckets)
      return base::Fail(InvalidArgument(
          fmt::format("node {} has the token {}, past the last bucket", in.number(), token)));
    node.tokens.push_back(static_cast<std::uint16_t>(token));
  }
  return node;
}

void Put(const Keyspace& keyspace, wire::Keyspace* out) {
  out->set_id(keyspace.id);
  out->set_name(keyspace.name);
  out->set_simple_factor(keyspace.replication.factor);
  out->set_everywhere(keyspace.replication.everywhere());
  for (const auto& [dc, factor] : keyspace.replication.per_dc) {
    wire::DatacenterFactor* datacenter = out->add_datacenters();
    datacenter->set_dc(dc);
    datacenter->set_factor(factor);
  }
}

Result<Keyspace> Get(const wire::Keyspace& in) {
  Keyspace keyspace{.id = in.id(), .name = in.name(), .replication = {}};
  keyspace.replication.kind = in.everywhere()              ? Replication::Kind::kEverywhere
                              : in.datacenters_size() == 0 ? Replication::Kind::kSimple
                                                           : Replication::Kind::kDatacenters;
  keyspace.replication.factor = in.simple_factor();
  std::string_view previous;
  for (const wire::DatacenterFactor& datacenter : in.datacenters()) {
    if (datacenter.dc() <= previous)
      return base::Fail(
          InvalidArgument(fmt::format("the datacenters of keyspace {} are not sorted", in.id())));
    previous = datacenter.dc();
    keyspace.replication.per_dc.emplace(datacenter.dc(), datacenter.factor());
  }
  return keyspace;
}

void Put(const NodeInfo& info, wire::NodeInfo* out) {
  Put(info.host, out->mutable_host());
  Put(info.cluster, out->mutable_cluster());
  Put(info.client, out->mutable_client());
  Put(info.resp, out->mutable_resp());
  out->set_dc(info.dc);
  out->set_rack(info.rack);
  out->set_vnodes(info.vnodes);
}

Result<NodeInfo> Get(const wire::NodeInfo& in) {
  NodeInfo info{.host = Get(in.host()),
                .cluster = Get(in.cluster()),
                .client = Get(in.client()),
                .resp = Get(in.resp()),
                .dc = in.dc(),
                .rack = in.rack(),
                .vnodes = in.vnodes()};
  if (info.host.empty()) return base::Fail(InvalidArgument("a node without a host id"));
  for (const base::Address& address : {info.cluster, info.client, info.resp})
    if (address.ip == 0 || address.port == 0)
      return base::Fail(
          InvalidArgument(fmt::format("node {} lacks an address", info.host.ToString())));
  RETURN_IF_ERROR(CheckPlaceName("datacenter", info.dc));
  RETURN_IF_ERROR(CheckPlaceName("rack", info.rack));
  if (info.vnodes < 1 || info.vnodes > kVnodesMax)
    return base::Fail(InvalidArgument(fmt::format("node {} asks for {} vnodes, not 1 to {}",
                                                  info.host.ToString(), info.vnodes, kVnodesMax)));
  return info;
}

}  // namespace

std::string EncodeTopology(const Topology& topology) {
  wire::Topology out;
  Put(topology.cluster_id, out.mutable_cluster_id());
  out.set_cluster_name(topology.cluster_name);
  out.set_token_seed(topology.token_seed);
  out.set_generation(topology.generation);
  out.set_epoch(topology.epoch);
  for (const Node& node : topology.nodes) Put(node, out.add_nodes());
  PutAll(topology.voters, out.mutable_voters());
  for (const Keyspace& keyspace : topology.keyspaces) Put(keyspace, out.add_keyspaces());
  out.set_next_node_number(topology.next_node_number);
  out.set_next_keyspace_id(topology.next_keyspace_id);
  out.set_founders(topology.founders);
  return ToBytes(out);
}

Result<Topology> DecodeTopology(base::Bytes bytes) {
  ASSIGN_OR_RETURN(const auto in, Parse<wire::Topology>("a topology", bytes, kTopologyBytesMax));
  Topology topology{.cluster_id = Get(in.cluster_id()),
                    .cluster_name = in.cluster_name(),
                    .token_seed = in.token_seed(),
                    .generation = in.generation(),
                    .epoch = in.epoch(),
                    .nodes = {},
                    .voters = {},
                    .keyspaces = {},
                    .next_node_number = in.next_node_number(),
                    .next_keyspace_id = in.next_keyspace_id(),
                    .founders = in.founders()};
  for (const wire::Node& node : in.nodes()) {
    ASSIGN_OR_RETURN(Node decoded, Get(node));
    topology.nodes.push_back(std::move(decoded));
  }
  ASSIGN_OR_RETURN(topology.voters, GetVoters(in.voters()));
  for (const wire::Keyspace& keyspace : in.keyspaces()) {
    ASSIGN_OR_RETURN(Keyspace decoded, Get(keyspace));
    topology.keyspaces.push_back(std::move(decoded));
  }
  RETURN_IF_ERROR(Validate(topology));
  return topology;
}

std::string EncodePaxosRequest(const PaxosRequest& request) {
  wire::PaxosRequest out;
  out.set_kind(static_cast<wire::PaxosRequestKind>(request.kind));
  out.set_epoch(request.epoch);
  Put(request.ballot, out.mutable_ballot());
  PutAll(request.voters, out.mutable_voters());
  out.set_value(request.value);
  return ToBytes(out);
}

Result<PaxosRequest> DecodePaxosRequest(base::Bytes bytes) {
  ASSIGN_OR_RETURN(auto in, Parse<wire::PaxosRequest>("a Paxos request", bytes, kMessageBytesMax));
  if (!wire::PaxosRequestKind_IsValid(in.kind()) ||
      in.kind() == wire::PAXOS_REQUEST_KIND_UNSPECIFIED)
    return base::Fail(InvalidArgument(
        fmt::format("a Paxos request of unknown kind {}", static_cast<int>(in.kind()))));
  PaxosRequest request{.kind = static_cast<PaxosRequest::Kind>(in.kind()),
                       .epoch = in.epoch(),
                       .ballot = Get(in.ballot()),
                       .voters = {},
                       .value = {}};
  ASSIGN_OR_RETURN(request.voters, GetVoters(in.voters()));
  request.value = std::move(*in.mutable_value());
  if (request.epoch == 0) return base::Fail(InvalidArgument("a Paxos request for epoch 0"));
  return request;
}

std::string EncodePaxosReply(const PaxosReply& reply) {
  wire::PaxosReply out;
  out.set_kind(static_cast<wire::PaxosReplyKind>(reply.kind));
  Put(reply.from, out.mutable_from());
  out.set_epoch(reply.epoch);
  Put(reply.ballot, out.mutable_ballot());
  Put(reply.promised, out.mutable_promised());
  Put(reply.accepted, out.mutable_accepted());
  out.set_value(reply.value);
  out.set_known_epoch(reply.known_epoch);
  out.set_reason(reply.reason.substr(0, kReasonMax));
  Put(reply.place, out.mutable_place());
  Put(reply.left, out.mutable_left());
  return ToBytes(out);
}

Result<PaxosReply> DecodePaxosReply(base::Bytes bytes) {
  ASSIGN_OR_RETURN(auto in, Parse<wire::PaxosReply>("a Paxos reply", bytes, kMessageBytesMax));
  if (!wire::PaxosReplyKind_IsValid(in.kind()) || in.kind() == wire::PAXOS_REPLY_KIND_UNSPECIFIED)
    return base::Fail(InvalidArgument(
        fmt::format("a Paxos reply of unknown kind {}", static_cast<int>(in.kind()))));
  if (Get(in.from()).empty()) return base::Fail(InvalidArgument("a Paxos reply from nobody"));
  if (in.reason().size() > kReasonMax)
    return base::Fail(InvalidArgument("a Paxos reply with too long a reason"));
  return PaxosReply{.kind = static_cast<PaxosReply::Kind>(in.kind()),
                    .from = Get(in.from()),
                    .epoch = in.epoch(),
                    .ballot = Get(in.ballot()),
                    .promised = Get(in.promised()),
                    .accepted = Get(in.accepted()),
                    .value = std::move(*in.mutable_value()),
                    .known_epoch = in.known_epoch(),
                    .reason = std::move(*in.mutable_reason()),
                    .place = Get(in.place()),
                    .left = Get(in.left())};
}

std::string EncodeAcceptorState(const AcceptorState& state) {
  wire::AcceptorState out;
  out.set_epoch(state.epoch);
  PutAll(state.voters, out.mutable_voters());
  Put(state.promised, out.mutable_promised());
  Put(state.accepted, out.mutable_accepted());
  out.set_value(state.value);
  return ToBytes(out);
}

Result<AcceptorState> DecodeAcceptorState(base::Bytes bytes) {
  auto decoded = [&]() -> Result<AcceptorState> {
    ASSIGN_OR_RETURN(auto in,
                     Parse<wire::AcceptorState>("the stored vote", bytes, kMessageBytesMax));
    AcceptorState state{.epoch = in.epoch(),
                        .voters = {},
                        .promised = Get(in.promised()),
                        .accepted = Get(in.accepted()),
                        .value = {}};
    ASSIGN_OR_RETURN(state.voters, GetVoters(in.voters()));
    state.value = std::move(*in.mutable_value());
    const bool voted = state.epoch > 0;
    if (voted != !state.promised.empty() || voted != !state.voters.empty())
      return base::Fail(InvalidArgument("the stored vote lacks its epoch, ballot or voters"));
    if (state.accepted > state.promised || state.accepted.empty() != state.value.empty())
      return base::Fail(InvalidArgument("the stored vote contradicts itself"));
    return state;
  }();
  if (decoded.has_value()) return decoded;
  return base::Fail(base::Corruption(decoded.error().message()));
}

std::string EncodeNodeInfo(const NodeInfo& info) {
  wire::NodeInfo out;
  Put(info, &out);
  return ToBytes(out);
}

Result<NodeInfo> DecodeNodeInfo(base::Bytes bytes) {
  ASSIGN_OR_RETURN(const auto in, Parse<wire::NodeInfo>("a node", bytes, kMessageBytesMax));
  return Get(in);
}

std::string EncodeSeedHello(const SeedHello& hello) {
  wire::SeedHello out;
  out.set_round(hello.round);
  Put(hello.node, out.mutable_node());
  out.set_cluster_name(hello.cluster_name);
  for (const base::Address& seed : hello.seeds) Put(seed, out.add_seeds());
  PutAll(hello.bound_voters, out.mutable_bound_voters());
  out.set_topology(hello.topology);
  out.set_replaces(hello.replaces);
  out.set_join(hello.join);
  return ToBytes(out);
}

Result<SeedHello> DecodeSeedHello(base::Bytes bytes) {
  ASSIGN_OR_RETURN(auto in, Parse<wire::SeedHello>("a seed's hello", bytes, kMessageBytesMax));
  SeedHello hello;
  hello.round = in.round();
  ASSIGN_OR_RETURN(hello.node, Get(in.node()));
  RETURN_IF_ERROR(CheckClusterName(in.cluster_name()));
  hello.cluster_name = in.cluster_name();
  if (static_cast<std::size_t>(in.seeds_size()) > kSeedsMax)
    return base::Fail(InvalidArgument(
        fmt::format("a hello lists {} seeds; {} is the limit", in.seeds_size(), kSeedsMax)));
  for (const wire::Endpoint& seed : in.seeds()) hello.seeds.push_back(Get(seed));
  if (!std::is_sorted(hello.seeds.begin(), hello.seeds.end()))
    return base::Fail(InvalidArgument("the seeds of a hello are not sorted"));
  ASSIGN_OR_RETURN(hello.bound_voters, GetVoters(in.bound_voters()));
  hello.topology = std::move(*in.mutable_topology());
  hello.replaces = in.replaces();
  hello.join = in.join();
  return hello;
}

}  // namespace starling::topology
