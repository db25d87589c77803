// server/control_connections.cc: who connects, who they say they are, and where they are served.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "server/control.h"

namespace starling::server {
namespace {

// How long clients wait at most for this node to hear of the others.
constexpr base::Duration kFirstContactMax = base::seconds(1);

}  // namespace

void Control::OnOpen(base::ConnId conn, base::Address peer, base::ListenerId listener) {
  if (links_.OnOpen(conn)) return;
  if (listener == kHttpListener) return http_.OnOpen(conn);
  if (listener == kClusterListener) {
    Conn& state = conns_[conn];
    state.listener = listener;
    state.from = peer;
    greetings_.Add(world_.Now(), conn);
    return;
  }
  if (shared_.clients.load(std::memory_order_relaxed) >= shared_.config.limits.connections_max)
    return RefuseClient(conn, listener);
  shared_.clients.fetch_add(1, std::memory_order_relaxed);
  if (HoldsClients()) {
    world_.SetReading(conn, base::World::Reading::kOff);
    held_clients_.push_back(conn);
    return;
  }
  world_.Give(conn, WorkerActor(next_worker_++ % shared_.workers));
}

// A node that has just started has heard of nobody, so every request would fail as unavailable
// before anything was tried. Clients wait that moment out. (To take the unheard for up would tell
// operators so too, and requests would wait for the dead.) Nodes are not held: they are served.
bool Control::HoldsClients() const {
  if (snapshot_ == nullptr) return false;  // In no cluster yet: clients are told so.
  if (!published_) return true;
  if (world_.Now() - gossip_since_ >= kFirstContactMax) return false;
  const auto members = snapshot_->topology->members();
  return std::any_of(members.begin(), members.end(), [&](const topology::Node* member) {
    return member->host != shared_.identity.host && !heard_.contains(member->host);
  });
}

void Control::ReleaseClients() {
  if (held_clients_.empty() || HoldsClients()) return;
  for (const base::ConnId conn : held_clients_)
    world_.Give(conn, WorkerActor(next_worker_++ % shared_.workers));
  held_clients_.clear();
}

void Control::RefuseClient(base::ConnId conn, base::ListenerId listener) {
  const base::Status why = base::Overloaded(
      fmt::format("this node has {} connections of clients, the limit is limits.connections",
                  shared_.config.limits.connections_max));
  if (listener == kClientListener) return CloseWithError(conn, 0, why);
  const std::string line = fmt::format("-ERR {}\r\n", why.message());
  const auto room = world_.Reserve(conn, line.size());
  std::copy(line.begin(), line.end(), room.begin());
  world_.Commit(conn, line.size());
  world_.Close(conn);
}

std::size_t Control::OnBytes(base::ConnId conn, base::Bytes bytes) {
  if (std::size_t used = 0; links_.OnBytes(conn, bytes, &used)) return used;
  if (std::size_t used = 0; http_.OnBytes(conn, bytes, &used)) return used;
  std::size_t used = 0;
  for (;;) {
    const auto it = conns_.find(conn);
    if (it == conns_.end()) return used;
    wire::Frame frame;
    const auto size = wire::CutFrame(bytes.substr(used), &frame);
    if (!size) {
      CloseWithError(conn, 0, size.error());
      return bytes.size();
    }
    if (*size == 0) return used;
    std::size_t frame_used = *size;
    const bool good = it->second.greeted ? OnFrame(conn, it->second, frame)
                                         : OnHello(conn, it->second, frame, &frame_used);
    used += frame_used;
    if (!good) return used;
  }
}

// A data connection goes to a worker, its hello included; a control connection stays.
bool Control::OnHello(base::ConnId conn, Conn& state, const wire::Frame& frame, std::size_t* used) {
  const auto hello = frame.kind == wire::Kind::kHello
                         ? wire::Decode<wire::Hello>(frame.header)
                         : base::Fail(base::InvalidArgument("the first frame must be a hello"));
  base::Status refusal;
  if (!hello) {
    refusal = hello.error();
  } else if (hello->role == wire::Role::kClient) {
    refusal = base::InvalidArgument(
        fmt::format("this port is for nodes; clients connect to port {}", self_.client.port));
  } else if (hello->cluster_name != shared_.config.cluster.name) {
    refusal =
        base::FailedPrecondition(fmt::format("this is a node of cluster '{}', not '{}'",
                                             shared_.config.cluster.name, hello->cluster_name));
  } else if (snapshot_ != nullptr && !hello->cluster_id.empty() &&
             hello->cluster_id != snapshot_->topology->cluster_id) {
    refusal = base::FailedPrecondition(fmt::format(
        "cluster '{}' here has the id {}, the other node's has {}", shared_.config.cluster.name,
        snapshot_->topology->cluster_id.ToString(), hello->cluster_id.ToString()));
  }
  if (!refusal.ok()) {
    base::log::Warn("control", "refused a connection: {}", refusal.message());
    CloseWithError(conn, frame.request_id, refusal);
    return false;
  }
  if (hello->role == wire::Role::kPeerData) {
    *used = 0;
    conns_.erase(conn);
    world_.Give(conn, WorkerActor(hello->worker % shared_.workers));
    return false;
  }
  state.greeted = true;
  state.host = hello->host;
  wire::HelloReply reply;
  reply.cluster_name = shared_.config.cluster.name;
  reply.host = shared_.identity.host;
  reply.boot = shared_.identity.boot;
  if (snapshot_ != nullptr) {
    reply.cluster_id = snapshot_->topology->cluster_id;
    reply.epoch = snapshot_->topology->epoch;
    reply.token_seed = snapshot_->topology->token_seed;
    if (const topology::Node* node = snapshot_->topology->Find(hello->host)) {
      const Mark mark = shared_.peer_marks.Of(node->number);
      reply.remembered_boot = mark.boot;
      reply.remembered_mark = mark.sequence;
    }
  }
  wire::SendFrame(world_, conn, frame.request_id, reply);
  return true;
}

void Control::OnClose(base::ConnId conn, base::CloseReason reason) {
  if (links_.OnClose(conn, reason)) return;
  if (std::erase(held_clients_, conn) > 0) shared_.clients.fetch_sub(1, std::memory_order_relaxed);
  conns_.erase(conn);
  http_.OnClose(conn);
}

// What connects and says no hello is no node.
void Control::CloseSilent() {
  greetings_.TakeLate(world_.Now(), [this](base::ConnId conn) {
    const auto it = conns_.find(conn);
    if (it != conns_.end() && !it->second.greeted) CloseWithError(conn, 0, GreetingQueue::Late());
  });
}

void Control::CloseWithError(base::ConnId conn, std::uint64_t request_id,
                             const base::Status& status) {
  wire::SendFrame(world_, conn, request_id, wire::ErrorOf(status));
  world_.Close(conn);
  conns_.erase(conn);
}

}  // namespace starling::server
