// tests/sim/sim_pipe.cc: what is on its way between the ends of a connection, and what a cut holds
// up.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_world.h"

namespace starling::sim {

void Network::Send(EndRef to, Item item, Buffer bytes) {
  End* end = Find(to);
  end->last_arrival = std::max(end->last_arrival, core_.now + Latency());
  Event& event = core_.Add(end->last_arrival, EventKind::kArrive);
  event.link = to.link;
  event.side = to.side;
  event.item = item;
  event.bytes = std::move(bytes);
}

void Network::OnArrive(Event& event) {
  const EndRef to{event.link, event.side};
  End* end = Find(to);
  if (end == nullptr) return;
  const std::uint32_t from = Find(OtherEnd(to))->host;
  if (!end->stalled.empty() || !Passable(from, end->host)) {
    Stall(to, event.item, std::move(event.bytes));
  } else {
    Accept(to, event.item, std::move(event.bytes));
  }
}

void Network::Stall(EndRef to, Item item, Buffer bytes) {
  End& end = *Find(to);
  if (end.stalled.empty()) {
    const bool connecting = item == Item::kAccept || item == Item::kRefuse;
    Event& event = core_.Add(connecting ? links_.Find(to.link)->connect_deadline
                                        : core_.now + core_.faults.stall_timeout,
                             EventKind::kStall);
    event.link = to.link;
    event.side = to.side;
    event.number = ++end.stalls;
  }
  end.stalled.push_back({item, std::move(bytes)});
}

void Network::ResumeStalled() {
  links_.ForEach([&](std::uint64_t id, Link& link) {
    for (std::uint8_t side = 0; side < 2; ++side) {
      if (link.ends[side].stalled.empty()) continue;
      Event& event = core_.Add(core_.now + core_.UpTo(core_.faults.retransmit), EventKind::kResume);
      event.link = id;
      event.side = side;
    }
  });
}

void Network::OnResume(EndRef to) {
  End* end = Find(to);
  if (end == nullptr || end->stalled.empty()) return;
  if (!Passable(Find(OtherEnd(to))->host, end->host)) return;
  ++end->stalls;
  std::deque<End::Stalled> items = std::exchange(end->stalled, {});
  for (End::Stalled& stalled : items)
    if (Find(to) != nullptr) Accept(to, stalled.item, std::move(stalled.bytes));
}

// Nothing moved for so long that both ends give up; the receiver only when it next sends.
void Network::OnStall(EndRef to, std::uint32_t number) {
  End* end = Find(to);
  if (end == nullptr || end->stalls != number) return;
  ++end->stalls;
  // Whoever waits for an answer to a Connect is the receiver; else it is the sender that knows.
  const bool connecting = end->state == End::State::kConnecting;
  end->stalled.clear();
  EndWith(connecting ? to : OtherEnd(to), base::CloseReason::kUnreachable);
}

void Network::Accept(EndRef to, Item item, Buffer bytes) {
  End& end = *Find(to);
  if (!end.live() || end.close_pending) {  // The kernel knows of no such connection any more.
    if (item == Item::kBytes || item == Item::kAccept) Send(OtherEnd(to), Item::kReset, {});
    return;
  }
  switch (item) {
    case Item::kAccept:
      CHECK(end.state == End::State::kConnecting);
      end.state = End::State::kOpen;
      end.open_pending = true;
      Flush(to);
      break;
    case Item::kRefuse: EndWith(to, base::CloseReason::kRefused); return;
    case Item::kReset: EndWith(to, base::CloseReason::kReset); return;
    case Item::kBytes:
      if (end.state == End::State::kClosing) {
        Shown(to, bytes.size());
        return;
      }
      if (end.in.empty()) {
        end.in = std::move(bytes);
      } else {
        end.in.Append(bytes.bytes());
      }
      break;
    case Item::kFin:
      if (end.state == End::State::kClosing) return;
      end.close_pending = base::CloseReason::kPeer;
      break;
  }
  Notify(to);
}

void Network::SendReset(EndRef to) {
  Event& event = core_.Add(core_.now + Latency(), EventKind::kReset);
  event.link = to.link;
  event.side = to.side;
}

void Network::OnReset(EndRef to) {
  End* end = Find(to);
  if (end == nullptr || !end->live()) return;
  if (!Passable(Find(OtherEnd(to))->host, end->host)) {
    Event& event = core_.Add(core_.now + core_.faults.retransmit, EventKind::kReset);
    event.link = to.link;
    event.side = to.side;
    return;
  }
  EndWith(to, base::CloseReason::kReset);
}

void Network::OnLinger(EndRef ref) {
  End* end = Find(ref);
  if (end == nullptr || end->state != End::State::kClosing || end->close_pending) return;
  SendReset(OtherEnd(ref));
  EndWith(ref, base::CloseReason::kLocal);
}

// The connection is over at this end, now, and what was under way is lost. Its actor is told.
void Network::EndWith(EndRef ref, base::CloseReason reason) {
  End* end = Find(ref);
  if (end == nullptr || !end->live()) return;
  const bool closing = end->state == End::State::kClosing;
  end->close_pending = closing ? base::CloseReason::kLocal : reason;
  if (reason == base::CloseReason::kLocal) end->state = End::State::kClosing;
  end->out.clear();
  end->queued = 0;
  Notify(ref);
}

void Network::Notify(EndRef ref) {
  End& end = *Find(ref);
  if (end.world == nullptr || end.notified) return;
  end.notified = true;
  end.world->NotifyConnection(ref);
}

}  // namespace starling::sim
