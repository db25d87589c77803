#include "server/admin.h"

#include <fmt/core.h>

#include <algorithm>

#include "server/admin_places.h"
#include "server/control.h"
#include "server/version.h"
#include "storage/entry.h"

namespace starling::server {

using base::Json;

namespace {

// A member that has yet to catch up with its ranges is joining, as far as an operator can see.
char StateLetter(topology::NodeState state, const Snapshot::Peer& look) {
  if (state == topology::NodeState::kNormal && look.up && !look.ready) return 'J';
  switch (state) {
    case topology::NodeState::kJoining: return 'J';
    case topology::NodeState::kLeaving: return 'L';
    case topology::NodeState::kMoving: return 'M';
    default: return 'N';
  }
}

bool HasDryRun(std::string_view command) {
  constexpr std::string_view kThose[] = {"repair", "scrub",   "declareabsent",
                                         "flush",  "compact", "drain"};
  return std::ranges::find(kThose, command) != std::end(kThose);
}

}  // namespace

Admin::Admin(Control& control) : control_(control), jobs_(control.world_) {}
Admin::~Admin() = default;

void Admin::Answer(const ReplyTo& to, const Json& json) { control_.ReplyJson(to, json); }

void Admin::Fail(const ReplyTo& to, const base::Status& status) { control_.ReplyError(to, status); }

void Admin::Handle(const AdminCall& call) {
  const std::string& command = call.command;
  const ReplyTo& to = call.reply;
  if (command == "version") return Answer(to, {{"version", kVersion}});
  if (control_.snapshot_ == nullptr)
    return Fail(to, base::Unavailable("this node is not in a cluster yet: it waits for its seeds"));
  const auto keyspace = call.arguments.Text("keyspace");
  if (!keyspace) return Fail(to, keyspace.error());
  const auto key = call.arguments.Bytes("key");
  if (!key) return Fail(to, key.error());
  const auto dry_run = call.arguments.Flag("dry_run");
  if (!dry_run) return Fail(to, dry_run.error());
  if (*dry_run && !HasDryRun(command))  // It would be done.
    return Fail(to, base::InvalidArgument(fmt::format("'{}' has no dry run", command)));
  if (command == "status") return Answer(to, Status());
  if (command == "ring") return Answer(to, Ring());
  if (command == "describecluster") return Answer(to, DescribeCluster());
  if (command == "gossipinfo") return Answer(to, GossipInfo());
  if (command == "failuredetector") return Answer(to, FailureDetector());
  if (command == "repairstatus") return WithStats(to, &Admin::RepairStatus);
  if (command == "repair") return StartRepair(to, *keyspace, *dry_run);
  if (command == "info") return WithStats(to, &Admin::Info);
  if (command == "netstats") return WithStats(to, &Admin::NetStats);
  if (command == "scrub") return StartScrub(to, *dry_run);
  if (command == "scrubstatus") return Answer(to, ScrubStatus());
  if (command == "purgestatus") return WithStats(to, &Admin::PurgeStatus);
  if (command == "tablestats") return WithStats(to, &Admin::TableStats);
  if (command == "listpendinghints") return WithStats(to, &Admin::PendingHints);
  if (command == "getendpoints") return GetEndpoints(to, *keyspace, *key);
  if (command == "why") return StartWhy(to, *keyspace, *key);
  if (command == "declareabsent") return DeclareAbsent(to, call.arguments);
  if (command == "flush" && *dry_run) return Answer(to, DryFlush());
  if (command == "flush") return RunOnEngine(to, &storage::Engine::Flush);
  if (command == "compact" && *dry_run) return Answer(to, DryCompact());
  if (command == "compact") return RunOnEngine(to, &storage::Engine::Compact);
  if (command == "drain" && *dry_run) return Answer(to, DryDrain());
  if (command == "drain") {
    // Before the goodbye: afterwards nobody can ask again.
    if (const base::Status room = jobs_.Room(); !room.ok()) return Fail(to, room);
    return control_.Retire([this, to] { RunOnEngine(to, &storage::Engine::Flush); });
  }
  Fail(to, base::InvalidArgument(fmt::format("'{}' is not a command of this node", command)));
}

// --- what the snapshot says ---

Json Admin::Status() const {
  const Snapshot& snapshot = *control_.snapshot_;
  const topology::Topology& topology = *snapshot.topology;
  const topology::Keyspace* standard = topology.FindKeyspace("default");
  Json nodes = Json::Array();
  for (std::size_t i = 0; i < topology.nodes.size(); ++i) {
    const topology::Node& node = topology.nodes[i];
    if (!node.member()) continue;
    nodes.Append({{"address", node.cluster.IpString()},
                  {"status", control_.SeemsAlive(node) ? "U" : "D"},
                  {"state", std::string(1, StateLetter(node.state, snapshot.peers[i]))},
                  {"ready", snapshot.peers[i].ready},
                  {"disk_full", snapshot.peers[i].disk_full},
                  {"load_bytes", control_.LoadOf(node.host)},
                  {"tokens", node.tokens.size()},
                  {"owns", standard == nullptr ? 0.0 : snapshot.ring->Owns(standard->id, i)},
                  {"host_id", node.host.ToString()},
                  {"dc", node.dc},
                  {"rack", node.rack}});
  }
  return {{"cluster", topology.cluster_name},
          {"epoch", topology.epoch},
          {"nodes", nodes},
          {"warnings", Warnings()}};
}

Json Admin::Ring() const {
  Json nodes = Json::Array();
  for (const topology::Node* node : control_.snapshot_->topology->members())
    nodes.Append({{"address", node->cluster.IpString()}, {"tokens", node->tokens}});
  return {{"nodes", nodes}};
}

Json Admin::DescribeCluster() const {
  const topology::Topology& topology = *control_.snapshot_->topology;
  Json voters = Json::Array();
  for (const base::HostId& voter : topology.voters) voters.Append(voter.ToString());
  Json keyspaces = Json::Array();
  for (const topology::Keyspace& keyspace : topology.keyspaces)
    keyspaces.Append({{"name", keyspace.name},
                      {"replication", keyspace.replication.ToString()},
                      {"effective", EffectiveFactor(topology, keyspace.replication)}});
  return {{"cluster", topology.cluster_name},
          {"cluster_id", topology.cluster_id.ToString()},
          {"epoch", topology.epoch},
          {"token_seed", topology.token_seed},
          {"voters", voters},
          {"keyspaces", keyspaces}};
}

void Admin::GetEndpoints(const ReplyTo& to, const std::string& keyspace, const std::string& key) {
  const Snapshot& snapshot = *control_.snapshot_;
  const topology::Keyspace* space = snapshot.topology->FindKeyspace(keyspace);
  if (const base::Status place = CheckPlace(space, keyspace, key); !place.ok())
    return Fail(to, place);
  const base::Token token = base::TokenOf(key, snapshot.topology->token_seed);
  Json endpoints = Json::Array();
  for (const std::uint16_t node : snapshot.ring->Replicas(space->id, base::BucketOf(token)))
    endpoints.Append(snapshot.node(node).cluster.IpString());
  Answer(to, {{"token", token}, {"bucket", base::BucketOf(token)}, {"endpoints", endpoints}});
}

// --- what takes a while ---

void Admin::RunOnEngine(const ReplyTo& to, base::Status (storage::Engine::*work)()) {
  const base::Status started = jobs_.Start(
      [&engine = control_.shared_.engine, work]() -> base::Result<Json> {
        RETURN_IF_ERROR((engine.*work)());
        return Json{{"done", true}};
      },
      [this, to](const base::Result<Json>& done) {
        return done ? Answer(to, *done) : Fail(to, done.error());
      });
  if (!started.ok()) Fail(to, started);
}

}  // namespace starling::server
