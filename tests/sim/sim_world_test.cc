// Goal:   the simulator's World keeps what base/world.h and base/actor.h promise of turns, mail,
//         jobs, alarms and the end of a node, and a run is a function of its seed.
// Method: toy actors; the same run over many seeds; two runs of a seed compared by their hashes.
#include "tests/sim/sim_world.h"

#include <algorithm>

#include "tests/sim/toys.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::ActorId;
using base::Instant;
using base::Lane;
using base::milliseconds;
using base::seconds;
using How = SimHost::How;

// A host with actors 0 and 1.
struct Two {
  explicit Two(std::uint64_t seed = 1, const Faults& faults = {}) : sim(seed, faults) {
    host.Attach(ActorId{0}, control);
    host.Attach(ActorId{1}, worker);
    host.Start();
    sim.RunFor(milliseconds(1));
  }
  Simulation sim;
  SimHost& host = sim.AddHost(kLoopback + 1);
  Toy control{host.MakeWorld(ActorId{0})};
  Toy worker{host.MakeWorld(ActorId{1})};
};

struct Work final : base::Job {
  Work(Simulation& in, int n, std::vector<int>& run_log, std::vector<int>& done_log)
      : sim(in), number(n), runs(run_log), dones(done_log) {}
  void Run() noexcept override {
    runs.push_back(number);
    ran_at = sim.now();
  }
  void Done() override {
    dones.push_back(number);
    EXPECT(sim.now() >= ran_at);
  }
  Simulation& sim;
  int number;
  std::vector<int>& runs;
  std::vector<int>& dones;
  Instant ran_at;
};

enum class Spread : std::uint8_t { kByTheWorker, kOverBoth };

// Twenty jobs that are with a lane, and what became of them.
struct Works {
  Works(Two& two, Lane lane, Spread spread) {
    for (int i = 0; i < 20; ++i) {
      jobs.push_back(std::make_unique<Work>(two.sim, i, runs, dones));
      const bool control = spread == Spread::kOverBoth && i % 2 == 0;
      (control ? two.control : two.worker).world.Offload(lane, *jobs.back());
    }
  }

  std::vector<int> runs;
  std::vector<int> dones;
  std::vector<std::unique_ptr<Work>> jobs;
};

TEST_SUITE("sim/world") {
  TEST_CASE("OnStart comes before anything else, and each turn ends once") {
    struct Starter : Toy {
      using Toy::Toy;
      void OnStart() override {
        EXPECT(turns == 0);
        Log("start");
        world.Post(ActorId{0}, std::make_unique<Note>(1));
      }
    };
    Simulation sim(1);
    auto toy = Boot<Starter>(sim.AddHost(kLoopback + 1));
    sim.RunFor(seconds(1));
    EXPECT(toy->log == std::vector<std::string>{"start"});
    EXPECT(toy->notes == std::vector<std::pair<int, int>>{{0, 1}});
    EXPECT(toy->turns == 2);
  }

  TEST_CASE("a turn takes one input or several, and time stands still in it") {
    struct Watcher : Toy {
      using Toy::Toy;
      void OnMail(std::unique_ptr<base::Mail> mail) override {
        if (in_turn++ == 0) began = world.Now();
        EXPECT(began == world.Now());
        Toy::OnMail(std::move(mail));
      }
      void OnTurnEnd() override {
        most = std::max(most, std::exchange(in_turn, 0));
        Toy::OnTurnEnd();
      }
      int in_turn = 0;
      int most = 0;
      Instant began;
    };
    Simulation sim(1);
    auto toy = Boot<Watcher>(sim.AddHost(kLoopback + 1));
    sim.RunFor(milliseconds(1));
    for (int i = 0; i < 100; ++i) toy->world.Post(ActorId{0}, std::make_unique<Note>(i));
    sim.RunFor(seconds(1));
    EXPECT(toy->notes.size() == 100);
    EXPECT(toy->most > 1);
    EXPECT(toy->most <= static_cast<int>(sim.faults().turn_inputs_max));
    EXPECT(toy->turns > 100 / static_cast<int>(sim.faults().turn_inputs_max));
  }

  TEST_CASE("mail between two actors keeps its order, from and to itself too") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Two two(seed);
      for (int i = 0; i < 50; ++i) {
        two.control.world.Post(ActorId{1}, std::make_unique<Note>(i));
        two.worker.world.Post(ActorId{1}, std::make_unique<Note>(i));
      }
      two.sim.RunFor(seconds(1));
      for (int from : {0, 1}) {
        std::vector<int> numbers;
        for (const auto& [sender, number] : two.worker.notes)
          if (sender == from) numbers.push_back(number);
        EXPECT(numbers.size() == 50);
        EXPECT(std::is_sorted(numbers.begin(), numbers.end()));
      }
    }
  }

  TEST_CASE("the alarm comes at its time or soon after, never early, and once") {
    Two two;
    const Instant due = two.sim.now() + milliseconds(20);
    two.worker.world.WakeAt(due);
    two.sim.RunFor(seconds(1));
    REQUIRE(two.worker.wakes.size() == 1);
    EXPECT(two.worker.wakes[0] >= due);
    EXPECT(two.worker.wakes[0] <= due + two.sim.faults().alarm_late_max);
  }

  TEST_CASE("a new alarm replaces the former, earlier, later or none at all") {
    Two two;
    const Instant now = two.sim.now();
    two.worker.world.WakeAt(now + milliseconds(100));
    SUBCASE("earlier") {
      two.worker.world.WakeAt(now + milliseconds(10));
      two.sim.RunFor(seconds(1));
      REQUIRE(two.worker.wakes.size() == 1);
      EXPECT(two.worker.wakes[0] < now + milliseconds(20));
    }
    SUBCASE("later") {
      two.worker.world.WakeAt(now + milliseconds(500));
      two.sim.RunFor(milliseconds(499));
      EXPECT(two.worker.wakes.empty());
      two.sim.RunFor(seconds(1));
      EXPECT(two.worker.wakes.size() == 1);
    }
    SUBCASE("never") {
      two.worker.world.WakeAt(Instant::Never());
      two.sim.RunFor(seconds(1));
      EXPECT(two.worker.wakes.empty());
    }
    SUBCASE("in the past") {
      two.worker.world.WakeAt(Instant{});
      two.sim.RunFor(milliseconds(10));
      EXPECT(two.worker.wakes.size() == 1);
    }
  }

  TEST_CASE("Again gives another turn, without an input") {
    struct Restless : Toy {
      using Toy::Toy;
      void OnTurnEnd() override {
        Toy::OnTurnEnd();
        if (turns < 5) world.Again();
      }
    };
    Simulation sim(1);
    auto toy = Boot<Restless>(sim.AddHost(kLoopback + 1));
    sim.RunFor(milliseconds(10));
    EXPECT(toy->turns == 5);
  }

  TEST_CASE("the sync lane runs jobs one by one in the order of Offload, over all actors") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Two two(seed, {.slow_job = 0.3});
      Works works(two, Lane::kSync, Spread::kOverBoth);
      EXPECT(works.runs.empty());
      two.sim.RunFor(seconds(10));
      EXPECT(works.runs.size() == 20);
      EXPECT(std::is_sorted(works.runs.begin(), works.runs.end()));
      EXPECT(works.dones.size() == 20);
    }
  }

  TEST_CASE("jobs of the read lane overlap, and may end in another order") {
    bool reordered = false;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      Two two(seed);
      Works works(two, Lane::kRead, Spread::kByTheWorker);
      two.sim.RunFor(seconds(1));
      EXPECT(works.dones.size() == 20);
      reordered |= !std::is_sorted(works.dones.begin(), works.dones.end());
    }
    EXPECT(reordered);
  }

  TEST_CASE("after a crash no job runs that had not, and none is told of its end") {
    bool some_ran = false;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      Two two(seed);
      Works works(two, Lane::kSync, Spread::kByTheWorker);
      two.sim.RunFor(milliseconds(3));
      two.host.Crash(How::kKilled);
      const auto ran = works.runs.size();
      const auto done = works.dones.size();
      works.jobs.clear();
      two.sim.RunFor(seconds(1));
      EXPECT(works.runs.size() == ran);
      EXPECT(works.dones.size() == done);
      some_ran |= ran > done;
    }
    EXPECT(some_ran);
  }

  TEST_CASE("after Exit no actor of the node gets another turn, and what it sent has left") {
    struct Leaver : Client {
      using Client::Client;
      std::size_t OnBytes(base::ConnId id, base::Bytes bytes) override {
        Send(id, "bye");
        world.Exit(base::Io("the disk is gone"));
        return bytes.size();
      }
    };
    Simulation sim(1);
    SimHost& server_host = sim.AddHost(kLoopback + 1);
    SimHost& client_host = sim.AddHost(kLoopback + 2);
    auto echo = Boot<Echo>(server_host, server_host);
    auto leaver = Boot<Leaver>(client_host, echo->address, "hello");
    sim.RunFor(seconds(1));
    EXPECT(!client_host.up());
    REQUIRE(client_host.exit_status().has_value());
    EXPECT(client_host.exit_status()->message() == "the disk is gone");
    EXPECT(echo->received == "hellobye");
    EXPECT(echo->closes == std::vector{base::CloseReason::kPeer});
    const int turns = leaver->turns;
    sim.RunFor(seconds(1));
    EXPECT(leaver->turns == turns);
  }

  TEST_CASE("a host that crashed can start again; nothing of its former life reaches the new one") {
    Simulation sim(1);
    SimHost& host = sim.AddHost(kLoopback + 1);
    auto first = Boot<Server>(host, host);
    sim.RunFor(milliseconds(1));
    first->world.Post(ActorId{0}, std::make_unique<Note>(1));
    first->world.WakeAt(sim.now() + milliseconds(1));
    host.Crash(How::kKilled);
    first.reset();
    auto second = Boot<Server>(host, host);
    sim.RunFor(seconds(1));
    EXPECT(second->notes.empty());
    EXPECT(second->wakes.empty());
    EXPECT(host.up());
  }

  TEST_CASE("a paused host takes no turn until it goes on") {
    Two two;
    two.control.world.Post(ActorId{1}, std::make_unique<Note>(1));
    two.host.Pause(seconds(2));
    two.sim.RunFor(milliseconds(1999));
    EXPECT(two.worker.notes.empty());
    two.sim.RunFor(seconds(1));
    EXPECT(two.worker.notes.size() == 1);
  }

  TEST_CASE("the wall clock goes with time, and is moved for one host alone") {
    Simulation sim(1);
    auto one = Boot<Toy>(sim.AddHost(kLoopback + 1));
    auto two = Boot<Toy>(sim.AddHost(kLoopback + 2));
    sim.RunFor(seconds(5));
    EXPECT(one->world.WallMs() == Simulation::kWallStartMs + 5000);
    sim.hosts()[0]->SetWallOffset(-7000);
    EXPECT(one->world.WallMs() == Simulation::kWallStartMs - 2000);
    EXPECT(two->world.WallMs() == Simulation::kWallStartMs + 5000);
  }

  TEST_CASE("Await stops when the test is content, or at its limit") {
    Two two;
    two.worker.world.WakeAt(two.sim.now() + seconds(3));
    EXPECT(!two.sim.Await(seconds(2), [&] { return !two.worker.wakes.empty(); }));
    EXPECT(two.sim.Await(seconds(2), [&] { return !two.worker.wakes.empty(); }));
    EXPECT(two.sim.now().since_start < seconds(4));
  }
}

// Sends back what comes back, for ever; connects again when the connection is lost.
struct Chatter : Client {
  using Client::Client;
  std::size_t OnBytes(base::ConnId id, base::Bytes bytes) override {
    Send(id, bytes);
    return bytes.size();
  }
  void OnClose(base::ConnId, base::CloseReason) override {
    world.WakeAt(world.Now() + milliseconds(50));
  }
  void OnWake() override { conn = world.Connect(to); }
};

struct Run {
  std::uint64_t hash;
  std::uint64_t events;
};

Run Chat(std::uint64_t seed, base::Duration time, bool storm) {
  Faults faults;
  if (storm) {
    faults = {.late = 0.02, .connection_reset = 0.001, .slow_job = 0.05};
  }
  Simulation sim(seed, faults);
  std::vector<std::unique_ptr<Echo>> echoes;
  std::vector<std::unique_ptr<Chatter>> chatters;
  for (std::uint32_t i = 0; i < 5; ++i) {
    SimHost& host = sim.AddHost(kLoopback + 1 + i);
    echoes.push_back(Boot<Echo>(host, host));
  }
  for (std::uint32_t i = 0; i < 10; ++i) {
    SimHost& host = sim.AddHost(kLoopback + 100 + i);
    chatters.push_back(Boot<Chatter>(host, echoes[i % 5]->address, "ping"));
  }
  sim.RunFor(time / 2);
  if (storm) {
    sim.hosts()[0]->Crash(How::kKilled);
    sim.Cut(*sim.hosts()[1], *sim.hosts()[12]);
  }
  sim.RunFor(time / 2);
  return {sim.trace_hash(), sim.events()};
}

TEST_SUITE("sim/world, as a whole") {
  TEST_CASE("the same seed gives the same run, another seed another") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const Run first = Chat(seed, milliseconds(500), true);
      const Run second = Chat(seed, milliseconds(500), true);
      EXPECT(first.hash == second.hash);
      EXPECT(first.events == second.events);
      EXPECT(first.hash != Chat(seed + 100, milliseconds(500), true).hash);
    }
  }
}

}  // namespace
}  // namespace starling::sim
