#include "server/admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/check.h"
#include "base/hash.h"
#include "server/admin_json.h"
#include "server/control.h"
#include "server/version.h"
#include "server/wire/limits.h"
#include "storage/entry.h"

namespace starling::server {

// As in each file that fills one: the type is kept out of headers.
struct Admin::Json {
  json value;
};

// A flush or a compaction, off the actors.
struct Admin::EngineJob final : base::Job {
  EngineJob(Admin& home, bool compact_all) : admin(home), compact(compact_all) {}
  void Run() noexcept override {
    storage::Engine& engine = admin.control_.shared_.engine;
    status = compact ? engine.Compact() : engine.Flush();
  }
  void Done() override { admin.OnEngineJob(*this); }

  Admin& admin;
  const bool compact;
  ReplyTo reply;
  base::Status status;
};

namespace {

std::string TextOf(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string StringIn(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool FlagIn(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

// "key", or "key_base64" where JSON can't hold its bytes.
base::Result<std::string> KeyIn(const json& arguments) {
  const std::string text = StringIn(arguments, "key_base64");
  if (text.empty()) return StringIn(arguments, "key");
  auto key = base::FromBase64(text);
  if (!key) return base::Fail(key.error().Annotate("key_base64"));
  return key;
}

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

}  // namespace

json OrNull(std::optional<std::int64_t> value) { return value ? json(*value) : json(); }

base::Status NoKeyspace(const std::string& name) {
  return base::InvalidArgument(
      fmt::format("there is no keyspace '{}'", name.substr(0, wire::kNameBytesMax)));
}

// A longer key fits in no frame to the replicas.
base::Status CheckPlace(const topology::Keyspace* space, const std::string& name,
                        const std::string& key) {
  if (space == nullptr) return NoKeyspace(name);
  if (key.empty()) return base::InvalidArgument("the key is empty");
  if (key.size() > wire::kKeyBytesMax)
    return base::InvalidArgument(
        fmt::format("the key has {} bytes, at most {} are taken", key.size(), wire::kKeyBytesMax));
  return base::Ok();
}

Admin::Admin(Control& control) : control_(control) {}
Admin::~Admin() = default;

void Admin::Answer(const ReplyTo& to, const Json& made) {
  const std::string text = TextOf(made.value);
  control_.Reply(to, wire::AdminReply{base::Hash64(text)}, text);
}

void Admin::Fail(const ReplyTo& to, const base::Status& status) { control_.ReplyError(to, status); }

void Admin::Handle(const FrameMail& mail) {
  const auto request = wire::Decode<wire::AdminRequest>(mail.header);
  if (!request) return Fail(mail.reply, request.error());
  if (base::Hash64(mail.payload) != request->payload_digest)
    return Fail(mail.reply, base::Corruption("the arguments were damaged on their way"));
  const json arguments =
      mail.payload.empty() ? json::object() : json::parse(mail.payload, nullptr, false);
  if (!arguments.is_object())
    return Fail(mail.reply, base::InvalidArgument("the arguments are not a JSON object"));
  const std::string& command = request->command;
  const ReplyTo& to = mail.reply;
  if (command == "version") return Answer(to, {{{"version", kVersion}}});
  if (control_.snapshot_ == nullptr)
    return Fail(to, base::Unavailable("this node is not in a cluster yet: it waits for its seeds"));
  const std::string keyspace = StringIn(arguments, "keyspace");
  const auto key = KeyIn(arguments);
  if (!key) return Fail(to, key.error());
  if (command == "status") return Answer(to, Status());
  if (command == "ring") return Answer(to, Ring());
  if (command == "describecluster") return Answer(to, DescribeCluster());
  if (command == "gossipinfo") return Answer(to, GossipInfo());
  if (command == "failuredetector") return Answer(to, FailureDetector());
  if (command == "repairstatus") return Answer(to, RepairStatus());
  if (command == "repair") return StartRepair(to, keyspace);
  if (command == "info") return WithStats(to, &Admin::Info);
  if (command == "netstats") return WithStats(to, &Admin::NetStats);
  if (command == "scrub") return StartScrub(to, FlagIn(arguments, "dry_run"));
  if (command == "scrubstatus") return Answer(to, ScrubStatus());
  if (command == "purgestatus") return WithStats(to, &Admin::PurgeStatus);
  if (command == "tablestats") return WithStats(to, &Admin::TableStats);
  if (command == "listpendinghints") return WithStats(to, &Admin::PendingHints);
  if (command == "getendpoints") return GetEndpoints(to, keyspace, *key);
  if (command == "why") return StartWhy(to, keyspace, *key);
  if (command == "flush") return RunEngineJob(to, false);
  if (command == "compact") return RunEngineJob(to, true);
  if (command == "drain") return control_.Retire([this, to] { RunEngineJob(to, false); });
  Fail(to, base::InvalidArgument(fmt::format("'{}' is not a command of this node", command)));
}

// --- what the snapshot says ---

Admin::Json Admin::Status() const {
  const Snapshot& snapshot = *control_.snapshot_;
  const topology::Topology& topology = *snapshot.topology;
  const topology::Keyspace* standard = topology.FindKeyspace("default");
  json nodes = json::array();
  for (std::size_t i = 0; i < topology.nodes.size(); ++i) {
    const topology::Node& node = topology.nodes[i];
    if (!node.member()) continue;
    nodes.push_back({{"address", node.cluster.IpString()},
                     {"status", control_.SeemsAlive(node) ? "U" : "D"},
                     {"state", std::string(1, StateLetter(node.state, snapshot.peers[i]))},
                     {"ready", snapshot.peers[i].ready},
                     {"disk_full", snapshot.peers[i].disk_full},
                     {"load_bytes", OrNull(control_.LoadOf(node.host))},
                     {"tokens", node.tokens.size()},
                     {"owns", standard == nullptr ? 0.0 : snapshot.ring->Owns(standard->id, i)},
                     {"host_id", node.host.ToString()},
                     {"dc", node.dc},
                     {"rack", node.rack}});
  }
  return {{{"cluster", topology.cluster_name},
           {"epoch", topology.epoch},
           {"nodes", nodes},
           {"warnings", Warnings().value}}};
}

Admin::Json Admin::Ring() const {
  json nodes = json::array();
  for (const topology::Node* node : control_.snapshot_->topology->members())
    nodes.push_back({{"address", node->cluster.IpString()}, {"tokens", node->tokens}});
  return {{{"nodes", nodes}}};
}

Admin::Json Admin::DescribeCluster() const {
  const topology::Topology& topology = *control_.snapshot_->topology;
  json voters = json::array();
  for (const base::HostId& voter : topology.voters) voters.push_back(voter.ToString());
  json keyspaces = json::array();
  for (const topology::Keyspace& keyspace : topology.keyspaces)
    keyspaces.push_back({{"name", keyspace.name},
                         {"replication", keyspace.replication.ToString()},
                         {"effective", EffectiveFactor(topology, keyspace.replication)}});
  return {{{"cluster", topology.cluster_name},
           {"cluster_id", topology.cluster_id.ToString()},
           {"epoch", topology.epoch},
           {"token_seed", topology.token_seed},
           {"voters", voters},
           {"keyspaces", keyspaces}}};
}

Admin::Json Admin::RepairStatus() const {
  const Snapshot& snapshot = *control_.snapshot_;
  json ranges = json::array();
  for (const topology::Keyspace& keyspace : snapshot.topology->keyspaces) {
    for (const topology::Range& range : snapshot.ring->ranges(keyspace.id)) {
      if (std::find(range.replicas.begin(), range.replicas.end(), snapshot.self) ==
          range.replicas.end())
        continue;
      json replicas = json::array();
      json blocked = json::array();
      bool equal = true;
      std::int64_t equal_ms = INT64_MAX;
      for (const std::uint16_t node : range.replicas) {
        replicas.push_back(snapshot.node(node).cluster.IpString());
        if (node == snapshot.self) continue;
        const Repair::Standing standing = control_.repair_.StandingWith(node, keyspace.id);
        equal = equal && standing.equal;
        equal_ms = std::min(equal_ms, standing.equal_ms);
        if (standing.equal) continue;
        std::string why = snapshot.node(node).cluster.IpString();
        if (!standing.problem.empty()) why += ": " + standing.problem;
        blocked.push_back(why);
      }
      const RangeProof* proof = control_.proofs_.Find(keyspace.id, range);
      for (const std::string& why : control_.proofs_.BlockedBy(keyspace.id, range)) {
        const bool told = std::ranges::any_of(blocked, [&](const json& each) {
          return why.starts_with(each.get<std::string>().substr(0, why.find(':')));
        });
        if (!told) blocked.push_back(why);
      }
      if (equal_ms == INT64_MAX) equal_ms = control_.world_.WallMs();  // Nobody to differ from.
      ranges.push_back(
          {{"keyspace", keyspace.name},
           {"range", fmt::format("{:04x}-{:04x}", range.first_bucket, range.last_bucket)},
           {"replicas", replicas},
           {"equal", equal},
           {"last_equal_ms", equal_ms == 0 ? json() : json(equal_ms)},
           {"proved_through_ms", proof == nullptr ? json() : json(merkle::EndOf(proof->through))},
           {"blocked_by", blocked}});
    }
  }
  const RangeProof* oldest = control_.proofs_.Oldest();
  return {{{"ranges", ranges},
           {"oldest_proof_ms", oldest == nullptr ? json() : json(merkle::EndOf(oldest->through))},
           {"warnings", Warnings().value}}};
}

void Admin::GetEndpoints(const ReplyTo& to, const std::string& keyspace, const std::string& key) {
  const Snapshot& snapshot = *control_.snapshot_;
  const topology::Keyspace* space = snapshot.topology->FindKeyspace(keyspace);
  if (const base::Status place = CheckPlace(space, keyspace, key); !place.ok())
    return Fail(to, place);
  const base::Token token = base::TokenOf(key, snapshot.topology->token_seed);
  json endpoints = json::array();
  for (const std::uint16_t node : snapshot.ring->Replicas(space->id, base::BucketOf(token)))
    endpoints.push_back(snapshot.node(node).cluster.IpString());
  Answer(to, {{{"token", token}, {"bucket", base::BucketOf(token)}, {"endpoints", endpoints}}});
}

// --- what takes a while ---

void Admin::StartRepair(const ReplyTo& to, const std::string& keyspace) {
  base::KeyspaceId id = Repair::kAllKeyspaces;
  if (!keyspace.empty()) {
    const topology::Keyspace* space = control_.snapshot_->topology->FindKeyspace(keyspace);
    if (space == nullptr) return Fail(to, NoKeyspace(keyspace));
    id = space->id;
  }
  control_.repair_.RunNow(id, [this, to](const Repair::Result& result) {
    Answer(to, {{{"compared", result.compared},
                 {"peers", result.peers},
                 {"entries_received", result.entries_received},
                 {"equal", result.equal},
                 {"reason", result.reason},
                 {"took_ms", base::ToMs(result.took)}}});
  });
}

void Admin::RunEngineJob(const ReplyTo& to, bool compact) {
  auto job = std::make_unique<EngineJob>(*this, compact);
  job->reply = to;
  EngineJob& running = *job;
  jobs_.push_back(std::move(job));
  control_.world_.Offload(base::Lane::kMaintenance, running);
}

void Admin::OnEngineJob(EngineJob& job) {
  const auto it = std::find_if(jobs_.begin(), jobs_.end(),
                               [&](const auto& each) { return each.get() == &job; });
  CHECK(it != jobs_.end());
  const std::unique_ptr<EngineJob> done = std::move(*it);
  jobs_.erase(it);
  if (!done->status.ok()) return Fail(done->reply, done->status);
  Answer(done->reply, {{{"done", true}}});
}

}  // namespace starling::server
