// base/uv/loop.h: the World of one actor: a libuv loop on a thread of its own.
//
// libuv's order within an iteration is timers, idle, prepare, poll. Inputs come from the poll and
// from the timers and deferred ones (idle) of the next iteration; prepare then ends the turn, so
// one turn has all that one poll found.
//
// Thread:    its own, but for Deliver, Wake and Complete, which are for all.
// Read next: base/uv/uv_world.h, which makes and runs loops; connections.h.
#pragma once

#include <uv.h>

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/mpsc_queue.h"
#include "base/uv/connections.h"
#include "base/uv/datagrams.h"
#include "base/uv/lanes.h"
#include "base/world.h"

namespace starling::base::uv {

struct Node;

struct LoopHandle {
  LoopHandle() { CHECK(uv_loop_init(&loop) == 0); }
  ~LoopHandle() { CHECK(uv_loop_close(&loop) == 0); }  // Every handle on it is closed by then.
  uv_loop_t loop;
};

class Loop final : public World, public JobHome {
 public:
  // A read takes at most kReadSize bytes; up to kReadMargin bytes left over from the one before
  // are copied in front of it.
  static constexpr std::size_t kReadSize = 256 * 1024;
  static constexpr std::size_t kReadMargin = 16 * 1024;

  Loop(ActorId self, Node& node, std::uint64_t seed);
  ~Loop();

  void Attach(Actor& actor);
  // First SIGINT, SIGTERM or SIGHUP: mail of this kind to the actor; the second ends the node.
  void CatchSignals(std::uint16_t mail_kind);
  // Runs the actor on the calling thread until the node stops.
  void Run();

  // --- any thread ---
  void Deliver(MpscBatch<Mail>& batch);  // REQUIRES: not empty.
  void Wake();                           // Safe in a signal handler too.
  void Complete(Job& job) override;

  // --- World ---
  Instant Now() const override;
  std::int64_t WallMs() const override;
  Random& random() override { return random_; }
  void WakeAt(Instant when) override;
  void Again() override { again_ = true; }
  void Post(ActorId to, std::unique_ptr<Mail> mail) override;
  void Offload(Lane lane, Job& job) override;
  Status Listen(ListenerId listener, Address address) override;
  void StopListening() override { connections_.StopListening(); }
  ConnId Connect(Address peer) override { return connections_.Connect(peer); }
  void Give(ConnId id, ActorId to) override { connections_.Give(id, to); }
  std::span<char> Reserve(ConnId id, std::size_t size) override {
    return connections_.Reserve(id, size);
  }
  void Commit(ConnId id, std::size_t used) override { connections_.Commit(id, used); }
  void Append(ConnId id, std::shared_ptr<const void> owner, Bytes bytes) override;
  std::size_t Queued(ConnId id) const override { return connections_.Queued(id); }
  void SetReading(ConnId id, Reading reading) override { connections_.SetReading(id, reading); }
  void Close(ConnId id) override { connections_.Close(id); }
  Status BindDatagrams(Address address) override { return datagrams_.Bind(address); }
  void SendDatagram(Address to, Bytes bytes) override { datagrams_.Send(to, bytes); }
  void Exit(Status why) override;

  // --- for connections and datagrams ---
  uv_loop_t* uv() { return &loop_.loop; }
  Actor& actor() { return *actor_; }
  std::uint64_t turn() const { return turn_; }
  std::span<char> read_area() { return std::span(read_buffer_).subspan(kReadMargin); }
  void PostInternal(ActorId to, Mail* mail);
  std::uint16_t PortOf(ListenerId listener) const { return connections_.PortOf(listener); }

 private:
  void OnWakeUp();
  void EndTurn();
  void PushMail();
  void OnSignal();
  void Shutdown();

  const ActorId self_;
  Node& node_;
  Actor* actor_ = nullptr;
  Random random_;
  LoopHandle loop_;
  uv_prepare_t prepare_;
  uv_idle_t idle_;
  uv_timer_t alarm_;
  uv_async_t wake_up_;
  std::array<uv_signal_t, 3> signals_;
  std::optional<std::uint16_t> signal_mail_kind_;
  bool signalled_ = false;
  bool shut_down_ = false;

  bool again_ = false;
  std::uint64_t turn_ = 1;
  mutable std::optional<Instant> now_;           // Read once a turn.
  mutable std::optional<std::int64_t> wall_ms_;  // Likewise.
  std::vector<MpscBatch<Mail>> outboxes_;        // By actor; pushed at the end of the turn.
  std::vector<char> read_buffer_;
  Connections connections_;
  Datagrams datagrams_;

  // Any thread:
  MpscQueue<Mail> inbox_;
  MpscQueue<Job> completed_;
};

// What the loops of a node share.
struct Node {
  explicit Node(std::size_t read_threads) : lanes(read_threads) {}
  ~Node();
  void Stop(Status status);  // Any thread. The first status stays.

  std::vector<std::unique_ptr<Loop>> loops;  // By ActorId; constant while it runs.
  Lanes lanes;
  std::atomic<bool> stopping = false;
  std::atomic<bool> stop_requested = false;  // By RequestStop, not yet told to control.
  std::mutex mutex;
  Status why;  // Guarded by mutex.
};

}  // namespace starling::base::uv
