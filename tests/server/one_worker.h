// tests/server/one_worker.h: a real worker on virtual time, whose control, clients and peers a test
// plays.
//
//   OneWorker node(topology::FoundedBy(2));
//   node.peer(2).answer = [](const wire::Frame& asked) { return Bytes of the answering frame; };
//   node.Publish({2});                     // Node 2 is up from now on.
//   node.Tell(std::move(mail));            // What control sends.
//   const Told reply = node.Ask(wire::PutRequest{...}, "value");
//
// Thread:    confined to one thread.
// Read next: tests/sim/simulation.h
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "server/mail.h"
#include "server/stored_trees.h"
#include "server/topology/ring.h"
#include "server/wire/frame.h"
#include "server/worker.h"
#include "storage/memory_engine.h"
#include "tests/server/topology/builders.h"
#include "tests/sim/frames.h"
#include "tests/sim/simulation.h"

namespace starling::server {

// A frame that was received, with bytes of its own.
struct Told {
  wire::Kind kind{};
  std::uint64_t request_id = 0;
  std::string header;
  std::string payload;
};

// The keyspace that a cluster is founded with.
inline constexpr base::KeyspaceId kDefault = 1;

inline base::Code CodeOf(wire::Kind kind, base::Bytes header) {
  if (kind != wire::Kind::kError) return base::Code::kOk;
  return wire::Decode<wire::ErrorReply>(header)->code;
}
inline base::Code CodeOf(const Told& told) { return CodeOf(told.kind, told.header); }

template <typename Message>
std::string FrameOf(std::uint64_t request_id, const Message& message, base::Bytes payload = {}) {
  std::string frame;
  wire::AppendFrame(frame, request_id, message, payload);
  return frame;
}

// An actor that does nothing by itself; the others here add what they need.
class QuietActor : public base::Actor {
 public:
  void OnStart() override {}
  void OnOpen(base::ConnId, base::Address, base::ListenerId) override {}
  std::size_t OnBytes(base::ConnId, base::Bytes bytes) override { return bytes.size(); }
  void OnClose(base::ConnId, base::CloseReason) override {}
  void OnDatagram(base::Address, base::Bytes) override {}
  void OnMail(std::unique_ptr<base::Mail>) override {}
  void OnWake() override {}
  void OnTurnEnd() override {}
};

// Another node, as far as a worker can see: it takes the hello, and answers what the test says.
class PlayedPeer final : public QuietActor {
 public:
  PlayedPeer(sim::SimHost& host, const topology::Topology& topology, const topology::Node& self)
      : host_(host), world_(host.MakeWorld(base::kControlActor)), address_(self.cluster) {
    greeting_.cluster_id = topology.cluster_id;
    greeting_.host = self.host;
    host.Attach(base::kControlActor, *this);
    host.Start();
  }
  ~PlayedPeer() override { host_.Crash(sim::SimHost::How::kKilled); }

  // Gives the bytes of the answer; empty: none.
  std::function<std::string(const wire::Frame&)> answer = [](const wire::Frame&) {
    return std::string();
  };
  // Instead of an answer, the connection ends.
  std::function<bool(const wire::Frame&)> hangs_up = [](const wire::Frame&) { return false; };
  std::vector<Told> asked;

  void OnStart() override { REQUIRE(world_.Listen(kClusterListener, address_).ok()); }
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override {
    return sim::ForEachFrame(bytes, [&](const wire::Frame& frame) {
      std::string reply;
      if (frame.kind == wire::Kind::kHello) {
        reply = FrameOf(frame.request_id, greeting_);
      } else {
        asked.push_back(
            {frame.kind, frame.request_id, std::string(frame.header), std::string(frame.payload)});
        if (hangs_up(frame)) return world_.Close(conn);
        reply = answer(frame);
      }
      if (!reply.empty()) sim::SendBytes(world_, conn, reply);
    });
  }

 private:
  sim::SimHost& host_;
  base::World& world_;
  const base::Address address_;
  wire::HelloReply greeting_;
};

// Control: gives clients away, passes on the test's mails, and keeps those that come.
class PlayedControl final : public QuietActor {
 public:
  PlayedControl(base::World& world, base::Address client) : world_(world), client_(client) {}

  void Send(std::unique_ptr<base::Mail> mail) {
    to_send_.push_back(std::move(mail));
    world_.WakeAt(world_.Now());
  }
  std::vector<std::unique_ptr<base::Mail>> got;

  void OnStart() override { REQUIRE(world_.Listen(kClientListener, client_).ok()); }
  void OnOpen(base::ConnId conn, base::Address, base::ListenerId) override {
    world_.Give(conn, WorkerActor(0));
  }
  void OnMail(std::unique_ptr<base::Mail> mail) override { got.push_back(std::move(mail)); }
  void OnWake() override {
    for (auto& mail : to_send_) world_.Post(WorkerActor(0), std::move(mail));
    to_send_.clear();
  }

 private:
  base::World& world_;
  const base::Address client_;
  std::vector<std::unique_ptr<base::Mail>> to_send_;
};

// One connection: it sends its hello and then what the test wants, and keeps what comes.
class PlayedClient final : public QuietActor {
 public:
  PlayedClient(sim::SimHost& host, base::Address to)
      : host_(host), world_(host.MakeWorld(base::kControlActor)), to_(to) {
    host.Attach(base::kControlActor, *this);
    host.Start();
  }
  ~PlayedClient() override { host_.Crash(sim::SimHost::How::kKilled); }

  void Send(const std::string& bytes) {
    waiting_ += bytes;
    world_.WakeAt(world_.Now());
  }
  std::vector<Told> got;

  void OnStart() override { conn_ = world_.Connect(to_); }
  void OnOpen(base::ConnId, base::Address, base::ListenerId) override {
    open_ = true;
    waiting_ = FrameOf(0, wire::Hello{}) + waiting_;
    OnWake();
  }
  void OnWake() override {
    if (!open_ || waiting_.empty()) return;
    sim::SendBytes(world_, conn_, waiting_);
    waiting_.clear();
  }
  std::size_t OnBytes(base::ConnId, base::Bytes bytes) override {
    return sim::ForEachFrame(bytes, [&](const wire::Frame& frame) {
      if (frame.kind != wire::Kind::kHelloReply)
        got.push_back(
            {frame.kind, frame.request_id, std::string(frame.header), std::string(frame.payload)});
    });
  }

 private:
  sim::SimHost& host_;
  base::World& world_;
  const base::Address to_;
  base::ConnId conn_{};
  bool open_ = false;
  std::string waiting_;
};

// Node 1 of the topology, with one worker.
class OneWorker {
 public:
  // Whose disk may be slow, and the like.
  sim::Faults& faults() { return sim_.faults(); }

  explicit OneWorker(topology::Topology topology, Config chosen = {},
                     storage::MemoryEngineOptions memory = {})
      : config(std::move(chosen)),
        engine(disk, memory),
        topology_(topology::Share(std::move(topology))),
        ring_(topology::Ring::Build(*topology_)) {
    const topology::Node& me = topology_->nodes[0];
    sim::SimHost& host = sim_.AddHost(me.cluster.ip);
    host_ = &host;
    for (std::size_t i = 1; i < topology_->nodes.size(); ++i) {
      const topology::Node& node = topology_->nodes[i];
      peers_[node.number] =
          std::make_unique<PlayedPeer>(sim_.AddHost(node.cluster.ip), *topology_, node);
    }
    client_host_ = &sim_.AddHost(0x0aff0001);
  }
  ~OneWorker() {
    client_.reset();
    if (worker_ != nullptr) host_->Crash(sim::SimHost::How::kKilled);
  }

  // What an earlier run left on disk goes into the engine before.
  void Start(const std::set<base::NodeNumber>& up) {
    const topology::Node& me = topology_->nodes[0];
    REQUIRE(FoldTrees(engine).ok());
    shared_ = std::make_unique<NodeShared>(
        config, NodeIdentity{me.host, 1, topology_->cluster_id, 0, 0, {}}, engine, guard, 1);
    shared_->clock_bound = static_cast<std::uint64_t>(host_->WallMs() + 3'600'000) << 16;
    base::World& control_world = host_->MakeWorld(base::kControlActor);
    control_ = std::make_unique<PlayedControl>(control_world, me.client);
    host_->Attach(base::kControlActor, *control_);
    worker_ = std::make_unique<Worker>(host_->MakeWorld(WorkerActor(0)), *shared_, 0);
    host_->Attach(WorkerActor(0), *worker_);
    host_->Start();
    Publish(up);
    client_ = std::make_unique<PlayedClient>(*client_host_, me.client);
    sim_.RunFor(base::milliseconds(50));
  }

  // A snapshot in which these, and we ourselves, are up and ready; we: if `ready` says so. It is
  // so many epochs on, in which nothing else changed; the owners did, and are who they were, if
  // `new_owners` says so.
  void Publish(const std::set<base::NodeNumber>& up, std::uint64_t epochs = 0,
               bool new_owners = false) {
    auto snapshot = std::make_shared<Snapshot>();
    topology::Topology later = *topology_;
    later.epoch += epochs;
    snapshot->topology = topology::Share(std::move(later));
    snapshot->ring = ring_;
    snapshot->ring_epoch = topology_->epoch + (new_owners ? epochs : 0);
    for (const topology::Node& node : topology_->nodes) {
      const bool there = node.number == 1 || up.contains(node.number);
      snapshot->peers.push_back({.up = there,
                                 .ready = there && (node.number != 1 || ready),
                                 .boot = 0,
                                 .disk_full = false,
                                 .held = held.contains(node.number)});
    }
    auto mail = std::make_unique<SnapshotMail>();
    mail->snapshot = std::move(snapshot);
    Tell(std::move(mail));
  }

  void Tell(std::unique_ptr<base::Mail> mail) { control_->Send(std::move(mail)); }

  // The next mail of its kind that the worker sends to control; waits for it.
  template <typename Typed>
  std::unique_ptr<Typed> Hear(base::Duration limit = base::seconds(30)) {
    std::unique_ptr<Typed> heard;
    REQUIRE(sim_.Await(limit, [&] {
      std::erase_if(control_->got, [&](auto& mail) {
        if (heard != nullptr || mail->kind != static_cast<std::uint16_t>(Typed::kKind))
          return false;
        heard.reset(static_cast<Typed*>(mail.release()));
        return true;
      });
      return heard != nullptr;
    }));
    return heard;
  }

  WorkerStats Stats() {
    Tell(std::make_unique<StatsQueryMail>());
    return Hear<StatsMail>()->stats;
  }

  // Sends a client's request and waits for its answer.
  template <typename Message>
  Told Ask(const Message& message, base::Bytes payload = {}) {
    return AnswerTo(Begin(message, payload));
  }
  // The same in two steps.
  template <typename Message>
  std::uint64_t Begin(const Message& message, base::Bytes payload = {}) {
    client_->Send(FrameOf(++asked_, message, payload));
    return asked_;
  }
  Told AnswerTo(std::uint64_t id) {
    const Told* found = nullptr;
    REQUIRE(sim_.Await(base::seconds(30), [&] {
      for (const Told& told : client_->got)
        if (told.request_id == id) found = &told;
      return found != nullptr;
    }));
    return *found;
  }

  void RunFor(base::Duration time) { sim_.RunFor(time); }
  bool Await(base::Duration limit, const std::function<bool()>& done) {
    return sim_.Await(limit, done);
  }
  void SetDiskFull(bool full) { shared_->disk_full = full; }
  void SetRoomForRuns(bool room) { shared_->room_for_runs = room; }
  // Whether it met damage of its own since this was asked last.
  bool MetDamage() { return shared_->met_damage.Take(); }
  base::Instant Now() const { return sim_.now(); }
  std::int64_t WallMs() const { return host_->WallMs(); }
  PlayedPeer& peer(base::NodeNumber number) { return *peers_.at(number); }
  const topology::Topology& topology() const { return *topology_; }
  const topology::Ring& ring() const { return *ring_; }
  base::Token TokenOf(base::Bytes key) const { return base::TokenOf(key, topology_->token_seed); }

  Config config;
  bool ready = true;                // As of the next snapshot.
  std::set<base::NodeNumber> held;  // Likewise: the others that are reachable, and held back.
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine;
  std::string guard_file;
  storage::MemoryGuard guard{guard_file};

 private:
  sim::Simulation sim_{1};
  const topology::TopologyPtr topology_;
  const std::shared_ptr<const topology::Ring> ring_;
  sim::SimHost* host_ = nullptr;
  sim::SimHost* client_host_ = nullptr;
  std::map<base::NodeNumber, std::unique_ptr<PlayedPeer>> peers_;
  std::unique_ptr<NodeShared> shared_;
  std::unique_ptr<PlayedControl> control_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<PlayedClient> client_;
  std::uint64_t asked_ = 0;
};

// A frame of node 2, as control hands it to the worker.
inline std::unique_ptr<FrameMail> FromPeer(const std::string& bytes) {
  wire::Frame frame;
  REQUIRE(*wire::CutFrame(bytes, &frame) == bytes.size());
  auto mail = std::make_unique<FrameMail>();
  mail->reply.home = base::kControlActor;
  mail->reply.request_id = frame.request_id;
  mail->frame_kind = frame.kind;
  mail->peer = 2;
  mail->header = frame.header;
  mail->payload = frame.payload;
  return mail;
}

// What the worker answers to one.
template <typename Message>
Told AskAsPeer(OneWorker& node, const Message& message, base::Bytes payload = {}) {
  auto mail = FromPeer(FrameOf(1, message, payload));
  node.Tell(std::move(mail));
  const auto answer = node.Hear<ReplyMail>();
  wire::Frame told;
  REQUIRE(*wire::CutFrame(answer->frame, &told) == answer->frame.size());
  return {told.kind, told.request_id, std::string(told.header), std::string(told.payload)};
}

}  // namespace starling::server
