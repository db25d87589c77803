#include "tests/sim/sim_world.h"

#include <algorithm>
#include <utility>

#include "tests/sim/simulation.h"

namespace starling::sim {

SimWorld::SimWorld(Core& core, Network& network, SimHost& host, base::ActorId id)
    : core_(core), network_(network), host_(host), id_(id), random_(core.random.Next()) {}

void SimWorld::Start() { AddInput(InputKind::kStart); }

std::int64_t SimWorld::WallMs() const { return host_.WallMs(); }

void SimWorld::Trace(std::uint64_t what, base::Bytes bytes) {
  core_.Trace(what, std::uint64_t{host_.index()} << 16 | static_cast<std::uint16_t>(id_), bytes);
}

// --- turns ---

SimWorld::Input& SimWorld::AddInput(InputKind kind) {
  inputs_.emplace_back().kind = kind;
  ScheduleTurn(core_.UpTo(core_.faults.turn_delay_max));
  return inputs_.back();
}

void SimWorld::ScheduleTurn(base::Duration delay) {
  if (turn_scheduled_ || dead_) return;
  turn_scheduled_ = true;
  Event& event = core_.Add(std::max(core_.now + delay, busy_until_), EventKind::kTurn);
  event.host = host_.index();
  event.life = host_.life();
  event.actor = id_;
}

void SimWorld::OnTurn() {
  if (dead_) return;
  turn_scheduled_ = false;
  if (core_.now < host_.paused_until()) {
    ScheduleTurn(host_.paused_until() - core_.now);
    return;
  }
  again_ = false;
  std::uint64_t left = 1 + core_.random.Below(core_.faults.turn_inputs_max);
  for (; left > 0 && !inputs_.empty(); --left) {
    Input input = std::move(inputs_.front());
    inputs_.pop_front();
    Deliver(input);
  }
  actor_->OnTurnEnd();
  Trace(16);
  FlushDirty();
  busy_until_ = core_.now + core_.UpTo(core_.faults.turn_cost_max);
  if (!inputs_.empty() || again_) ScheduleTurn({});
  host_.EndOfTurn();
}

void SimWorld::Deliver(Input& input) {
  switch (input.kind) {
    case InputKind::kStart: actor_->OnStart(); break;
    case InputKind::kConnection: DeliverConnection(input.end); break;
    case InputKind::kDatagram:
      Trace(17, input.bytes.bytes());
      actor_->OnDatagram(input.from, input.bytes.bytes());
      break;
    case InputKind::kMail:
      Trace(std::uint64_t{32} + input.mail->kind);
      actor_->OnMail(std::move(input.mail));
      break;
    case InputKind::kWake:
      wake_waits_ = false;
      if (alarm_ > core_.now) break;  // Replaced since.
      alarm_ = base::Instant::Never();
      Trace(18);
      actor_->OnWake();
      break;
    case InputKind::kDone:
      Trace(19);
      input.job->Done();
      break;
  }
}

void SimWorld::FlushDirty() {
  for (const base::ConnId id : dirty_) {
    Conn* conn = conns_.Find(static_cast<std::uint64_t>(id));
    if (conn == nullptr) continue;
    conn->dirty = false;
    network_.Flush(conn->end);
  }
  dirty_.clear();
}

// --- connections, as the actor is told ---

base::ConnId SimWorld::AddConnection(EndRef ref) {
  const auto [id, conn] = conns_.Add();
  conn->end = ref;
  return base::ConnId{id};
}

void SimWorld::NotifyConnection(EndRef ref) {
  if (!dead_) AddInput(InputKind::kConnection).end = ref;
}

// One step of what is next for the connection; another input if there is more.
void SimWorld::DeliverConnection(EndRef ref) {
  End* end = network_.Find(ref);
  if (end == nullptr || end->world != this) return;
  end->notified = false;
  const bool open = end->state == End::State::kOpen;
  // Who does not read does not see that the peer closed in order.
  const bool close = end->close_pending &&
                     (end->reading || !open || *end->close_pending != base::CloseReason::kPeer);
  if (open && end->open_pending) {
    end->open_pending = false;
    Trace(20);
    actor_->OnOpen(end->id, end->peer, end->listener);
  } else if (open && end->reading && (end->in.size() > end->shown || end->show_again)) {
    DeliverBytes(ref, *end);
  } else if (close) {
    DeliverClose(ref, *end);
    return;
  } else {
    return;
  }
  end = network_.Find(ref);
  if (end == nullptr || end->world != this || end->notified) return;
  if (end->open_pending || end->close_pending || end->in.size() > end->shown) {
    end->notified = true;
    AddInput(InputKind::kConnection).end = ref;
  }
}

void SimWorld::DeliverBytes(EndRef ref, End& end) {
  end.show_again = false;
  std::size_t fresh = end.in.size() - end.shown;
  if (fresh > 1 && core_.random.Chance(core_.faults.split)) fresh = 1 + core_.random.Below(fresh);
  const base::Bytes bytes = end.in.bytes().substr(0, end.shown + fresh);
  Trace(21, bytes);
  // Neither Close nor Give within the call touches the bytes.
  const std::size_t used = actor_->OnBytes(end.id, bytes);
  CHECK(used <= bytes.size());
  end.in.Consume(used);
  end.shown = end.state == End::State::kMoving ? 0 : bytes.size() - used;
  network_.Shown(ref, fresh);
}

void SimWorld::DeliverClose(EndRef ref, End& end) {
  const base::ConnId id = end.id;
  const base::CloseReason reason = *end.close_pending;
  conns_.Remove(static_cast<std::uint64_t>(id));
  network_.Bury(ref);
  Trace(22, {reinterpret_cast<const char*>(&reason), sizeof reason});
  actor_->OnClose(id, reason);
}

// --- connections, as the actor asks ---

base::ConnId SimWorld::Connect(base::Address peer) {
  if (dead_) return base::ConnId{0};
  const EndRef ref = network_.Connect(*this, host_.index(), peer);
  const base::ConnId id = AddConnection(ref);
  network_.Find(ref)->id = id;
  return id;
}

base::Status SimWorld::Listen(base::ListenerId listener, base::Address address) {
  CHECK(listener != base::ListenerId::kNone);
  return dead_ ? base::Unavailable("listen: the node has ended")
               : network_.Listen(*this, listener, address);
}

void SimWorld::StopListening() { network_.StopListening(*this); }

void SimWorld::Give(base::ConnId conn, base::ActorId to) {
  const Conn* found = conns_.Find(static_cast<std::uint64_t>(conn));
  if (found == nullptr || dead_) return;
  const EndRef ref = found->end;
  if (network_.Find(ref)->state == End::State::kClosing) return;
  CHECK(host_.Find(to) != nullptr);
  network_.Flush(ref);
  network_.Detach(ref);
  conns_.Remove(static_cast<std::uint64_t>(conn));
  Event& event = core_.Add(PostArrival(to), EventKind::kGive);
  event.host = host_.index();
  event.life = host_.life();
  event.actor = to;
  event.link = ref.link;
  event.side = ref.side;
}

End* SimWorld::OpenEnd(base::ConnId conn) {
  const Conn* found = conns_.Find(static_cast<std::uint64_t>(conn));
  if (found == nullptr || dead_) return nullptr;
  End* end = network_.Find(found->end);
  const bool open = end->state == End::State::kOpen || end->state == End::State::kConnecting;
  return open && !end->close_pending ? end : nullptr;
}

void SimWorld::MarkDirty(base::ConnId conn) {
  Conn* found = conns_.Find(static_cast<std::uint64_t>(conn));
  if (found->dirty) return;
  found->dirty = true;
  dirty_.push_back(conn);
}

std::span<char> SimWorld::Reserve(base::ConnId conn, std::size_t size) {
  reserved_ = size;
  End* end = OpenEnd(conn);
  if (end == nullptr) {
    scratch_.Clear();
    return scratch_.Reserve(size);
  }
  if (end->out.empty() || end->out.back().owner) end->out.emplace_back();
  return end->out.back().own.Reserve(size);
}

void SimWorld::Commit(base::ConnId conn, std::size_t used) {
  CHECK(used <= reserved_);
  reserved_ = 0;
  End* end = OpenEnd(conn);
  if (end == nullptr || used == 0) return;
  end->out.back().own.Commit(used);
  end->queued += used;
  MarkDirty(conn);
}

void SimWorld::Append(base::ConnId conn, std::shared_ptr<const void> owner, base::Bytes bytes) {
  End* end = OpenEnd(conn);
  if (end == nullptr || bytes.empty()) return;
  CHECK(owner != nullptr);
  end->out.push_back({.owner = std::move(owner), .view = bytes, .own = {}});
  end->queued += bytes.size();
  MarkDirty(conn);
}

std::size_t SimWorld::Queued(base::ConnId conn) const {
  const Conn* found = conns_.Find(static_cast<std::uint64_t>(conn));
  return found == nullptr ? 0 : network_.Find(found->end)->queued;
}

void SimWorld::SetReading(base::ConnId conn, Reading reading) {
  End* end = OpenEnd(conn);
  if (end == nullptr) return;
  const bool on = reading == Reading::kOn;
  // Whole requests may be among what was left unused, and the peer may send nothing more.
  if (on && !end->reading && end->shown > 0) end->show_again = true;
  end->reading = on;
  const Conn* found = conns_.Find(static_cast<std::uint64_t>(conn));
  const bool more = end->in.size() > end->shown || end->close_pending || end->show_again;
  if (!end->reading || !more || end->notified) return;
  end->notified = true;
  NotifyConnection(found->end);
}

void SimWorld::Close(base::ConnId conn) {
  const Conn* found = conns_.Find(static_cast<std::uint64_t>(conn));
  if (found == nullptr || dead_) return;
  if (network_.Find(found->end)->state == End::State::kClosing) return;
  network_.Close(found->end);
  MarkDirty(conn);
}

// --- datagrams ---

base::Status SimWorld::BindDatagrams(base::Address address) {
  if (dead_) return base::Unavailable("bind datagrams: the node has ended");
  RETURN_IF_ERROR(network_.BindDatagrams(*this, address));
  datagram_address_ = address;
  return base::Ok();
}

void SimWorld::SendDatagram(base::Address to, base::Bytes bytes) {
  CHECK(datagram_address_.port != 0);
  if (!dead_) network_.SendDatagram(datagram_address_, to, bytes);
}

void SimWorld::NotifyDatagram(base::Address from, Buffer bytes) {
  if (dead_) return;
  Input& input = AddInput(InputKind::kDatagram);
  input.from = from;
  input.bytes = std::move(bytes);
}

// --- time, mail, jobs ---

void SimWorld::WakeAt(base::Instant when) {
  alarm_ = when;
  if (when >= alarm_event_ || dead_) return;
  alarm_event_ = std::max(when, core_.now);
  Event& event = core_.Add(alarm_event_, EventKind::kAlarm);
  event.host = host_.index();
  event.life = host_.life();
  event.actor = id_;
}

void SimWorld::OnAlarm() {
  if (dead_ || core_.now != alarm_event_) return;  // A later one that an earlier one replaced.
  alarm_event_ = base::Instant::Never();
  if (alarm_ > core_.now) {
    WakeAt(alarm_);
  } else if (!wake_waits_) {
    wake_waits_ = true;
    inputs_.emplace_back().kind = InputKind::kWake;
    ScheduleTurn(core_.UpTo(core_.faults.alarm_late_max));
  }
}

void SimWorld::Again() { again_ = true; }

base::Instant SimWorld::PostArrival(base::ActorId to) {
  const auto index = static_cast<std::size_t>(to);
  if (post_arrivals_.size() <= index) post_arrivals_.resize(index + 1);
  base::Instant& arrival = post_arrivals_[index];
  arrival = std::max(arrival, core_.now + core_.UpTo(core_.faults.post_delay_max));
  return arrival;
}

void SimWorld::Post(base::ActorId to, std::unique_ptr<base::Mail> mail) {
  CHECK(mail != nullptr);
  if (dead_) return;
  CHECK(host_.Find(to) != nullptr);
  mail->from = id_;
  Event& event = core_.Add(PostArrival(to), EventKind::kMail);
  event.host = host_.index();
  event.life = host_.life();
  event.actor = to;
  event.mail = std::move(mail);
}

void SimWorld::NotifyMail(std::unique_ptr<base::Mail> mail) {
  if (!dead_) AddInput(InputKind::kMail).mail = std::move(mail);
}

void SimWorld::Offload(base::Lane lane, base::Job& job) {
  if (!dead_) host_.lanes().Offload(lane, job, *this);
}

void SimWorld::NotifyDone(base::Job& job) {
  if (!dead_) AddInput(InputKind::kDone).job = &job;
}

void SimWorld::Exit(base::Status why) {
  if (!dead_) host_.ExitAfterTurn(std::move(why));
}

}  // namespace starling::sim
