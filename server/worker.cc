#include "server/worker.h"

#include <fmt/core.h>

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "server/worker_page.h"

namespace starling::server {
namespace {

constexpr base::Duration kWorkerTick = base::milliseconds(100);
// A connection that does not take its answers is not read from.
constexpr std::size_t kPauseBytes = 16 << 20;
constexpr std::size_t kResumeBytes = 4 << 20;

// A worker's part of a limit; 0 is no limit.
std::uint64_t PartOf(std::uint64_t all, unsigned workers) {
  return all == 0 ? 0 : std::max<std::uint64_t>(all / workers, 1);
}

// The tables of each worker lie between the keys of the others: with more of them, each would be
// merged with most others.
constexpr unsigned kFillWorkersMax = 4;
std::uint64_t RunBytesOf(const NodeShared& shared) {
  return shared.workers <= kFillWorkersMax ? shared.config.repair.run_bytes / shared.workers : 0;
}

ReplicaOptions OptionsOf(const NodeShared& shared, unsigned number) {
  const std::uint64_t memory = shared.config.limits.memory_bytes_max / shared.workers;
  ReplicaOptions options{.worker = number, .workers = shared.workers};
  options.began_empty = shared.began_empty;
  options.turn_bytes_max = std::min<std::uint64_t>(options.turn_bytes_max, memory / 16);
  options.write_bytes_max = memory;
  options.disk_full = &shared.disk_full;
  options.room_for_runs = &shared.room_for_runs;
  options.table_bytes_min = std::max<std::size_t>(RunBytesOf(shared) / 16, 1);
  return options;
}

}  // namespace

Worker::Worker(base::World& world, NodeShared& shared, unsigned number)
    : world_(world),
      shared_(shared),
      number_(number),
      id_(WorkerActor(number)),
      memory_(world, shared.config.limits.memory_bytes_max, shared.workers, shared.mail_bytes),
      replica_(world, shared.engine, shared.committer, *this, OptionsOf(shared, number)),
      links_(world, *this),
      hints_({world, shared.config, shared.engine, replica_, links_, shared.met_damage, number,
              shared.workers}),
      compare_soon_(world),
      spread_(world, shared),
      coordinator_({world, shared.config, replica_, links_, hints_, *this, memory_, compare_soon_,
                    spread_, shared.peer_marks}),
      orphans_({world, replica_, links_, hints_, compare_soon_}),
      repair_rate_(PartOf(shared.config.repair.bytes_per_second, shared.workers)),
      page_lane_(world, repair_rate_.peers),
      open_values_(memory_),
      scans_({world, shared.config, shared.engine, links_, page_lane_, *this, shared.met_damage},
             shared.config.limits.memory_bytes_max / shared.workers),
      adoption_(world, shared.engine, replica_, shared.met_damage),
      repair_({world, shared.engine, replica_, links_, shared_buckets_, adoption_,
               shared.met_damage, repair_rate_.pulls, memory_,
               static_cast<std::uint32_t>(shared.config.repair.piece_bytes),
               kTakingBytesMax / shared.workers, RunBytesOf(shared)}),
      purger_({world, shared.config, shared.engine, replica_, shared.met_damage}),
      trees_({world, shared.engine, replica_, shared.met_damage, repair_rate_.pulls, {}}) {}

Worker::~Worker() = default;

void Worker::OnStart() {
  if (const base::Status status = replica_.Load(); !status.ok()) {
    world_.Exit(status.Annotate("cannot load the hash tree"));
    return;
  }
  hints_.Start();
  started_ = world_.Now();
  next_tick_ = world_.Now() + kWorkerTick;
  Rearm();
}

void Worker::Adopt(SnapshotPtr snapshot) {
  const bool first = snapshot_ == nullptr;
  const bool ownership_changed = first || snapshot_->ring_epoch != snapshot->ring_epoch;
  if (!first) {
    // The links to hosts that died or moved would fail by themselves, but only after long.
    for (std::size_t i = 0; i < snapshot_->peers.size(); ++i) {
      if (snapshot_->peers[i].up && !snapshot->peers[i].up)
        links_.Disconnect(snapshot_->node(i).host);
      else if (snapshot_->node(i).cluster != snapshot->node(i).cluster)
        links_.DisconnectElsewhere(snapshot->node(i).host, snapshot->node(i).cluster);
    }
  }
  snapshot_ = std::move(snapshot);
  const topology::Topology& topology = *snapshot_->topology;
  if (clock_ == nullptr) {
    const auto nonce = static_cast<std::uint32_t>(world_.random().Next());
    clock_ = std::make_unique<base::HybridClock>(
        snapshot_->me().number, nonce - nonce % shared_.workers + number_, shared_.workers);
    clock_->SetFloor(shared_.identity.clock_floor);
    coordinator_.SetClock(clock_.get());
    replica_.SetDigestSeed(topology.token_seed);
    trees_.Start();
  }
  // What was stamped before this run, or before a range was ours, is not ours to deny
  // (server/held_memory.h).
  if (ownership_changed)
    replica_.held_memory().RaiseFloor(static_cast<std::uint64_t>(world_.WallMs() + 1000) << 16);
  wire::Hello hello;
  hello.role = wire::Role::kPeerData;
  hello.cluster_name = topology.cluster_name;
  hello.cluster_id = topology.cluster_id;
  hello.host = shared_.identity.host;
  hello.boot = shared_.identity.boot;
  hello.epoch = topology.epoch;
  hello.worker = number_;
  links_.SetHello(hello);
  hints_.Adopt(snapshot_);
  coordinator_.Adopt(snapshot_);
  orphans_.Adopt(snapshot_);
  scans_.Adopt(snapshot_);
  repair_.Adopt(snapshot_);
  replica_.SetEpoch(topology.epoch);
  adoption_.SetEpoch(topology.epoch);
  purger_.Adopt(snapshot_);
  RefreshClusterFacts();
}

// --- connections ---

void Worker::OnOpen(base::ConnId conn, base::Address, base::ListenerId listener) {
  if (links_.OnOpen(conn)) return;
  Conn& state = conns_[conn];
  state.listener = listener;
  if (listener == kRespListener) OpenResp(state);
  if (listener == kClientListener) greetings_.Add(world_.Now(), conn);
  if (stopping_ && listener != kClusterListener)
    world_.SetReading(conn, base::World::Reading::kOff);
}

std::size_t Worker::OnBytes(base::ConnId conn, base::Bytes bytes) {
  if (std::size_t used = 0; links_.OnBytes(conn, bytes, &used)) return used;
  if (memory_.has_parts()) ForgetPart(conn);
  const std::size_t used = TakeBytes(conn, bytes);
  const std::size_t rest = bytes.size() - used;
  if (rest >= MemoryShare::kCountedBytes) KeepPart(conn, rest);
  return used;
}

void Worker::ForgetPart(base::ConnId conn) {
  if (const auto it = conns_.find(conn); it != conns_.end())
    memory_.GivePart(std::exchange(it->second.part_bytes, 0));
}

// What a client has sent of a request stays with its connection until the rest comes.
void Worker::KeepPart(base::ConnId conn, std::size_t bytes) {
  const auto it = conns_.find(conn);
  if (it == conns_.end() || it->second.listener == kClusterListener) return;
  Conn& state = it->second;
  state.part_bytes = bytes;
  if (memory_.TakePart(bytes) || state.paused) return;  // Paused: it is we who let it wait.
  ++refused_writes_;
  const base::Status refusal = base::Overloaded(memory_.Refusal());
  if (state.resp == nullptr) return CloseWithError(conn, 0, refusal);
  const std::string error = "-" + resp::ErrorText(refusal) + "\r\n";
  const auto room = world_.Reserve(conn, error.size());
  std::memcpy(room.data(), error.data(), error.size());
  world_.Commit(conn, error.size());
  world_.Close(conn);
  Forget(conn);
}

std::size_t Worker::TakeBytes(base::ConnId conn, base::Bytes bytes) {
  if (const auto it = conns_.find(conn); it != conns_.end() && it->second.resp != nullptr)
    return OnRespBytes(conn, it->second, bytes);
  std::size_t used = 0;
  for (;;) {
    const auto it = conns_.find(conn);
    if (it == conns_.end()) return bytes.size();
    wire::Frame frame;
    const auto size = wire::CutFrame(bytes.substr(used), &frame);
    if (!size) {
      CloseWithError(conn, 0, size.error());
      return bytes.size();
    }
    if (*size == 0) break;
    used += *size;
    const bool good = it->second.listener == kClientListener
                          ? OnClientFrame(conn, it->second, frame)
                          : OnPeerFrame(conn, it->second, frame);
    if (!good) return bytes.size();
  }
  if (world_.Queued(conn) > kPauseBytes) {
    conns_[conn].paused = true;
    world_.SetReading(conn, base::World::Reading::kOff);
  }
  return used;
}

void Worker::OnClose(base::ConnId conn, base::CloseReason reason) {
  if (links_.OnClose(conn, reason)) return;
  Forget(conn);
}

void Worker::Forget(base::ConnId conn) {
  const auto it = conns_.find(conn);
  if (it == conns_.end()) return;
  if (it->second.listener != kClusterListener)
    shared_.clients.fetch_sub(1, std::memory_order_relaxed);
  memory_.GivePart(it->second.part_bytes);
  scans_.OnClientGone(conn);
  conns_.erase(it);
}

void Worker::StopClients() {
  stopping_ = true;
  for (const auto& [id, conn] : conns_)
    if (conn.listener != kClusterListener) world_.SetReading(id, base::World::Reading::kOff);
}

void Worker::OnDatagram(base::Address, base::Bytes) {}

void Worker::CloseWithError(base::ConnId conn, std::uint64_t request_id,
                            const base::Status& status) {
  wire::SendFrame(world_, conn, request_id, wire::ErrorOf(status));
  world_.Close(conn);
  Forget(conn);
}

void Worker::Answered(base::ConnId conn, bool refused) {
  const auto it = conns_.find(conn);
  if (it == conns_.end()) return;
  if (it->second.open > 0) --it->second.open;
  if (!refused) it->second.value_bytes -= it->second.value_bytes / kValueFades;
}

// --- memory of answers ---

// What the connection's next reads are expected to bring.
void Worker::NoteValue(base::ConnId conn, std::size_t bytes) {
  memory_.NoteAnswer(conn);
  if (const auto it = conns_.find(conn); it != conns_.end()) {
    std::uint32_t& expected = it->second.value_bytes;
    expected = std::max(static_cast<std::uint32_t>(bytes), expected);
  }
}

// Another node's reads hold no memory here before their answer, so that has to find room now; a
// client's found it before.
bool Worker::TakesValue(base::ConnId conn, std::size_t bytes) const {
  if (!memory_.Takes(conn)) return false;
  const auto it = conns_.find(conn);
  return it == conns_.end() || it->second.listener != kClusterListener || memory_.HasRoom(bytes);
}

std::size_t Worker::CountMail(std::size_t bytes) {
  if (bytes < MemoryShare::kCountedBytes) return 0;
  shared_.mail_bytes.fetch_add(bytes, std::memory_order_relaxed);
  return bytes;
}

void Worker::UncountMail(std::size_t counted) {
  if (counted > 0) shared_.mail_bytes.fetch_sub(counted, std::memory_order_relaxed);
}

void Worker::DeliverReply(const ReplyMail& reply) {
  UncountMail(reply.counted);
  if (reply.is_value && !TakesValue(reply.conn, reply.frame.size())) {
    ++refused_answers_;
    wire::SendFrame(world_, reply.conn, reply.request_id,
                    wire::ErrorReply{base::Code::kOverloaded, kUntaken, {}});
  } else {
    const auto room = world_.Reserve(reply.conn, reply.frame.size());
    std::memcpy(room.data(), reply.frame.data(), reply.frame.size());
    world_.Commit(reply.conn, reply.frame.size());
    if (reply.is_value) NoteValue(reply.conn, reply.frame.size());
  }
  Answered(reply.conn, reply.refused);
}

// --- other actors ---

bool Worker::HandOver(std::uint16_t bucket, const ReplyTo& reply, base::NodeNumber peer,
                      const wire::Frame& frame, const WriteNumber& numbered) {
  const unsigned owner = base::WorkerOf(bucket, shared_.workers);
  if (owner == number_) return false;
  if (!frame.payload.empty() && !memory_.HasRoom(frame.payload.size())) {
    ++refused_writes_;
    Reply(reply, wire::ErrorReply{base::Code::kOverloaded, memory_.Refusal(), {}});
    return true;
  }
  PostFrame(WorkerActor(owner), reply, peer, frame, numbered);
  return true;
}

void Worker::PostFrame(base::ActorId to, const ReplyTo& reply, base::NodeNumber peer,
                       const wire::Frame& frame, const WriteNumber& numbered) {
  auto mail = std::make_unique<FrameMail>();
  mail->reply = reply;
  mail->frame_kind = frame.kind;
  mail->peer = peer;
  mail->numbered = numbered;
  mail->header = frame.header;
  mail->payload = frame.payload;
  if (to != base::kControlActor) mail->counted = CountMail(frame.payload.size());
  world_.Post(to, std::move(mail));
}

// --- the turn ---

void Worker::OnWake() {
  const base::Instant now = world_.Now();
  coordinator_.OnWake(now);
  scans_.OnWake(now);
  if (now >= next_tick_) {
    Tick();
    next_tick_ = now + kWorkerTick;
  }
}

void Worker::Tick() {
  if (clock_ != nullptr) {
    std::uint64_t used = shared_.clock_used.load(std::memory_order_relaxed);
    while (used < clock_->last() &&
           !shared_.clock_used.compare_exchange_weak(used, clock_->last())) {
    }
  }
  if (snapshot_ != nullptr) hints_.OnTick();
  repair_.OnTick(world_.Now());
  open_values_.OnTick(world_.Now());
  replica_.ForgetCuts();
  coordinator_.OnTick(world_.Now());
  orphans_.OnTick(world_.Now());
  compare_soon_.OnTick(world_.Now());
  greetings_.TakeLate(world_.Now(), [this](base::ConnId conn) {
    const auto it = conns_.find(conn);
    if (it != conns_.end() && !it->second.greeted) CloseWithError(conn, 0, GreetingQueue::Late());
  });
  for (auto& [id, conn] : conns_) {
    if (!conn.paused || world_.Queued(id) > kResumeBytes) continue;
    if (stopping_ && conn.listener != kClusterListener) continue;
    if (conn.resp != nullptr) {
      ResumeResp(id, conn);
      continue;
    }
    conn.paused = false;
    world_.SetReading(id, base::World::Reading::kOn);
  }
}

void Worker::OnTurnEnd() {
  if (clock_ != nullptr) clock_->Reserved(shared_.clock_bound.load(std::memory_order_acquire));
  // Answers of the replica and failures of links may queue more work; each round is smaller, since
  // it comes of operations that were open before.
  while (replica_.RunTurn() || links_.Deliver()) {
  }
  page_lane_.HandOver();
  repair_.OnTurnEnd();
  purger_.OnTurnEnd();
  trees_.OnTurnEnd();
  SendDigests();
  memory_.Recount();
  Rearm();
}

void Worker::Rearm() {
  world_.WakeAt(std::min({next_tick_, coordinator_.next_wake(), scans_.next_wake()}));
}

}  // namespace starling::server
