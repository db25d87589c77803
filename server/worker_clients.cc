// server/worker_clients.cc: what clients ask of a worker, port 7701.
#include <fmt/core.h>

#include "base/hash.h"
#include "base/unreachable.h"
#include "server/wire/limits.h"
#include "server/worker.h"
#include "storage/entry.h"

namespace starling::server {
namespace {

wire::ErrorReply NoSuchKeyspace(base::KeyspaceId id, std::uint64_t epoch) {
  return {base::Code::kInvalidArgument,
          fmt::format("there is no keyspace with id {} in epoch {}: fetch the cluster map again",
                      id, epoch),
          {}};
}

// What is everywhere is read and written at one node: no other level means anything there.
base::Status CheckLevel(const topology::Keyspace& keyspace, wire::Consistency level) {
  if (!keyspace.replication.everywhere() || level == wire::Consistency::kOne) return base::Ok();
  return base::InvalidArgument(fmt::format(
      "keyspace '{}' is everywhere: each node answers for itself, and {} cannot be had, "
      "only ONE",
      keyspace.name, wire::ConsistencyName(level)));
}

}  // namespace

bool Worker::OnClientFrame(base::ConnId conn, Conn& state, const wire::Frame& frame) {
  if (!state.greeted) return GreetClient(conn, state, frame);
  const ReplyTo reply{
      id_, conn, frame.request_id, ReplyTo::Protocol::kNative, {}, state.value_bytes};
  if (state.open >= shared_.config.limits.in_flight_max) {
    wire::SendFrame(world_, conn, frame.request_id,
                    wire::ErrorReply{base::Code::kOverloaded,
                                     fmt::format("{} requests of this connection are open, the "
                                                 "limit is limits.in_flight",
                                                 state.open),
                                     {}});
    return true;
  }
  ++state.open;
  switch (frame.kind) {
    case wire::Kind::kPut:
    case wire::Kind::kGet:
    case wire::Kind::kScan:
    case wire::Kind::kClusterMap:
    case wire::Kind::kPing: HandleClient(reply, frame); return true;
    case wire::Kind::kCreateKeyspace:
    case wire::Kind::kAdmin: PostFrame(base::kControlActor, reply, 0, frame); return true;
    default:
      CloseWithError(conn, frame.request_id,
                     base::InvalidArgument(fmt::format("frame kind {} is not for clients",
                                                       static_cast<unsigned>(frame.kind))));
      return false;
  }
}

bool Worker::GreetClient(base::ConnId conn, Conn& state, const wire::Frame& frame) {
  const auto hello = frame.kind == wire::Kind::kHello
                         ? wire::Decode<wire::Hello>(frame.header)
                         : base::Fail(base::InvalidArgument("the first frame must be a hello"));
  base::Status refusal;
  if (!hello) {
    refusal = hello.error();
  } else if (hello->role != wire::Role::kClient) {
    refusal = base::InvalidArgument("this port is for clients; nodes talk on the cluster port");
  } else if (hello->protocol_min > wire::kProtocolVersion ||
             hello->protocol_max < wire::kProtocolVersion) {
    refusal = base::FailedPrecondition(
        fmt::format("this node speaks protocol {}, the client {} to {}", wire::kProtocolVersion,
                    hello->protocol_min, hello->protocol_max));
  } else if (!hello->cluster_name.empty() && hello->cluster_name != shared_.config.cluster.name) {
    refusal = base::FailedPrecondition(fmt::format(
        "this is cluster '{}', not '{}'", shared_.config.cluster.name, hello->cluster_name));
  }
  if (!refusal.ok()) {
    CloseWithError(conn, frame.request_id, refusal);
    return false;
  }
  state.greeted = true;
  wire::SendFrame(world_, conn, frame.request_id, Greeting());
  return true;
}

wire::HelloReply Worker::Greeting() const {
  wire::HelloReply reply;
  reply.cluster_name = shared_.config.cluster.name;
  reply.host = shared_.identity.host;
  reply.boot = shared_.identity.boot;
  reply.key_bytes_max = storage::kKeyBytesMax;
  reply.value_bytes_max = static_cast<std::uint32_t>(shared_.config.limits.value_bytes_max);
  reply.in_flight_max = shared_.config.limits.in_flight_max;
  if (snapshot_ != nullptr) {
    reply.cluster_id = snapshot_->topology->cluster_id;
    reply.epoch = snapshot_->topology->epoch;
    reply.token_seed = snapshot_->topology->token_seed;
  }
  return reply;
}

void Worker::HandleClient(const ReplyTo& reply, const wire::Frame& frame) {
  if (frame.kind == wire::Kind::kPing) return Reply(reply, wire::PongReply{});
  if (snapshot_ == nullptr)
    return ReplyError(reply, {base::Code::kUnavailable,
                              "this node is not in a cluster yet: it waits for its seeds (see its "
                              "log)",
                              {}});
  switch (frame.kind) {
    case wire::Kind::kPut: HandlePut(reply, frame); return;
    case wire::Kind::kGet: HandleGet(reply, frame); return;
    case wire::Kind::kScan: HandleScan(reply, frame); return;
    case wire::Kind::kClusterMap: HandleClusterMap(reply); return;
    default: UNREACHABLE("OnClientFrame lets nothing else through");
  }
}

void Worker::HandlePut(const ReplyTo& reply, const wire::Frame& frame) {
  const auto put = wire::Decode<wire::PutRequest>(frame.header);
  if (!put) return ReplyError(reply, wire::ErrorOf(put.error()));
  const topology::Keyspace* keyspace = snapshot_->topology->FindKeyspace(put->keyspace);
  if (keyspace == nullptr)
    return ReplyError(reply, NoSuchKeyspace(put->keyspace, snapshot_->topology->epoch));
  if (const base::Status status = CheckLevel(*keyspace, put->level); !status.ok())
    return ReplyError(reply, wire::ErrorOf(status));
  if (frame.payload.size() > shared_.config.limits.value_bytes_max)
    return ReplyError(reply,
                      {base::Code::kInvalidArgument,
                       fmt::format("the value has {} bytes, the limit is {} (limits.value)",
                                   frame.payload.size(), shared_.config.limits.value_bytes_max),
                       {}});
  if (const std::int64_t ahead_ms = put->stamp.wall_ms() - world_.WallMs();
      !put->stamp.empty() && ahead_ms > wire::kStampAheadMsMax)
    return ReplyError(reply,
                      {base::Code::kInvalidArgument,
                       fmt::format("the stamp of the put to repeat lies {} ms in the future, "
                                   "at most {} are taken",
                                   ahead_ms, wire::kStampAheadMsMax),
                       {}});
  const base::Token token = base::TokenOf(put->key, snapshot_->topology->token_seed);
  if (HandOver(base::BucketOf(token), reply, 0, frame)) return;
  if (storage::ValueDigest(frame.payload) != put->value_digest)
    return ReplyError(reply, {base::Code::kCorruption,
                              "the value's digest does not fit: it was damaged on its way",
                              {}});
  coordinator_.Put(reply, *put, token, frame.payload);
}

void Worker::HandleGet(const ReplyTo& reply, const wire::Frame& frame) {
  const auto get = wire::Decode<wire::GetRequest>(frame.header);
  if (!get) return ReplyError(reply, wire::ErrorOf(get.error()));
  const topology::Keyspace* keyspace = snapshot_->topology->FindKeyspace(get->keyspace);
  if (keyspace == nullptr)
    return ReplyError(reply, NoSuchKeyspace(get->keyspace, snapshot_->topology->epoch));
  if (const base::Status status = CheckLevel(*keyspace, get->level); !status.ok())
    return ReplyError(reply, wire::ErrorOf(status));
  const base::Token token = base::TokenOf(get->key, snapshot_->topology->token_seed);
  if (HandOver(base::BucketOf(token), reply, 0, frame)) return;
  coordinator_.Get(reply, *get, token);
}

void Worker::HandleScan(const ReplyTo& reply, const wire::Frame& frame) {
  const auto scan = wire::Decode<wire::ScanRequest>(frame.header);
  if (!scan) return ReplyError(reply, wire::ErrorOf(scan.error()));
  const topology::Keyspace* keyspace = snapshot_->topology->FindKeyspace(scan->keyspace);
  if (keyspace == nullptr)
    return ReplyError(reply, NoSuchKeyspace(scan->keyspace, snapshot_->topology->epoch));
  if (const base::Status status = CheckLevel(*keyspace, scan->level); !status.ok())
    return ReplyError(reply, wire::ErrorOf(status));
  scans_.Start(reply, *scan);
}

void Worker::HandleClusterMap(const ReplyTo& reply) {
  std::string map;
  wire::EncodeTo(MapOfCluster(), map);
  Reply(reply, wire::ClusterMapReply{base::Hash64(map)}, map);
}

wire::ClusterMap Worker::MapOfCluster() const {
  const topology::Topology& topology = *snapshot_->topology;
  wire::ClusterMap map;
  map.cluster_name = topology.cluster_name;
  map.cluster_id = topology.cluster_id;
  map.epoch = topology.epoch;
  map.token_seed = topology.token_seed;
  for (std::size_t i = 0; i < topology.nodes.size(); ++i) {
    const topology::Node& node = topology.nodes[i];
    if (node.member())
      map.nodes.push_back(
          {node.number, node.host, node.client, node.dc, node.rack, snapshot_->peers[i].up});
  }
  for (const topology::Keyspace& keyspace : topology.keyspaces) {
    wire::ClusterMap::Keyspace& out = map.keyspaces.emplace_back();
    out.id = keyspace.id;
    out.name = keyspace.name;
    out.replication = keyspace.replication.ToString();
    out.effective_factor = topology::EffectiveFactor(topology, keyspace.replication);
    // In the ring's order, owners first: clients send a key's puts to its owner, and so spread
    // them.
    for (std::uint32_t bucket = 0; bucket < base::kBuckets;) {
      const auto first = static_cast<std::uint16_t>(bucket);
      wire::ClusterMap::Range& to = out.ranges.emplace_back();
      to.first_bucket = first;
      for (const std::uint16_t node : snapshot_->ring->Replicas(keyspace.id, first))
        to.replicas.push_back(topology.nodes[node].number);
      bucket = snapshot_->ring->RunEnd(keyspace.id, first);
    }
  }
  return map;
}

// --- answers ---

void Worker::ReplyPut(const ReplyTo& to, const wire::PutReply& reply) {
  if (to.protocol == ReplyTo::Protocol::kNative) return Reply(to, reply);
  SendKeyResult(to, {});
}

void Worker::ReplyGet(const ReplyTo& to, const wire::GetReply& reply, base::Bytes value) {
  if (to.protocol == ReplyTo::Protocol::kNative) return ReplyValue(to, reply, value);
  resp::KeyResult result{.found = reply.found, .expiry_ms = reply.expiry_ms, .value = value};
  // Redis clients can't verify what they get, so it is done here, at the end of its way.
  if (!value.empty() && storage::ValueDigest(value) != reply.value_digest)
    result = {.status = base::Corruption("the value's digest does not fit: it was damaged")};
  SendKeyResult(to, result);
}

void Worker::ReplyError(const ReplyTo& to, const wire::ErrorReply& error) {
  if (to.protocol == ReplyTo::Protocol::kNative) return Reply(to, error);
  SendKeyResult(to, {.status = base::Status(error.code, error.message)});
}

void Worker::OnScanDone(const ReplyTo& to, const wire::ScanReply& reply, base::Bytes payload) {
  Reply(to, reply, payload);
}

void Worker::OnScanFailed(const ReplyTo& to, const wire::ErrorReply& error) { Reply(to, error); }

}  // namespace starling::server
