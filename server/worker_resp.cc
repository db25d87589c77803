// server/worker_resp.cc: the RESP port's shell: bytes and key operations between Redis sessions,
// their connections and the coordinators of the workers that own the keys.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "server/version.h"
#include "server/worker.h"
#include "storage/entry.h"

namespace starling::server {
namespace {

// The parts of what a connection may leave untaken (MemoryShare::conn_bytes_max) at which it is not
// read from, and is again; and what the answers under way then may bring. They leave room for a
// value that is larger than those before it, so that who merely reads slowly is never refused.
constexpr std::uint64_t kPausePart = 4;
constexpr std::uint64_t kResumePart = 8;
constexpr std::uint64_t kUnderWayPart = 4;
constexpr std::size_t kBytesKept = 64 << 10;  // Of a session's buffer of replies, when idle.
// A request may have so many values of the largest size.
constexpr std::uint64_t kLargestValuesMax = 4;

// CONFIG GET: what tools ask before they start, redis-benchmark among them.
std::vector<std::pair<std::string, std::string>> RedisConfig(const Config& config) {
  const bool group = config.storage.durability == Durability::kGroup;
  return {
      {"appendfsync", group ? "always" : "everysec"},
      {"appendonly", "yes"},  // Every write goes to a log.
      {"bind", config.node.listen},
      {"cluster-enabled", "no"},  // Any node serves any key.
      {"databases", "1"},
      {"maxclients", std::to_string(config.limits.connections_max)},
      {"maxmemory", "0"},
      {"maxmemory-policy", "noeviction"},
      {"port", std::to_string(config.ports.resp)},
      {"proto-max-bulk-len", std::to_string(config.limits.value_bytes_max)},
      {"save", ""},
      {"timeout", "0"},
  };
}

}  // namespace

void Worker::OpenResp(Conn& state) {
  const Config& config = shared_.config;
  if (resp_clients_ == 0) {
    resp_facts_.version = kVersion;
    resp_facts_.cluster = config.cluster.name;
    resp_facts_.address = fmt::format("{}:{}", config.node.listen, config.ports.resp);
    resp_facts_.worker = number_;
    resp_facts_.workers = shared_.workers;
    resp_facts_.keyspace = config.resp.keyspace;
    resp_facts_.consistency = wire::ConsistencyName(config.resp.consistency);
    resp_facts_.config = RedisConfig(config);
  }
  resp::SessionOptions options;
  options.key_bytes_max = storage::kKeyBytesMax;
  options.value_bytes_max = config.limits.value_bytes_max;
  options.parser.bulk_bytes_max = static_cast<std::uint32_t>(
      std::max<std::uint64_t>(config.limits.value_bytes_max, storage::kKeyBytesMax));
  options.parser.request_bytes_max = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(kLargestValuesMax * options.parser.bulk_bytes_max, UINT32_MAX));
  options.in_flight_max = config.limits.in_flight_max;
  options.results_bytes_max = memory_.conn_bytes_max() / kUnderWayPart;
  // Different on all workers, as CLIENT ID promises.
  options.client_id = ++resp_clients_ * shared_.workers + number_;
  state.resp = std::make_unique<resp::Session>(options);
}

void Worker::RefreshFacts() {
  const WorkerStats& stats = coordinator_.stats();
  resp_facts_.wall_ms = world_.WallMs();
  resp_facts_.loading = snapshot_ == nullptr;
  resp_facts_.uptime_seconds = base::ToMs(world_.Now() - started_) / 1000;
  resp_facts_.connections = conns_.size();
  resp_facts_.puts = stats.puts;
  resp_facts_.gets = stats.gets;
  resp_facts_.timeouts = stats.timeouts;
  resp_facts_.unavailable = stats.unavailable;
}

void Worker::RefreshClusterFacts() {
  resp_facts_.epoch = snapshot_->topology->epoch;
  resp_facts_.nodes = resp_facts_.nodes_up = 0;
  for (std::size_t i = 0; i < snapshot_->peers.size(); ++i) {
    if (!snapshot_->topology->nodes[i].member()) continue;  // Replaced, or gone.
    ++resp_facts_.nodes;
    if (snapshot_->peers[i].up) ++resp_facts_.nodes_up;
  }
}

// Bytes that are left unused stay with the connection, which is not read from until the session can
// take them: so what a client may pipeline is bounded.
std::size_t Worker::OnRespBytes(base::ConnId conn, Conn& state, base::Bytes bytes) {
  RefreshFacts();
  std::size_t used = 0;
  bool again = true;
  const std::uint64_t pause_bytes = memory_.conn_bytes_max() / kPausePart;
  while (again && world_.Queued(conn) <= pause_bytes) {
    used += state.resp->Consume(bytes.substr(used), resp_facts_);
    const bool stopped = state.resp->waiting() || state.resp->more();
    if (!FlushResp(conn, state)) return bytes.size();
    again = stopped && !state.resp->waiting();  // Some results come at once.
  }
  if (state.resp->waiting() || state.resp->closing() || world_.Queued(conn) > pause_bytes) {
    state.paused = true;
    world_.SetReading(conn, base::World::Reading::kOff);
  }
  return used;
}

// `printf 'GET a\r\n' | nc` and its like close their side behind the last request.
bool Worker::OnPeerEnd(base::ConnId conn) {
  const auto it = conns_.find(conn);
  if (it == conns_.end() || it->second.resp == nullptr) return false;
  it->second.resp->End();
  return !it->second.resp->finished();
}

// Runs what the session asks for and sends what it answers. False: the connection is closed.
bool Worker::FlushResp(base::ConnId conn, Conn& state) {
  if (state.flushing) return true;  // A result that came at once; the caller below goes on.
  state.flushing = true;
  resp::Outputs& outputs = state.resp->outputs();
  for (std::size_t i = 0; i < outputs.ops.size(); ++i) {
    const resp::KeyOp op = outputs.ops[i];
    RunKeyOp({id_, conn, op.id, ReplyTo::Protocol::kResp, {}, state.value_bytes}, op);
  }
  outputs.ops.clear();
  if (!outputs.bytes.empty()) {
    const auto room = world_.Reserve(conn, outputs.bytes.size());
    std::memcpy(room.data(), outputs.bytes.data(), outputs.bytes.size());
    world_.Commit(conn, outputs.bytes.size());
    outputs.bytes.clear();
    if (outputs.bytes.capacity() > kBytesKept) outputs.bytes = {};
  }
  state.flushing = false;
  if (!state.resp->finished()) return true;
  world_.Close(conn);
  Forget(conn);
  return false;
}

// What the session left comes again with the next turn.
void Worker::ResumeResp(base::ConnId conn, Conn& state) {
  if (stopping_ || !state.paused || state.resp->waiting() || state.resp->closing()) return;
  if (world_.Queued(conn) > memory_.conn_bytes_max() / kResumePart) return;  // Tick looks again.
  state.paused = false;
  world_.SetReading(conn, base::World::Reading::kOn);
}

void Worker::RunKeyOp(const ReplyTo& reply, const resp::KeyOp& op) {
  const topology::Keyspace* keyspace =
      snapshot_ == nullptr ? nullptr
                           : snapshot_->topology->FindKeyspace(shared_.config.resp.keyspace);
  if (keyspace == nullptr) {
    ReplyError(reply, {base::Code::kUnavailable,
                       snapshot_ == nullptr
                           ? "this node is not in a cluster yet"
                           : fmt::format("there is no keyspace '{}', which resp.keyspace names",
                                         shared_.config.resp.keyspace),
                       {}});
    return;
  }
  const base::Token token = base::TokenOf(op.key, snapshot_->topology->token_seed);
  const unsigned owner = base::WorkerOf(base::BucketOf(token), shared_.workers);
  if (owner != number_) {
    if (!op.value.empty() && !memory_.HasRoom(op.value.size())) {
      ++refused_writes_;
      ReplyError(reply, {base::Code::kOverloaded, memory_.Refusal(), {}});
      return;
    }
    auto mail = std::make_unique<KeyOpMail>();
    mail->reply = reply;
    mail->key = op.key;
    mail->value = op.value;
    mail->op = op;
    mail->op.key = mail->key;
    mail->op.value = mail->value;
    mail->counted = CountMail(op.value.size());
    world_.Post(WorkerActor(owner), std::move(mail));
    return;
  }
  const wire::Consistency level = keyspace->replication.everywhere()
                                      ? wire::Consistency::kOne
                                      : shared_.config.resp.consistency;
  if (!op.is_write) {
    coordinator_.Get(reply, {keyspace->id, op.key, level, 0, op.want_value}, token);
    return;
  }
  wire::PutRequest put;
  put.keyspace = keyspace->id;
  put.key = op.key;
  put.tombstone = op.tombstone;
  put.ttl_ms = op.ttl_ms;
  put.level = level;
  put.value_digest = storage::ValueDigest(op.value);
  coordinator_.Put(reply, put, token, op.value);
}

void Worker::SendKeyResult(const ReplyTo& to, const resp::KeyResult& result) {
  if (to.home == id_) {
    DeliverKeyResult(to.conn, to.request_id, result);
    return;
  }
  auto mail = std::make_unique<KeyResultMail>();
  mail->conn = to.conn;
  mail->request_id = to.request_id;
  mail->value = result.value;
  mail->result = result;
  mail->result.value = mail->value;
  mail->counted = CountMail(mail->value.size());
  world_.Post(to.home, std::move(mail));
}

void Worker::DeliverKeyResult(base::ConnId conn, std::uint64_t request_id,
                              const resp::KeyResult& result) {
  const auto it = conns_.find(conn);
  if (it == conns_.end()) return;  // The client has left.
  Conn& state = it->second;
  const std::size_t bytes = result.value.size();
  const bool large = bytes >= MemoryShare::kCountedBytes;
  if (large && !memory_.Takes(conn)) {
    ++refused_answers_;
    state.resp->OnResult(request_id, {.status = base::Overloaded(kUntaken)}, world_.WallMs());
  } else {
    state.resp->OnResult(request_id, result, world_.WallMs());
    if (result.status.ok()) state.value_bytes -= state.value_bytes / kValueFades;
  }
  if (state.flushing || !FlushResp(conn, state)) return;
  if (large) NoteValue(conn, bytes);
  ResumeResp(conn, state);
}

}  // namespace starling::server
