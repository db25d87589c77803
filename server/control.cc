#include "server/control.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "server/admin.h"
#include "server/control_jobs.h"
#include "server/keyring_admin.h"
#include "server/topology/codec.h"
#include "storage/identity.h"

namespace starling::server {
namespace {

constexpr base::Duration kTick = base::milliseconds(100);
// How long clients wait at most for this node to hear of the others.
constexpr base::Duration kFirstContactMax = base::seconds(1);
// A put waits for the slowest replica, to leave it a hint, as long as timeouts.write.
constexpr base::Duration kQuietMax = base::seconds(5);

}  // namespace

Control::Control(base::World& world, NodeShared& shared, topology::NodeInfo self)
    : world_(world),
      shared_(shared),
      self_(std::move(self)),
      links_(world, *this),
      repair_(world, shared, links_),
      admin_(std::make_unique<Admin>(*this)),
      keyring_(std::make_unique<KeyringAdmin>(*this, shared_.keys)) {}

Control::~Control() = default;

void Control::OnStart() {
  base::Status status = ListenEverywhere();
  if (status.ok()) {
    wire::Hello hello;
    hello.role = wire::Role::kPeerControl;
    hello.cluster_name = shared_.config.cluster.name;
    hello.host = shared_.identity.host;
    hello.boot = shared_.identity.boot;
    links_.SetHello(hello);
    status = LoadStored();
  }
  if (!status.ok()) {
    world_.Exit(status);
    return;
  }
  next_tick_ = world_.Now() + kTick;
  Rearm();
}

base::Status Control::ListenEverywhere() {
  RETURN_IF_ERROR(world_.Listen(kClusterListener, self_.cluster));
  RETURN_IF_ERROR(world_.BindDatagrams(self_.cluster));
  RETURN_IF_ERROR(world_.Listen(kClientListener, self_.client));
  return world_.Listen(kRespListener, self_.resp);
}

// --- connections ---

void Control::OnOpen(base::ConnId conn, base::Address, base::ListenerId listener) {
  if (links_.OnOpen(conn)) return;
  if (listener == kClusterListener) {
    conns_[conn].listener = listener;
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
  }
  wire::SendFrame(world_, conn, frame.request_id, reply);
  return true;
}

void Control::OnClose(base::ConnId conn, base::CloseReason reason) {
  if (links_.OnClose(conn, reason)) return;
  if (std::erase(held_clients_, conn) > 0) shared_.clients.fetch_sub(1, std::memory_order_relaxed);
  conns_.erase(conn);
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

// --- frames of other nodes ---

bool Control::OnFrame(base::ConnId conn, Conn& state, const wire::Frame& frame) {
  const ReplyTo reply{base::kControlActor, conn, frame.request_id, ReplyTo::Protocol::kNative};
  if (frame.kind == wire::Kind::kControl) {
    HandleControl(reply, state.host, frame);
    return true;
  }
  if (frame.kind == wire::Kind::kReplicaRead && snapshot_ != nullptr) {
    // `nodetool why` of another node: for whichever worker owns the key, which looks again.
    const topology::Node* node = snapshot_->topology->Find(state.host);
    auto mail = std::make_unique<FrameMail>();
    mail->reply = reply;
    mail->frame_kind = frame.kind;
    mail->peer = node == nullptr ? 0 : node->number;
    mail->header = frame.header;
    if (mail->peer != 0) {
      world_.Post(WorkerActor(0), std::move(mail));
      return true;
    }
  }
  CloseWithError(conn, frame.request_id,
                 base::InvalidArgument(fmt::format("frame kind {} is not for control connections",
                                                   static_cast<unsigned>(frame.kind))));
  return false;
}

void Control::HandleControl(const ReplyTo& reply, base::HostId from, const wire::Frame& frame) {
  const auto request = wire::Decode<wire::ControlRequest>(frame.header);
  if (!request) return ReplyError(reply, request.error());
  if (base::Hash64(frame.payload) != request->payload_digest)
    return ReplyError(reply, base::Corruption("the payload was damaged on its way"));
  switch (request->topic) {
    case wire::ControlTopic::kFounding: return ReplyBytes(reply, AnswerHello(frame.payload));
    case wire::ControlTopic::kPaxos:
      return HandlePaxos(frame.payload,
                         [this, reply](const std::string& bytes) { ReplyBytes(reply, bytes); });
    default: break;
  }
  if (snapshot_ == nullptr)
    return ReplyError(reply, base::Unavailable("this node is not in a cluster yet"));
  const topology::Node* peer = snapshot_->topology->Find(from);
  switch (request->topic) {
    case wire::ControlTopic::kGossip:
      ReplyBytes(reply, gossip_->OnStreamRequest(world_.Now(), frame.payload));
      DrainGossip();
      return;
    case wire::ControlTopic::kTopology: return ReplyBytes(reply, acceptor_->known_bytes());
    case wire::ControlTopic::kJoin: return HandleJoin(reply, frame.payload);
    case wire::ControlTopic::kCompare:
    case wire::ControlTopic::kForward: break;
    default: return ReplyError(reply, base::InvalidArgument("unknown control topic"));
  }
  if (!published_) return ReplyError(reply, base::Unavailable("this node has just started"));
  if (peer == nullptr || !peer->member())
    return ReplyError(
        reply, base::FailedPrecondition(fmt::format("host {} is not a member", from.ToString())));
  if (request->topic == wire::ControlTopic::kCompare) {
    repair_.HandleCompare(peer->number, frame.payload,
                          [this, reply](const base::Result<std::string>& answer) {
                            if (answer)
                              ReplyBytes(reply, *answer);
                            else
                              ReplyError(reply, answer.error());
                          });
  } else {
    repair_.RunWith(peer->number, frame.payload,
                    [this, reply](const Repair::Result&) { ReplyBytes(reply, "done"); });
  }
}

void Control::ReplyBytes(const ReplyTo& to, base::Bytes payload) {
  Reply(to, wire::ControlReply{base::Hash64(payload)}, payload);
}

void Control::ReplyError(const ReplyTo& to, const base::Status& status) {
  Reply(to, wire::ErrorOf(status));
}

void Control::SendControl(const PeerAddress& peer, const PeerTag& tag, wire::ControlTopic topic,
                          base::Bytes payload) {
  links_.Send(peer, tag, wire::ControlRequest{topic, base::Hash64(payload)}, payload);
}

// --- what peers answer ---

void Control::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  switch (tag.kind) {
    case kTagCompare:
    case kTagRepairPeer: repair_.OnPeerReply(tag, frame); return;
    case kTagWhy: admin_->OnWhyReply(tag, frame); return;
    case kTagJoin: OnJoinReply(tag, frame); return;
    default: break;
  }
  const auto reply = wire::Decode<wire::ControlReply>(frame.header);
  if (frame.kind != wire::Kind::kControlReply || !reply ||
      base::Hash64(frame.payload) != reply->payload_digest) {
    OnPeerFailed(tag, base::Unavailable("the peer refused"));
    return;
  }
  switch (tag.kind) {
    case kTagGossip:
      if (gossip_ != nullptr) gossip_->OnStreamReply(world_.Now(), frame.payload);
      break;
    case kTagFounding: OnFoundingReply(UnpackAddress(tag.a), frame.payload); break;
    case kTagPaxos:
      if (const auto answer = topology::DecodePaxosReply(frame.payload); answer && proposer_) {
        proposer_->OnReply(world_.Now(), *answer);
        DriveProposer();
      }
      break;
    case kTagTopology: LearnFrom(frame.payload, "the answer of a node"); break;
  }
}

void Control::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  switch (tag.kind) {
    case kTagCompare:
    case kTagRepairPeer: repair_.OnPeerFailed(tag, status); return;
    case kTagWhy: admin_->OnWhyFailed(tag, status); return;
    case kTagJoin: OnJoinFailed(tag.a, status.message()); return;
    case kTagGossip:
      if (gossip_ != nullptr)
        gossip_->OnStreamFailed(world_.Now(), UnpackAddress(tag.a),
                                gossip::Gossip::StreamFailure::kOther);
      return;
    default: return;  // Founding and Paxos ask again by themselves.
  }
}

void Control::OnLinkLost(const PeerAddress& peer, base::CloseReason reason) {
  if (gossip_ == nullptr) return;
  if (reason == base::CloseReason::kRefused)
    gossip_->OnStreamFailed(world_.Now(), peer.address, gossip::Gossip::StreamFailure::kRefused);
  if ((reason == base::CloseReason::kReset || reason == base::CloseReason::kPeer) &&
      !peer.host.empty())
    gossip_->ReportConnectionLost(world_.Now(), peer.host);
}

base::Status Control::OnPeerHello(const PeerAddress& peer, const wire::HelloReply& reply) {
  if (snapshot_ == nullptr || reply.cluster_id.empty()) return base::Ok();
  if (reply.cluster_id == snapshot_->topology->cluster_id) {
    met_a_peer_ = true;
    if (reply.epoch > snapshot_->topology->epoch)
      SendControl(peer, {kTagTopology, 0, 0, 0}, wire::ControlTopic::kTopology, {});
    return base::Ok();
  }
  const base::Status other = base::FailedPrecondition(fmt::format(
      "cluster '{}' at {} has the id {}, this node's data directory is of {}: wrong seeds, or a "
      "wrong data directory",
      reply.cluster_name, peer.address.ToString(), reply.cluster_id.ToString(),
      snapshot_->topology->cluster_id.ToString()));
  if (!met_a_peer_) world_.Exit(other);
  return other;
}

void Control::OnHelloRefused(const PeerAddress& peer, const wire::ErrorReply& error) {
  base::log::Warn("control", "{} refused this node: {}", peer.address.ToString(), error.message);
  // A node that has met nobody of its own cluster is the one that is wrong here.
  if (error.code == base::Code::kFailedPrecondition && !met_a_peer_)
    world_.Exit(base::FailedPrecondition(
        fmt::format("{} refused this node: {}", peer.address.ToString(), error.message)));
}

// --- workers ---

void Control::OnMail(std::unique_ptr<base::Mail> mail) {
  switch (static_cast<MailKind>(mail->kind)) {
    case MailKind::kFrame: HandleClient(static_cast<const FrameMail&>(*mail)); return;
    case MailKind::kReply: {
      const auto& reply = static_cast<const ReplyMail&>(*mail);
      shared_.mail_bytes.fetch_sub(reply.counted, std::memory_order_relaxed);
      const auto room = world_.Reserve(reply.conn, reply.frame.size());
      std::copy(reply.frame.begin(), reply.frame.end(), room.begin());
      world_.Commit(reply.conn, reply.frame.size());
      return;
    }
    case MailKind::kLinkLost:
      if (gossip_ != nullptr)
        gossip_->ReportConnectionLost(world_.Now(), static_cast<const LinkLostMail&>(*mail).host);
      return;
    case MailKind::kDigestAnswer:
      repair_.OnDigests(static_cast<const DigestAnswerMail&>(*mail));
      return;
    case MailKind::kSpread: SpreadWrite(static_cast<SpreadMail&>(*mail)); return;
    case MailKind::kCompareSoon:
      repair_.CompareSoon(static_cast<const CompareSoonMail&>(*mail).nodes);
      return;
    case MailKind::kPullDone: repair_.OnPulled(static_cast<const PullDoneMail&>(*mail)); return;
    case MailKind::kStats: {
      auto& stats = static_cast<StatsMail&>(*mail);
      const auto it = stats_gathers_.find(stats.serial);
      if (it == stats_gathers_.end()) return;
      it->second.stats.push_back(std::move(stats.stats));
      if (--it->second.missing > 0) return;
      const StatsGather done = std::move(it->second);
      stats_gathers_.erase(it);
      done.then(done.stats);
      return;
    }
    case MailKind::kStop: Stop(); return;
    default: CHECK(!"a mail that control does not get");
  }
}

void Control::HandleClient(const FrameMail& mail) {
  if (mail.frame_kind == wire::Kind::kAdmin && keyring_->Handle(mail)) return;
  if (mail.frame_kind == wire::Kind::kAdmin) return admin_->Handle(mail);
  CHECK(mail.frame_kind == wire::Kind::kCreateKeyspace);
  if (snapshot_ == nullptr)
    return ReplyError(mail.reply, base::Unavailable("this node is not in a cluster yet"));
  HandleCreateKeyspace(mail);
}

void Control::HandleCreateKeyspace(const FrameMail& mail) {
  const auto request = wire::Decode<wire::CreateKeyspaceRequest>(mail.header);
  if (!request) return ReplyError(mail.reply, request.error());
  const auto replication = topology::Replication::Parse(request->replication);
  if (!replication) return ReplyError(mail.reply, replication.error());
  const std::string name = request->name;
  const bool existed = snapshot_->topology->FindKeyspace(name) != nullptr;
  const ReplyTo reply = mail.reply;
  // A tenth is for the way back: whoever asked is to learn who is missing, before it gives up.
  const auto asked = base::milliseconds(request->deadline_ms == 0 ? 20'000 : request->deadline_ms);
  const base::Instant answer_by = world_.Now() + asked - asked / 10;
  Propose(
      [name, replication = *replication](const topology::Topology& before) {
        return topology::AddKeyspace(before, name, replication);
      },
      [this, reply, name, existed, answer_by](const base::Status& status,
                                              const topology::TopologyPtr& after) {
        if (!status.ok()) return ReplyError(reply, status);
        WaitForEpoch(
            after->epoch, std::min<base::Duration>(base::seconds(8), answer_by - world_.Now()),
            [this, reply, name, existed, after](const base::Status& adopted) {
              if (!adopted.ok()) return ReplyError(reply, adopted);
              Reply(reply, wire::CreateKeyspaceReply{after->FindKeyspace(name)->id, existed});
            });
      },
      answer_by - world_.Now());
}

void Control::GatherStats(std::function<void(const std::vector<WorkerStats>&)> then) {
  const std::uint64_t serial = ++serial_;
  stats_gathers_[serial] = {shared_.workers, {}, std::move(then)};
  for (unsigned worker = 0; worker < shared_.workers; ++worker) {
    auto query = std::make_unique<StatsQueryMail>();
    query->serial = serial;
    world_.Post(WorkerActor(worker), std::move(query));
  }
}

// --- time ---

void Control::OnDatagram(base::Address from, base::Bytes bytes) {
  if (gossip_ != nullptr) gossip_->OnDatagram(world_.Now(), from, bytes);
}

void Control::OnWake() {
  const base::Instant now = world_.Now();
  if (gossip_ != nullptr && now >= gossip_->next_tick()) gossip_->OnTick(now);
  if (founding_) {
    founding_->OnTick(now);
    DriveFounding();
  }
  if (proposer_) {
    proposer_->OnTick(now);
    DriveProposer();
  }
  if (now >= next_tick_) {
    Tick();
    next_tick_ = now + kTick;
  }
}

void Control::Tick() {
  const base::Instant now = world_.Now();
  CloseSilent();
  CheckQuiet();
  AskToJoin();
  if (snapshot_ == nullptr) return;
  ReleaseClients();
  admin_->OnTick(now);
  RenewClockBound();
  if (published_) {
    repair_.OnTick(now);
    CheckReady();
  }
  CheckEpochWaits();
  if (now >= next_load_look_) {
    next_load_look_ = now + base::seconds(5);
    load_bytes_ = static_cast<std::int64_t>(shared_.engine.stats().live_data_bytes);
    RefreshMetadata();
  }
  if (shared_.config.storage.durability == Durability::kPeriodic && now >= next_log_sync_) {
    next_log_sync_ = now + base::seconds(1);
    Persist(std::make_unique<storage::Batch>(), [] {});
  }
}

// No stamp exceeds a bound that is on disk (base/hybrid_clock.h). It is kept ahead of the wall
// clock and of the highest stamp: after a step back of the wall clock the stamps go on from there.
void Control::RenewClockBound() {
  const std::int64_t wall_ms = world_.WallMs();
  stamps_.SetFloor(
      std::max(shared_.identity.clock_floor, shared_.clock_used.load(std::memory_order_relaxed)));
  if (reserving_ || !stamps_.needs_reservation(wall_ms)) return;
  const std::uint64_t bound = stamps_.reserve_until(wall_ms);
  auto batch = std::make_unique<storage::Batch>();
  storage::SaveClockBound(*batch, bound);
  reserving_ = true;
  Persist(std::move(batch), [this, bound] {
    reserving_ = false;
    stamps_.Reserved(bound);
    shared_.clock_bound.store(bound, std::memory_order_release);
    if (!published_) Publish();
  });
}

void Control::OnTurnEnd() {
  do {
    DrainGossip();
  } while (links_.Deliver());
  Rearm();
}

void Control::Rearm() {
  base::Instant next = next_tick_;
  if (gossip_ != nullptr) next = std::min(next, gossip_->next_tick());
  world_.WakeAt(next);
}

std::int64_t Control::LoadOf(const topology::Node& node) const {
  if (node.host == shared_.identity.host) return load_bytes_;
  const std::optional<gossip::Member> member = gossip_->View(node.host);
  return !member ? 0 : ParseMetadata(member->metadata).load_bytes;
}

void Control::Stop() {
  Retire([this] {
    // What the workers have under way is committed by jobs that were offloaded before this one.
    Persist(std::make_unique<storage::Batch>(), [this] { world_.Exit(base::Ok()); });
  });
}

void Control::Retire(std::function<void()> then) {
  once_quiet_.push_back(std::move(then));
  if (!retired_) {
    retired_ = true;
    base::log::Info("control", "no more connections and requests; goodbye to the cluster");
    world_.StopListening();
    if (gossip_ != nullptr) gossip_->Leave(world_.Now());
    DrainGossip();
    for (unsigned worker = 0; worker < shared_.workers; ++worker)
      world_.Post(WorkerActor(worker), std::make_unique<StopClientsMail>());
  }
  quiet_ends_ = world_.Now() + kQuietMax;
  CheckQuiet();
}

void Control::CheckQuiet() {
  if (once_quiet_.empty() || asked_if_quiet_) return;
  asked_if_quiet_ = true;
  GatherStats([this](const std::vector<WorkerStats>& stats) {
    asked_if_quiet_ = false;
    std::uint64_t open = 0;
    for (const WorkerStats& each : stats) open += each.in_flight;
    const bool known = gossip_ == nullptr || gossip_->said_goodbye(world_.Now());
    // The next tick asks again.
    if ((open > 0 || !known) && world_.Now() < quiet_ends_) return;
    if (open > 0) base::log::Warn("control", "{} requests are left without an answer", open);
    for (const auto& then : std::exchange(once_quiet_, {})) then();
  });
}

}  // namespace starling::server
