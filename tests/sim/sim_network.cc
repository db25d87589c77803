#include "tests/sim/sim_network.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "tests/sim/sim_world.h"
#include "tests/sim/simulation.h"

namespace starling::sim {
namespace {

// What is left of an end that its actor has lost: what was on its way may still get there.
void MarkDead(End& end) {
  end = {.state = End::State::kDead,
         .host = end.host,
         .last_arrival = end.last_arrival,
         .stalled = std::move(end.stalled),
         .stalls = end.stalls};
}

}  // namespace

// --- hosts and ways ---

std::uint32_t Network::AddHost(std::uint32_t ip) {
  CHECK(!HostOf(ip).has_value());
  hosts_.push_back({.ip = ip});
  for (auto& row : cut_) row.resize(hosts_.size());
  cut_.emplace_back(hosts_.size());
  return static_cast<std::uint32_t>(hosts_.size() - 1);
}

void Network::Cut(std::uint32_t from, std::uint32_t to) { cut_[from][to] = true; }

void Network::Heal(std::uint32_t from, std::uint32_t to) {
  cut_[from][to] = false;
  ResumeStalled();
}

void Network::SetPowered(std::uint32_t host, bool on) {
  hosts_[host].powered = on;
  if (on) ResumeStalled();
}

bool Network::Passable(std::uint32_t from, std::uint32_t to) const {
  return !cut_[from][to] && hosts_[to].powered;
}

std::optional<std::uint32_t> Network::HostOf(std::uint32_t ip) const {
  for (std::uint32_t i = 0; i < hosts_.size(); ++i)
    if (hosts_[i].ip == ip) return i;
  return std::nullopt;
}

base::Duration Network::Latency() {
  const Faults& faults = core_.faults;
  base::Duration latency = faults.latency_min + core_.UpTo(faults.latency_max - faults.latency_min);
  if (faults.late > 0 && core_.random.Chance(faults.late)) latency += core_.UpTo(faults.late_max);
  return latency;
}

// --- links: what a world asks ---

base::Status Network::CheckAddress(std::uint32_t host, base::Address address,
                                   const char* what) const {
  if (address.ip == hosts_[host].ip && address.port != 0) return base::Ok();
  return base::Unavailable(
      fmt::format("{} {}: not an address of this host", what, address.ToString()));
}

// Whether a host binds an address that is another's, and may: nothing that is sent there reaches
// it.
bool Network::IsForeign(const SimWorld& world, base::Address address) const {
  return core_.faults.foreign_addresses && address.ip != hosts_[world.host().index()].ip;
}

base::Status Network::Listen(SimWorld& world, base::ListenerId listener, base::Address address) {
  if (IsForeign(world, address)) return base::Ok();
  RETURN_IF_ERROR(CheckAddress(world.host().index(), address, "listen on"));
  if (!listeners_.try_emplace(address, Listener{&world, listener}).second)
    return base::Unavailable(fmt::format("listen on {}: address in use", address.ToString()));
  return base::Ok();
}

void Network::StopListening(const SimWorld& world) {
  std::erase_if(listeners_, [&](const auto& item) { return item.second.world == &world; });
}

EndRef Network::Connect(SimWorld& world, std::uint32_t host, base::Address peer) {
  const auto [id, link] = links_.Add();
  const auto to = HostOf(peer.ip);
  Host& from = hosts_[host];
  link->connect_deadline = core_.now + core_.faults.connect_timeout;
  link->ends[0] = {.state = End::State::kConnecting, .world = &world, .host = host, .peer = peer};
  link->ends[1] = {.host = to.value_or(host), .peer = {from.ip, from.next_port}};
  from.next_port = from.next_port == 65535 ? 32768 : static_cast<std::uint16_t>(from.next_port + 1);
  if (to) {
    core_.Add(core_.now + Latency(), EventKind::kSyn).link = id;
  } else {  // No such host: nobody answers.
    Event& event = core_.Add(link->connect_deadline, EventKind::kSyn);
    event.link = id;
  }
  return {id, 0};
}

End* Network::Find(EndRef ref) {
  Link* link = links_.Find(ref.link);
  return link == nullptr ? nullptr : &link->ends[ref.side];
}

// Sends what the window has room for.
void Network::Flush(EndRef ref) {
  End* end = Find(ref);
  if (end == nullptr) return;
  if (end->state != End::State::kOpen && end->state != End::State::kClosing) return;
  const std::size_t window = core_.faults.window_bytes;
  while (end->queued > 0 && end->in_flight < window) {
    if (core_.faults.connection_reset > 0 && core_.random.Chance(core_.faults.connection_reset)) {
      SendReset(ref);
      SendReset(OtherEnd(ref));
      end->out.clear();
      end->queued = 0;
      break;
    }
    SendOut(ref, std::min(end->queued, window - end->in_flight));
  }
  if (end->state == End::State::kClosing && end->queued == 0) {
    Send(OtherEnd(ref), Item::kFin, {});
    EndWith(ref, base::CloseReason::kLocal);
  }
}

// The first `size` bytes of what is queued, as one item.
void Network::SendOut(EndRef ref, std::size_t size) {
  End& end = *Find(ref);
  end.queued -= size;
  end.in_flight += size;
  Buffer bytes;
  while (size > 0) {
    End::Chunk& chunk = end.out.front();
    if (!chunk.owner && chunk.size() <= size && bytes.empty()) {
      size -= chunk.size();
      bytes = std::move(chunk.own);
      end.out.pop_front();
      continue;
    }
    const std::size_t part = std::min(size, chunk.size());
    bytes.Append((chunk.owner ? chunk.view : chunk.own.bytes()).substr(0, part));
    if (chunk.owner) chunk.view.remove_prefix(part);
    if (!chunk.owner) chunk.own.Consume(part);
    if (chunk.size() == 0) end.out.pop_front();
    size -= part;
  }
  Send(OtherEnd(ref), Item::kBytes, std::move(bytes));
}

void Network::Close(EndRef ref) {
  End* end = Find(ref);
  CHECK(end != nullptr);
  if (end->state == End::State::kConnecting) {
    EndWith(ref, base::CloseReason::kLocal);
    return;
  }
  end->state = End::State::kClosing;
  if (end->close_pending) {  // It was over already.
    EndWith(ref, base::CloseReason::kLocal);
    return;
  }
  Event& event = core_.Add(core_.now + core_.faults.linger_timeout, EventKind::kLinger);
  event.link = ref.link;
  event.side = ref.side;
}

void Network::Detach(EndRef ref) {
  End* end = Find(ref);
  CHECK(end != nullptr);
  CHECK(end->state == End::State::kOpen);
  end->state = End::State::kMoving;
  end->world = nullptr;
}

void Network::Attach(EndRef ref, SimWorld& world) {
  End* end = Find(ref);
  if (end == nullptr || end->state != End::State::kMoving) return;
  end->state = End::State::kOpen;
  end->world = &world;
  end->id = world.AddConnection(ref);
  end->open_pending = true;
  end->reading = true;
  end->shown = 0;
  end->notified = false;
  Flush(ref);
  Notify(ref);
}

void Network::Shown(EndRef ref, std::size_t size) {
  End* sender = Find(OtherEnd(ref));
  if (sender == nullptr || sender->state == End::State::kDead) return;
  sender->in_flight -= std::min(size, sender->in_flight);
  if (sender->queued > 0) Flush(OtherEnd(ref));
}

void Network::Bury(EndRef ref) {
  End* end = Find(ref);
  CHECK(end != nullptr);
  MarkDead(*end);
  ReleaseIfDead(ref.link);
}

void Network::ReleaseIfDead(std::uint64_t id) {
  Link* link = links_.Find(id);
  if (link == nullptr || link->ends[0].live()) return;
  // An end that was never accepted still awaits a kSyn, which a link that is gone makes void.
  if (!link->ends[1].live()) links_.Remove(id);
}

// --- connecting ---

void Network::OnSyn(std::uint64_t id) {
  Link* link = links_.Find(id);
  if (link == nullptr || link->ends[0].state != End::State::kConnecting) return;
  End& from = link->ends[0];
  End& to = link->ends[1];
  if (core_.now >= link->connect_deadline) {
    EndWith({id, 0}, base::CloseReason::kUnreachable);
    return;
  }
  if (!Passable(from.host, to.host)) {
    const auto again = std::min(core_.now + core_.faults.retransmit, link->connect_deadline);
    core_.Add(again, EventKind::kSyn).link = id;
    return;
  }
  const auto listener = listeners_.find(from.peer);
  if (listener == listeners_.end()) {
    Send({id, 0}, Item::kRefuse, {});
    return;
  }
  to.state = End::State::kOpen;
  to.world = listener->second.world;
  to.listener = listener->second.id;
  to.id = to.world->AddConnection({id, 1});
  to.open_pending = true;
  Send({id, 0}, Item::kAccept, {});
  Notify({id, 1});
}

// --- the end of a process ---

void Network::DropProcess(std::uint32_t host, Death how) {
  std::erase_if(listeners_, [&](const auto& i) { return i.second.world->host().index() == host; });
  std::erase_if(sockets_, [&](const auto& i) { return i.second->host().index() == host; });
  std::vector<std::uint64_t> dead;
  links_.ForEach([&](std::uint64_t id, Link& link) {
    for (std::uint8_t side = 0; side < 2; ++side) {
      End& end = link.ends[side];
      if (end.host != host || !end.live()) continue;
      const EndRef other{id, static_cast<std::uint8_t>(1 - side)};
      const bool over = end.close_pending.has_value();
      MarkDead(end);
      dead.push_back(id);
      if (over || how == Death::kPowerLoss || !link.ends[1 - side].live()) continue;
      const bool fin = how == Death::kExit || core_.random.Chance(core_.faults.killed_sends_fin);
      if (fin) {
        Send(other, Item::kFin, {});
      } else {
        SendReset(other);
      }
    }
  });
  for (const std::uint64_t id : dead) ReleaseIfDead(id);
}

void Network::ResetBetween(std::uint32_t a, std::uint32_t b) {
  links_.ForEach([&](std::uint64_t id, Link& link) {
    const std::uint32_t from = link.ends[0].host;
    const std::uint32_t to = link.ends[1].host;
    if ((from != a || to != b) && (from != b || to != a)) return;
    SendReset({id, 0});
    SendReset({id, 1});
  });
}

// --- datagrams ---

base::Status Network::BindDatagrams(SimWorld& world, base::Address address) {
  if (IsForeign(world, address)) return base::Ok();
  RETURN_IF_ERROR(CheckAddress(world.host().index(), address, "bind datagrams to"));
  if (!sockets_.try_emplace(address, &world).second)
    return base::Unavailable(
        fmt::format("bind datagrams to {}: address in use", address.ToString()));
  return base::Ok();
}

void Network::SendDatagram(base::Address from, base::Address to, base::Bytes bytes) {
  constexpr std::size_t kLargest = 65507;
  if (bytes.size() > kLargest) return;
  const Faults& faults = core_.faults;
  if (faults.datagram_loss > 0 && core_.random.Chance(faults.datagram_loss)) return;
  const bool twice =
      faults.datagram_duplicate > 0 && core_.random.Chance(faults.datagram_duplicate);
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    Event& event = core_.Add(core_.now + Latency(), EventKind::kDatagram);
    event.from = from;
    event.to = to;
    event.bytes.Append(bytes);
  }
}

void Network::OnDatagram(Event& event) {
  const auto from = HostOf(event.from.ip);
  const auto to = HostOf(event.to.ip);
  if (!from || !to || !Passable(*from, *to)) return;
  const auto socket = sockets_.find(event.to);
  if (socket != sockets_.end()) socket->second->NotifyDatagram(event.from, std::move(event.bytes));
}

}  // namespace starling::sim
