// tests/sim/simulation.h: hosts with actors on virtual time, from one seed.
//
//   Simulation sim(seed, faults);
//   SimHost& host = sim.AddHost(ParseAddress("127.0.0.1")->ip);
//   Echo echo(host.MakeWorld(ActorId{0}));
//   host.Attach(ActorId{0}, echo);
//   host.Start();
//   sim.RunFor(seconds(1));
//   host.Crash(SimHost::How::kKilled);      // Now destroy the actors; then make new ones.
//
// Thread:    confined to one thread; nothing is shared between simulations.
// Ownership: of hosts and worlds. Actors are the caller's: a crash must come before they go, and
//            the worlds of a life stay valid until the next life's first MakeWorld.
// Read next: tests/sim/faults.h, tests/sim/sim_world.h, tests/sim/cluster.h
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tests/sim/core.h"
#include "tests/sim/sim_lanes.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_world.h"

namespace starling::sim {

class SimHost {
 public:
  using How = Network::Death;

  SimHost(Core& core, Network& network, std::uint32_t index, std::uint32_t ip);

  // --- a life ---
  SimWorld& MakeWorld(base::ActorId id);
  void Attach(base::ActorId id, base::Actor& actor);
  void Start();  // Each attached actor gets OnStart, in a turn of its own.
  // The process is gone at once. REQUIRES: not called from within an actor's turn.
  void Crash(How how);
  // No thread of it runs for that long, as under SIGSTOP.
  void Pause(base::Duration time);

  bool up() const { return up_; }
  // How its actors ended it, if they did in this life.
  const std::optional<base::Status>& exit_status() const { return exit_status_; }

  // --- the wall clock ---
  void SetWallOffset(std::int64_t ms) { wall_offset_ms_ = ms; }
  std::int64_t WallMs() const;

  std::uint32_t ip() const { return ip_; }
  std::uint32_t index() const { return index_; }

  // --- for worlds and events ---
  SimWorld* Find(base::ActorId id);
  void ExitAfterTurn(base::Status why);
  void EndOfTurn();
  Lanes& lanes() { return lanes_; }
  std::uint32_t life() const { return life_; }
  base::Instant paused_until() const { return paused_until_; }

 private:
  Core& core_;
  Network& network_;
  const std::uint32_t index_;
  const std::uint32_t ip_;
  Lanes lanes_;
  std::vector<std::unique_ptr<SimWorld>> worlds_;  // By actor id.
  std::uint32_t life_ = 0;
  bool up_ = false;
  bool exiting_ = false;
  std::optional<base::Status> exit_status_;
  std::int64_t wall_offset_ms_ = 0;
  base::Instant paused_until_;
};

class Simulation {
 public:
  // 2025-01-01: what wall clocks without an offset show at the start.
  static constexpr std::int64_t kWallStartMs = 1735689600000;

  explicit Simulation(std::uint64_t seed, const Faults& faults = {});

  SimHost& AddHost(std::uint32_t ip);
  std::span<const std::unique_ptr<SimHost>> hosts() const { return hosts_; }

  // --- time ---
  void RunUntil(base::Instant when);
  void RunFor(base::Duration time) { RunUntil(core_.now + time); }
  // Until `done` says so, asked before each event; false if `limit` passes first.
  bool Await(base::Duration limit, const std::function<bool()>& done);
  void At(base::Instant when, std::function<void()> call);
  base::Instant now() const { return core_.now; }

  // --- faults, besides those that faults() draws ---
  Faults& faults() { return core_.faults; }
  base::Random& random() { return core_.random; }
  void CutOneWay(const SimHost& from, const SimHost& to);
  void HealOneWay(const SimHost& from, const SimHost& to);
  void Cut(const SimHost& a, const SimHost& b);  // Both ways.
  void HealAll();
  void ResetBetween(const SimHost& a, const SimHost& b);

  std::uint64_t trace_hash() const { return core_.trace_hash(); }
  std::uint64_t events() const { return core_.events(); }

 private:
  void Step();
  void Dispatch(Event& event);
  SimHost* HostOfLife(const Event& event);

  Core core_;
  Network network_;
  std::vector<std::unique_ptr<SimHost>> hosts_;
};

}  // namespace starling::sim
