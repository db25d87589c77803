// server/wire/admin_codec.cc: the cluster map, keyspaces and operators' requests to Protobuf and
// back.
#include "server/wire/client.pb.h"
#include "server/wire/codec.h"
#include "server/wire/codec_parts.h"

namespace starling::wire {

using base::Bytes;
using base::Result;

namespace {

using Ranges = std::vector<ClusterMap::Range>;

bool Alike(const Ranges& a, const Ranges& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first_bucket == y.first_bucket && x.replicas == y.replicas;
  });
}

void StorePlacement(const Ranges& ranges, v1::ClusterMap::Placement* pb) {
  std::uint32_t before = 0;
  for (const ClusterMap::Range& range : ranges) {
    pb->add_first_bucket_step(range.first_bucket - before);
    before = range.first_bucket;
    pb->add_replica_count(static_cast<std::uint32_t>(range.replicas.size()));
    for (const base::NodeNumber replica : range.replicas) pb->add_replicas(replica);
  }
}

Result<Ranges> PlacementOf(const v1::ClusterMap::Placement& pb) {
  if (pb.first_bucket_step_size() != pb.replica_count_size())
    return parts::Refuse("ClusterMap", "placement: as many replica_count as ranges are needed");
  Ranges ranges;
  std::uint64_t bucket = 0;
  int taken = 0;
  for (int i = 0; i < pb.first_bucket_step_size(); ++i) {
    const std::uint32_t step = pb.first_bucket_step(i);
    bucket += step;
    if ((i == 0) != (step == 0) || bucket >= base::kBuckets)
      return parts::Refuse("ClusterMap", "placement: ranges must rise from bucket 0");
    const std::uint32_t count = pb.replica_count(i);
    if (count > kReplicasMax || count > static_cast<std::uint32_t>(pb.replicas_size() - taken))
      return parts::Refuse("ClusterMap", "placement: replicas are missing");
    const auto* first = pb.replicas().data() + taken;
    ranges.push_back({static_cast<std::uint16_t>(bucket), {first, first + count}});
    taken += static_cast<int>(count);
  }
  if (taken != pb.replicas_size())
    return parts::Refuse("ClusterMap", "placement: replicas are left over");
  return ranges;
}

void StoreNode(const ClusterMap::Node& node, v1::ClusterMap::Node* pb) {
  pb->set_number(node.number);
  parts::StoreHost(node.host, pb->mutable_host());
  pb->set_client_ip(node.client.ip);
  pb->set_client_port(node.client.port);
  pb->set_dc(node.dc);
  pb->set_rack(node.rack);
  pb->set_up(node.up);
}

Result<ClusterMap::Node> NodeOf(const v1::ClusterMap::Node& pb) {
  if (pb.number() == 0) return parts::Refuse("ClusterMap", "a node has no number");
  RETURN_IF_ERROR(parts::CheckAtMost("ClusterMap", "client_port", pb.client_port(), 65535));
  RETURN_IF_ERROR(parts::CheckSize("ClusterMap", "dc", pb.dc().size(), kNameBytesMax));
  RETURN_IF_ERROR(parts::CheckSize("ClusterMap", "rack", pb.rack().size(), kNameBytesMax));
  return ClusterMap::Node{.number = pb.number(),
                          .host = parts::HostOf(pb.host()),
                          .client = {pb.client_ip(), static_cast<std::uint16_t>(pb.client_port())},
                          .dc = pb.dc(),
                          .rack = pb.rack(),
                          .up = pb.up()};
}

// Keyspaces that are placed alike share one placement.
void StoreKeyspaces(const std::vector<ClusterMap::Keyspace>& keyspaces, v1::ClusterMap& pb) {
  std::vector<const Ranges*> stored;
  for (const ClusterMap::Keyspace& keyspace : keyspaces) {
    const auto alike = std::find_if(stored.begin(), stored.end(),
                                    [&](const Ranges* r) { return Alike(*r, keyspace.ranges); });
    const auto placement = static_cast<std::uint32_t>(alike - stored.begin());
    if (alike == stored.end()) {
      stored.push_back(&keyspace.ranges);
      StorePlacement(keyspace.ranges, pb.add_placements());
    }
    auto* out = pb.add_keyspaces();
    out->set_id(keyspace.id);
    out->set_name(keyspace.name);
    out->set_replication(keyspace.replication);
    out->set_effective_factor(keyspace.effective_factor);
    out->set_placement(placement);
  }
}

Result<ClusterMap::Keyspace> KeyspaceOf(const v1::ClusterMap::Keyspace& pb,
                                        const std::vector<Ranges>& placements) {
  RETURN_IF_ERROR(parts::CheckSize("ClusterMap", "keyspace", pb.name().size(), kNameBytesMax));
  RETURN_IF_ERROR(
      parts::CheckSize("ClusterMap", "replication", pb.replication().size(), kReplicationBytesMax));
  if (pb.placement() >= placements.size())
    return parts::Refuse("ClusterMap", "a keyspace names a placement that is not there");
  return ClusterMap::Keyspace{.id = pb.id(),
                              .name = pb.name(),
                              .replication = pb.replication(),
                              .effective_factor = pb.effective_factor(),
                              .ranges = placements[pb.placement()]};
}

}  // namespace

void EncodeTo(const ClusterMap& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ClusterMap>();
  pb.set_cluster_name(message.cluster_name);
  parts::StoreHost(message.cluster_id, pb.mutable_cluster_id());
  pb.set_epoch(message.epoch);
  pb.set_token_seed(message.token_seed);
  for (const ClusterMap::Node& node : message.nodes) StoreNode(node, pb.add_nodes());
  StoreKeyspaces(message.keyspaces, pb);
  parts::AppendTo(pb, out);
}

template <>
Result<ClusterMap> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ClusterMap>(header);
  if (pb == nullptr) return parts::RefuseBytes("ClusterMap");
  RETURN_IF_ERROR(
      parts::CheckSize("ClusterMap", "cluster_name", pb->cluster_name().size(), kNameBytesMax));
  ClusterMap map{.cluster_name = pb->cluster_name(),
                 .cluster_id = parts::HostOf(pb->cluster_id()),
                 .epoch = pb->epoch(),
                 .token_seed = pb->token_seed(),
                 .nodes = {},
                 .keyspaces = {}};
  for (const auto& node : pb->nodes()) {
    ASSIGN_OR_RETURN(ClusterMap::Node decoded, NodeOf(node));
    map.nodes.push_back(std::move(decoded));
  }
  std::vector<Ranges> placements;
  for (const auto& placement : pb->placements()) {
    ASSIGN_OR_RETURN(Ranges decoded, PlacementOf(placement));
    placements.push_back(std::move(decoded));
  }
  for (const auto& keyspace : pb->keyspaces()) {
    ASSIGN_OR_RETURN(ClusterMap::Keyspace decoded, KeyspaceOf(keyspace, placements));
    map.keyspaces.push_back(std::move(decoded));
  }
  return map;
}

void EncodeTo(const ClusterMapReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ClusterMapReply>();
  pb.set_payload_digest(message.payload_digest);
  parts::AppendTo(pb, out);
}

template <>
Result<ClusterMapReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ClusterMapReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("ClusterMapReply");
  return ClusterMapReply{.payload_digest = pb->payload_digest()};
}

void EncodeTo(const ClusterMapRequest&, std::string& out) {
  parts::AppendTo(parts::ToFill<v1::ClusterMapRequest>(), out);
}

template <>
Result<ClusterMapRequest> Decode(Bytes header) {
  if (parts::Parse<v1::ClusterMapRequest>(header) == nullptr)
    return parts::RefuseBytes("ClusterMapRequest");
  return ClusterMapRequest{};
}

void EncodeTo(const CreateKeyspaceRequest& message, std::string& out) {
  auto& pb = parts::ToFill<v1::CreateKeyspaceRequest>();
  pb.set_name(message.name);
  pb.set_replication(message.replication);
  pb.set_deadline_ms(message.deadline_ms);
  parts::AppendTo(pb, out);
}

template <>
Result<CreateKeyspaceRequest> Decode(Bytes header) {
  constexpr std::string_view kName = "CreateKeyspaceRequest";
  const auto* pb = parts::Parse<v1::CreateKeyspaceRequest>(header);
  if (pb == nullptr) return parts::RefuseBytes(kName);
  RETURN_IF_ERROR(parts::CheckSize(kName, "name", pb->name().size(), kNameBytesMax));
  RETURN_IF_ERROR(
      parts::CheckSize(kName, "replication", pb->replication().size(), kReplicationBytesMax));
  return CreateKeyspaceRequest{
      .name = pb->name(), .replication = pb->replication(), .deadline_ms = pb->deadline_ms()};
}

void EncodeTo(const CreateKeyspaceReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::CreateKeyspaceReply>();
  pb.set_id(message.id);
  pb.set_existed(message.existed);
  parts::AppendTo(pb, out);
}

template <>
Result<CreateKeyspaceReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::CreateKeyspaceReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("CreateKeyspaceReply");
  return CreateKeyspaceReply{.id = pb->id(), .existed = pb->existed()};
}

void EncodeTo(const AdminRequest& message, std::string& out) {
  auto& pb = parts::ToFill<v1::AdminRequest>();
  pb.set_command(message.command);
  pb.set_deadline_ms(message.deadline_ms);
  pb.set_payload_digest(message.payload_digest);
  parts::AppendTo(pb, out);
}

template <>
Result<AdminRequest> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::AdminRequest>(header);
  if (pb == nullptr) return parts::RefuseBytes("AdminRequest");
  if (pb->command().empty()) return parts::Refuse("AdminRequest", "the command is empty");
  RETURN_IF_ERROR(
      parts::CheckSize("AdminRequest", "command", pb->command().size(), kCommandBytesMax));
  return AdminRequest{.command = pb->command(),
                      .deadline_ms = pb->deadline_ms(),
                      .payload_digest = pb->payload_digest()};
}

void EncodeTo(const AdminReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::AdminReply>();
  pb.set_payload_digest(message.payload_digest);
  parts::AppendTo(pb, out);
}

template <>
Result<AdminReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::AdminReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("AdminReply");
  return AdminReply{.payload_digest = pb->payload_digest()};
}

void EncodeTo(const PingRequest&, std::string& out) {
  parts::AppendTo(parts::ToFill<v1::PingRequest>(), out);
}

template <>
Result<PingRequest> Decode(Bytes header) {
  if (parts::Parse<v1::PingRequest>(header) == nullptr) return parts::RefuseBytes("PingRequest");
  return PingRequest{};
}

void EncodeTo(const PongReply&, std::string& out) {
  parts::AppendTo(parts::ToFill<v1::PongReply>(), out);
}

template <>
Result<PongReply> Decode(Bytes header) {
  if (parts::Parse<v1::PongReply>(header) == nullptr) return parts::RefuseBytes("PongReply");
  return PongReply{};
}

}  // namespace starling::wire
