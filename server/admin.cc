#include "server/admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/base64.h"
#include "base/check.h"
#include "base/hash.h"
#include "server/control.h"
#include "server/version.h"
#include "server/wire/limits.h"
#include "storage/entry.h"

namespace starling::server {

using json = nlohmann::ordered_json;  // Fields stand as written here, for people to read.

struct Admin::Json {
  json value;
};

struct Admin::Why {
  ReplyTo reply;
  std::string key;
  std::vector<base::NodeNumber> order;  // Of the replicas, in that of the ring.
  std::map<base::NodeNumber, json> rows;
  std::set<base::NodeNumber> open;  // Asked, and silent as yet.
  base::Instant ends;
  base::Version highest;
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

std::string_view OriginName(std::uint8_t origin) {
  constexpr std::array<std::string_view, 6> kNames{"?",    "direct", "rumor",
                                                   "hint", "repair", "restore"};
  return origin < kNames.size() ? kNames[origin] : kNames[0];
}

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

std::string_view LivenessName(gossip::Liveness liveness) {
  switch (liveness) {
    case gossip::Liveness::kAlive: return "alive";
    case gossip::Liveness::kSuspect: return "suspect";
    case gossip::Liveness::kUnreachable: return "unreachable";
    case gossip::Liveness::kDead: return "dead";
    case gossip::Liveness::kLeft: return "left";
  }
  return "?";
}

}  // namespace

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
  if (command == "repairstatus") return Answer(to, RepairStatus());
  if (command == "repair") return StartRepair(to, keyspace);
  if (command == "info") return WithStats(to, &Admin::Info);
  if (command == "netstats") return WithStats(to, &Admin::NetStats);
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
                     {"status", snapshot.peers[i].up ? "U" : "D"},
                     {"state", std::string(1, StateLetter(node.state, snapshot.peers[i]))},
                     {"ready", snapshot.peers[i].ready},
                     {"load_bytes", control_.LoadOf(node)},
                     {"tokens", node.tokens.size()},
                     {"owns", standard == nullptr ? 0.0 : snapshot.ring->Owns(standard->id, i)},
                     {"host_id", node.host.ToString()},
                     {"dc", node.dc},
                     {"rack", node.rack}});
  }
  return {{{"cluster", topology.cluster_name}, {"epoch", topology.epoch}, {"nodes", nodes}}};
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

Admin::Json Admin::GossipInfo() const {
  json members = json::array();
  const base::Instant now = control_.world_.Now();
  const auto add = [&](const gossip::MemberInfo& member) {
    members.push_back({{"address", member.address.IpString()},
                       {"host_id", member.host.ToString()},
                       {"liveness", LivenessName(member.liveness)},
                       {"liveness_age_ms", base::ToMs(now - member.since)},
                       {"generation", member.generation},
                       {"incarnation", member.incarnation}});
  };
  add(control_.gossip_->self());
  for (const gossip::MemberInfo& member : control_.gossip_->members()) add(member);
  return {{{"members", members}}};
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
      if (equal_ms == INT64_MAX) equal_ms = control_.world_.WallMs();  // Nobody to differ from.
      ranges.push_back(
          {{"keyspace", keyspace.name},
           {"range", fmt::format("{:04x}-{:04x}", range.first_bucket, range.last_bucket)},
           {"replicas", replicas},
           {"equal", equal},
           {"last_equal_ms", equal_ms == 0 ? json() : json(equal_ms)},
           {"proved_through_ms", nullptr},
           {"blocked_by", blocked}});
    }
  }
  return {{{"ranges", ranges}}};
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

// --- what the workers count ---

void Admin::WithStats(const ReplyTo& to,
                      Json (Admin::*make)(const std::vector<WorkerStats>&) const) {
  control_.GatherStats([this, to, make](const std::vector<WorkerStats>& stats) {
    Answer(to, (this->*make)(stats));
  });
}

Admin::Json Admin::Info(const std::vector<WorkerStats>& stats) const {
  WorkerStats sum;
  for (const WorkerStats& each : stats) {
    sum.puts += each.puts;
    sum.gets += each.gets;
    sum.restamps += each.restamps;
    sum.timeouts += each.timeouts;
    sum.unavailable += each.unavailable;
    sum.overloaded += each.overloaded;
    sum.read_repairs += each.read_repairs;
    sum.replica_writes += each.replica_writes;
    sum.superseded += each.superseded;
    sum.replica_reads += each.replica_reads;
    sum.fetches += each.fetches;
    sum.commits += each.commits;
    sum.connections += each.connections;
    sum.in_flight += each.in_flight;
  }
  const Snapshot& snapshot = *control_.snapshot_;
  return {{{"host_id", snapshot.me().host.ToString()},
           {"address", snapshot.me().cluster.IpString()},
           {"dc", snapshot.me().dc},
           {"rack", snapshot.me().rack},
           {"boot", control_.shared_.identity.boot},
           {"ready", snapshot.ready()},
           {"workers", stats.size()},
           {"load_bytes", control_.load_bytes_},
           {"puts", sum.puts},
           {"gets", sum.gets},
           {"restamps", sum.restamps},
           {"timeouts", sum.timeouts},
           {"unavailable", sum.unavailable},
           {"overloaded", sum.overloaded},
           {"read_repairs", sum.read_repairs},
           {"replica_writes", sum.replica_writes},
           {"superseded", sum.superseded},
           {"replica_reads", sum.replica_reads},
           {"fetches", sum.fetches},
           {"commits", sum.commits},
           {"connections", sum.connections},
           {"in_flight", sum.in_flight}}};
}

Admin::Json Admin::NetStats(const std::vector<WorkerStats>& stats) const {
  RepairStats repair;
  HintStats hints;
  OrphanStats orphans;
  std::uint64_t handled_messages = 0;
  std::uint64_t rumors_refused = 0;
  std::uint64_t pending = 0;
  for (const WorkerStats& each : stats) {
    repair += each.repair;
    orphans += each.orphans;
    handled_messages += each.handled_messages;
    rumors_refused += each.rumors_refused;
    hints.stored += each.hints.stored;
    hints.replayed += each.hints.replayed;
    hints.dropped += each.hints.dropped;
    for (const auto& [target, waiting] : each.hints.pending) pending += waiting.hints;
  }
  const storage::EngineStats engine = control_.shared_.engine.stats();
  const gossip::Counters gossip =
      control_.gossip_ == nullptr ? gossip::Counters{} : control_.gossip_->counters();
  return {
      {{"repair",
        {{"comparisons", control_.repair_.comparisons()},
         {"entries_sent", repair.entries_sent},
         {"entries_received", repair.entries_received},
         {"bytes_sent", repair.bytes_sent + control_.repair_.bytes_sent()},
         {"data_bytes_read", repair.data_bytes_read},
         {"unreadable", repair.unreadable}}},
       {"engine", {{"bytes_read", engine.bytes_read}, {"iter_bytes_read", engine.iter_bytes_read}}},
       {"hints",
        {{"stored", hints.stored},
         {"replayed", hints.replayed},
         {"dropped", hints.dropped},
         {"pending", pending}}},
       {"orphans",
        {{"remembered_bytes", orphans.remembered_bytes},
         {"taken_over", orphans.taken_over},
         {"sent", orphans.sent},
         {"forgotten", orphans.forgotten},
         {"handled_messages", handled_messages}}},
       {"rumored_writes",
        {{"sent", gossip.passing_sent},
         {"taken", gossip.passing_taken},
         {"refused", gossip.passing_refused + rumors_refused}}}}};
}

Admin::Json Admin::TableStats(const std::vector<WorkerStats>& stats) const {
  json keyspaces = json::array();
  for (const topology::Keyspace& keyspace : control_.snapshot_->topology->keyspaces) {
    std::uint64_t entries = 0;
    for (const WorkerStats& each : stats)
      if (const auto it = each.entries.find(keyspace.id); it != each.entries.end())
        entries += it->second;
    const std::uint64_t bytes = control_.shared_.engine.ApproximateBytes(
        storage::Family::kData, storage::BucketBegin(keyspace.id, 0),
        storage::BucketEnd(keyspace.id, base::kBuckets - 1));
    keyspaces.push_back({{"name", keyspace.name}, {"keys_estimate", entries}, {"bytes", bytes}});
  }
  return {{{"keyspaces", keyspaces}}};
}

Admin::Json Admin::PendingHints(const std::vector<WorkerStats>& stats) const {
  std::map<base::NodeNumber, HintStats::Target> sum;
  for (const WorkerStats& each : stats)
    for (const auto& [number, target] : each.hints.pending) {
      HintStats::Target& to = sum[number];
      to.hints += target.hints;
      to.bytes += target.bytes;
      if (target.oldest_ms != 0)
        to.oldest_ms =
            to.oldest_ms == 0 ? target.oldest_ms : std::min(to.oldest_ms, target.oldest_ms);
    }
  json targets = json::array();
  for (const auto& [number, target] : sum) {
    if (target.hints == 0) continue;
    const topology::Node* node = control_.snapshot_->topology->FindNumber(number);
    targets.push_back({{"address", node == nullptr ? "?" : node->cluster.IpString()},
                       {"hints", target.hints},
                       {"bytes", target.bytes},
                       {"oldest_ms", target.oldest_ms}});
  }
  return {{{"targets", targets}}};
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
                 {"reason", result.reason}}});
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

void Admin::StartWhy(const ReplyTo& to, const std::string& keyspace, const std::string& key) {
  const Snapshot& snapshot = *control_.snapshot_;
  const topology::Keyspace* space = snapshot.topology->FindKeyspace(keyspace);
  if (const base::Status place = CheckPlace(space, keyspace, key); !place.ok())
    return Fail(to, place);
  const std::uint64_t id = ++next_why_;
  auto why = std::make_unique<Why>();
  why->reply = to;
  why->key = key;
  const base::Token token = base::TokenOf(key, snapshot.topology->token_seed);
  const auto replicas = snapshot.ring->Replicas(space->id, base::BucketOf(token));
  why->ends = control_.world_.Now() + kWhyMax;
  for (const std::uint16_t index : replicas) {
    const topology::Node& node = snapshot.node(index);
    why->order.push_back(node.number);
    json& row = why->rows[node.number];
    row["address"] = node.cluster.IpString();
    if (snapshot.peers[index].up)
      why->open.insert(node.number);
    else
      row["error"] = "the node is down";
  }
  const std::set<base::NodeNumber> asked = why->open;
  whys_[id] = std::move(why);
  if (asked.empty()) return EndWhy(id);
  for (const std::uint16_t index : replicas) {
    const topology::Node& node = snapshot.node(index);
    if (!asked.contains(node.number)) continue;
    // Our own port answers for us as the others' do.
    control_.links_.Send({node.cluster, node.host}, {Control::kTagWhy, node.number, id, 0},
                         wire::ReplicaRead{space->id, key, false, snapshot.topology->epoch});
  }
}

void Admin::OnWhyReply(const PeerTag& tag, const wire::Frame& frame) {
  const auto it = whys_.find(tag.a);
  if (it == whys_.end() || !it->second->open.contains(static_cast<base::NodeNumber>(tag.b))) return;
  const auto reply = wire::Decode<wire::ReplicaReadReply>(frame.header);
  if (frame.kind != wire::Kind::kReplicaReadReply || !reply) {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    return OnWhyFailed(tag, base::Unavailable(error ? error->message : "a malformed answer"));
  }
  it->second->highest = std::max(it->second->highest, reply->version);
  json& row = it->second->rows[tag.b];
  row["version"] = reply->version.ToString();
  if (!reply->version.empty()) {
    row["wall_ms"] = reply->version.wall_ms();
    row["origin"] = OriginName(reply->origin);
    row["tombstone"] = (reply->flags & storage::kFlagTombstone) != 0;
  }
  if (reply->expiry_ms != 0) row["expiry_ms"] = reply->expiry_ms;
  TookWhy(tag.a, tag.b);
}

void Admin::TookWhy(std::uint64_t id, base::NodeNumber from) {
  Why& why = *whys_.at(id);
  why.open.erase(from);
  if (why.open.empty()) EndWhy(id);
}

void Admin::OnWhyFailed(const PeerTag& tag, const base::Status& status) {
  const auto it = whys_.find(tag.a);
  if (it == whys_.end() || !it->second->open.contains(static_cast<base::NodeNumber>(tag.b))) return;
  it->second->rows[tag.b]["error"] = status.message();
  TookWhy(tag.a, tag.b);
}

// A replica that hangs says nothing, and its link neither: the others' rows do not wait for it.
void Admin::OnTick(base::Instant now) {
  std::vector<std::uint64_t> late;
  for (const auto& [id, why] : whys_)
    if (now >= why->ends) late.push_back(id);
  for (const std::uint64_t id : late) {
    Why& why = *whys_.at(id);
    for (const base::NodeNumber number : why.open)
      why.rows[number]["error"] = fmt::format("no answer within {} ms", base::ToMs(kWhyMax));
    EndWhy(id);
  }
}

// Rows in the order of the ring; a field that no row has is left out by nodetool.
void Admin::EndWhy(std::uint64_t id) {
  const auto node = whys_.extract(id);
  Why& why = *node.mapped();
  json answer = {{"replicas", json::array()}};
  if (base::IsUtf8(why.key))
    answer["key"] = why.key;
  else
    answer["key_base64"] = base::ToBase64(why.key);
  for (const base::NodeNumber number : why.order) {
    json& row = why.rows[number];
    row["wins"] = !why.highest.empty() && row.value("version", "") == why.highest.ToString();
    answer["replicas"].push_back(row);
  }
  Answer(why.reply, {answer});
}

}  // namespace starling::server
