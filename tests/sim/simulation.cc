#include "tests/sim/simulation.h"

#include <algorithm>
#include <utility>

namespace starling::sim {

// --- SimHost ---

SimHost::SimHost(Core& core, Network& network, std::uint32_t index, std::uint32_t ip)
    : core_(core), network_(network), index_(index), ip_(ip), lanes_(core, index) {}

SimWorld& SimHost::MakeWorld(base::ActorId id) {
  CHECK(!up_);
  if (!worlds_.empty() && worlds_.front()->dead()) worlds_.clear();  // Of the life before.
  // In the order of ids, so that chance does not depend on how a node is put together.
  CHECK(static_cast<std::size_t>(id) == worlds_.size());
  worlds_.push_back(std::make_unique<SimWorld>(core_, network_, *this, id));
  return *worlds_.back();
}

void SimHost::Attach(base::ActorId id, base::Actor& actor) {
  SimWorld* world = Find(id);
  CHECK(world != nullptr);
  world->Attach(actor);
}

void SimHost::Start() {
  CHECK(!up_);
  CHECK(!worlds_.empty());
  ++life_;
  lanes_.SetLife(life_);
  up_ = true;
  exiting_ = false;
  exit_status_.reset();
  network_.SetPowered(index_, true);
  for (const auto& world : worlds_) world->Start();
}

void SimHost::Crash(How how) {
  if (how == How::kPowerLoss) network_.SetPowered(index_, false);
  if (!up_) return;
  up_ = false;
  core_.Trace(static_cast<std::uint64_t>(how), index_);
  for (const auto& world : worlds_) world->Stop();
  lanes_.Drop();
  network_.DropProcess(index_, how);
}

void SimHost::Pause(base::Duration time) {
  paused_until_ = std::max(paused_until_, core_.now + time);
}

void SimHost::ExitAfterTurn(base::Status why) {
  if (exiting_) return;  // The first reason counts.
  exiting_ = true;
  exit_status_ = std::move(why);
}

void SimHost::EndOfTurn() {
  if (exiting_ && up_) Crash(How::kExit);
}

std::int64_t SimHost::WallMs() const {
  return Simulation::kWallStartMs + base::ToMs(core_.now.since_start) + wall_offset_ms_;
}

SimWorld* SimHost::Find(base::ActorId id) {
  const auto index = static_cast<std::size_t>(id);
  return index < worlds_.size() ? worlds_[index].get() : nullptr;
}

// --- Simulation ---

Simulation::Simulation(std::uint64_t seed, const Faults& faults)
    : core_(seed, faults), network_(core_) {}

SimHost& Simulation::AddHost(std::uint32_t ip) {
  const std::uint32_t index = network_.AddHost(ip);
  hosts_.push_back(std::make_unique<SimHost>(core_, network_, index, ip));
  return *hosts_.back();
}

void Simulation::RunUntil(base::Instant when) {
  while (core_.next() <= when) Step();
  core_.now = std::max(core_.now, when);
}

bool Simulation::Await(base::Duration limit, const std::function<bool()>& done) {
  const base::Instant end = core_.now + limit;
  while (!done()) {
    if (core_.next() > end) {
      core_.now = end;
      return done();
    }
    Step();
  }
  return true;
}

void Simulation::At(base::Instant when, std::function<void()> call) {
  core_.Add(when, EventKind::kCall).call = std::make_unique<std::function<void()>>(std::move(call));
}

void Simulation::CutOneWay(const SimHost& from, const SimHost& to) {
  network_.Cut(from.index(), to.index());
}

void Simulation::HealOneWay(const SimHost& from, const SimHost& to) {
  network_.Heal(from.index(), to.index());
}

void Simulation::Cut(const SimHost& a, const SimHost& b) {
  CutOneWay(a, b);
  CutOneWay(b, a);
}

void Simulation::HealAll() {
  for (const auto& from : hosts_)
    for (const auto& to : hosts_) network_.Heal(from->index(), to->index());
}

void Simulation::ResetBetween(const SimHost& a, const SimHost& b) {
  network_.ResetBetween(a.index(), b.index());
}

SimHost* Simulation::HostOfLife(const Event& event) {
  SimHost& host = *hosts_[event.host];
  return host.up() && host.life() == event.life ? &host : nullptr;
}

void Simulation::Step() {
  Event event = core_.Take();
  Dispatch(event);
}

void Simulation::Dispatch(Event& event) {
  const EndRef end{event.link, event.side};
  switch (event.kind) {
    case EventKind::kCall: (*event.call)(); return;
    case EventKind::kSyn: network_.OnSyn(event.link); return;
    case EventKind::kArrive: network_.OnArrive(event); return;
    case EventKind::kResume: network_.OnResume(end); return;
    case EventKind::kReset: network_.OnReset(end); return;
    case EventKind::kStall: network_.OnStall(end, event.number); return;
    case EventKind::kLinger: network_.OnLinger(end); return;
    case EventKind::kDatagram: network_.OnDatagram(event); return;
    case EventKind::kTurn:
    case EventKind::kAlarm:
    case EventKind::kMail:
    case EventKind::kGive:
    case EventKind::kJobRun:
    case EventKind::kJobDone: break;
  }
  SimHost* host = HostOfLife(event);  // What was for a process that has ended is void.
  if (host == nullptr) return;
  switch (event.kind) {
    case EventKind::kTurn: host->Find(event.actor)->OnTurn(); break;
    case EventKind::kAlarm: host->Find(event.actor)->OnAlarm(); break;
    case EventKind::kMail: host->Find(event.actor)->NotifyMail(std::move(event.mail)); break;
    case EventKind::kGive: network_.Attach(end, *host->Find(event.actor)); break;
    case EventKind::kJobRun: host->lanes().OnRun(event.number); break;
    case EventKind::kJobDone: host->lanes().OnDone(event.number); break;
    default: CHECK(false);
  }
}

}  // namespace starling::sim
