// tests/sim/sim_world.h: what one simulated actor lives in: the second implementation of World.
//
// What is due to the actor waits as an input. A turn takes 1..k of them, k being drawn, and ends
// with OnTurnEnd; then what was committed leaves. Connections are looked at, not told of: an input
// of a connection delivers whatever of open, bytes and close is next for it then.
//
// Thread:    confined to one thread.
// Ownership: of its inputs. The actor is its host's owner's.
// Read next: base/world.h for what each call promises; tests/sim/sim_network.h.
#pragma once

#include <deque>
#include <vector>

#include "base/slab.h"
#include "base/world.h"
#include "tests/sim/core.h"
#include "tests/sim/sim_lanes.h"
#include "tests/sim/sim_network.h"

namespace starling::sim {

class SimHost;

class SimWorld final : public base::World {
 public:
  SimWorld(Core& core, Network& network, SimHost& host, base::ActorId id);
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  void Attach(base::Actor& actor) { actor_ = &actor; }
  void Start();
  void Stop() { dead_ = true; }  // No further turn; calls do nothing any more.
  bool dead() const { return dead_; }

  // --- World ---
  base::Instant Now() const override { return core_.now; }
  std::int64_t WallMs() const override;
  base::Random& random() override { return random_; }
  void WakeAt(base::Instant when) override;
  void Again() override;
  void Post(base::ActorId to, std::unique_ptr<base::Mail> mail) override;
  void Offload(base::Lane lane, base::Job& job) override;
  base::Status Listen(base::ListenerId listener, base::Address address) override;
  void StopListening() override;
  base::ConnId Connect(base::Address peer) override;
  void Give(base::ConnId conn, base::ActorId to) override;
  std::span<char> Reserve(base::ConnId conn, std::size_t size) override;
  void Commit(base::ConnId conn, std::size_t used) override;
  void Append(base::ConnId conn, std::shared_ptr<const void> owner, base::Bytes bytes) override;
  std::size_t Queued(base::ConnId conn) const override;
  void SetReading(base::ConnId conn, Reading reading) override;
  void Close(base::ConnId conn) override;
  base::Status BindDatagrams(base::Address address) override;
  // As who forges them: from now on datagrams of this world say that they are from there.
  void ForgeSender(base::Address from) { datagram_address_ = from; }
  void SendDatagram(base::Address to, base::Bytes bytes) override;
  void Exit(base::Status why) override;

  // --- what the network, the lanes and the events bring ---
  base::ConnId AddConnection(EndRef ref);
  void NotifyConnection(EndRef ref);
  void NotifyDone(base::Job& job);
  void NotifyMail(std::unique_ptr<base::Mail> mail);
  void NotifyDatagram(base::Address from, Buffer bytes);
  void OnAlarm();
  void OnTurn();

  SimHost& host() const { return host_; }
  base::ActorId id() const { return id_; }

 private:
  enum class InputKind : std::uint8_t { kStart, kConnection, kDatagram, kMail, kWake, kDone };
  struct Input {
    InputKind kind{};
    EndRef end;
    base::Job* job = nullptr;
    base::Address from;
    std::unique_ptr<base::Mail> mail;
    Buffer bytes;
  };
  struct Conn {
    EndRef end;
    bool dirty = false;
  };

  Input& AddInput(InputKind kind);
  void ScheduleTurn(base::Duration delay);
  void Deliver(Input& input);
  void DeliverConnection(EndRef ref);
  void DeliverBytes(EndRef ref, End& end);
  void DeliverClose(EndRef ref, End& end);
  base::Instant PostArrival(base::ActorId to);
  void FlushDirty();
  End* OpenEnd(base::ConnId conn);  // nullptr unless bytes can be sent on it.
  void MarkDirty(base::ConnId conn);
  void Trace(std::uint64_t what, base::Bytes bytes = {});

  Core& core_;
  Network& network_;
  SimHost& host_;
  const base::ActorId id_;
  base::Random random_;
  base::Actor* actor_ = nullptr;
  bool dead_ = false;

  std::deque<Input> inputs_;
  bool turn_scheduled_ = false;
  bool again_ = false;
  base::Instant busy_until_;

  base::Instant alarm_ = base::Instant::Never();
  base::Instant alarm_event_ = base::Instant::Never();  // The earliest one in the queue.
  bool wake_waits_ = false;

  mutable base::Slab<Conn> conns_;
  std::vector<base::ConnId> dirty_;
  Buffer scratch_;  // What Reserve gives for a dead id.
  std::size_t reserved_ = 0;
  std::vector<base::Instant> post_arrivals_;  // By receiver: keeps mails in order.
  base::Address datagram_address_;
};

}  // namespace starling::sim
