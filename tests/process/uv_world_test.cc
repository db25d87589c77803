// Goal:   turns, alarms, mail, jobs, datagrams and the end of a node keep the contract of
//         base/world.h on real threads.
// Method: nodes of two or three scripted actors; a case is over when one of them calls Exit.
#include "base/uv/uv_world.h"

#include <algorithm>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/process/uv_node.h"
#include "tests/test.h"

namespace starling::base::uv_test {
namespace {

TEST_SUITE("process/uv_world") {
  TEST_CASE("Exit ends Run, with the first status that was given") {
    TestNode node(3);
    node[1].start = [&] { node[1].world.Post(kControlActor, std::make_unique<Note>(1)); };
    node[0].on_mail = [&](auto) {
      node[0].world.Exit(Io("the disk is gone"));
      node[0].world.Exit(Ok());
    };
    EXPECT(node.system.Run() == Io("the disk is gone"));
  }

  TEST_CASE("the turn in which Exit was called ends, and its bytes leave") {
    TestNode node(1);
    Peer peer;
    std::string got;
    int turns_after = 0;
    bool exited = false;
    node.ListenAt(0,
                  [&](Address at) { peer.Start([&got, at] { got = Socket(at).Receive(100); }); });
    node[0].open = [&](ConnId id, Address, ListenerId) {
      node[0].Send(id, "last words");
      node[0].world.Exit(Ok());
      exited = true;
    };
    node[0].turn_end = [&] { turns_after += exited; };
    EXPECT(node.system.Run().ok());
    peer.Join();
    EXPECT(got == "last words");
    EXPECT(turns_after == 1);
  }

  TEST_CASE("a system that never ran goes without a trace") {
    TestNode node(2);
    EXPECT(node.actors.size() == 2);
  }

  TEST_CASE("mail between two actors keeps its order, whoever else posts") {
    constexpr std::uint64_t kCount = 20'000;
    TestNode node(3);
    std::vector<std::uint64_t> next(3, 0);
    bool in_order = true;
    for (const std::size_t sender : {1u, 2u}) {
      node[sender].start = [&node, sender] { node[sender].world.Again(); };
      node[sender].turn_end = [&node, sender, sent = std::uint64_t{0}]() mutable {
        for (int i = 0; i < 100 && sent < kCount; ++i)
          node[sender].world.Post(kControlActor, std::make_unique<Note>(sent++));
        if (sent < kCount) node[sender].world.Again();
      };
    }
    node[0].on_mail = [&](auto mail) {
      auto& expected = next[static_cast<std::size_t>(mail->from)];
      in_order = in_order && NumberOf(mail) == expected++;
      if (next[1] == kCount && next[2] == kCount) node[0].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    EXPECT(in_order);
  }

  TEST_CASE("mail that nobody took is freed with the node") {
    TestNode node(3);
    node[1].turn_end = [&] {
      for (int i = 0; i < 10; ++i) node[1].world.Post(kOtherWorker, std::make_unique<Note>(0));
      node[1].world.Again();
    };
    node[0].start = [&] { node[0].world.WakeAt(node[0].world.Now() + milliseconds(2)); };
    node[0].wake = [&] { node[0].world.Exit(Ok()); };
    EXPECT(node.system.Run().ok());
  }

  TEST_CASE(
      "jobs of each lane run elsewhere, kSync and kBackground in order, and are done at home") {
    struct CountedJob final : Job {
      void Run() noexcept override {
        thread = std::this_thread::get_id();
        const std::lock_guard lock(*mutex);
        ran->push_back(number);
      }
      void Done() override { (*done)(); }
      int number = 0;
      std::mutex* mutex = nullptr;
      std::vector<int>* ran = nullptr;
      std::function<void()>* done = nullptr;
      std::thread::id thread{};
    };
    constexpr std::size_t kJobs = 200;
    for (const Lane lane : {Lane::kSync, Lane::kRead, Lane::kBackground}) {
      TestNode node(2);
      std::mutex mutex;
      std::vector<int> ran;
      std::vector<CountedJob> jobs(kJobs);
      std::size_t done_count = 0;
      std::thread::id home;
      std::function<void()> done = [&] {
        EXPECT(std::this_thread::get_id() == home);
        if (++done_count == kJobs) node[1].world.Exit(Ok());
      };
      node[1].start = [&] {
        home = std::this_thread::get_id();
        for (std::size_t i = 0; i < kJobs; ++i) {
          jobs[i].number = static_cast<int>(i);
          jobs[i].mutex = &mutex;
          jobs[i].ran = &ran;
          jobs[i].done = &done;
          node[1].world.Offload(lane, jobs[i]);
        }
      };
      EXPECT(node.system.Run().ok());
      EXPECT(done_count == kJobs);
      for (const CountedJob& job : jobs) EXPECT(job.thread != home);
      if (lane != Lane::kRead) EXPECT(std::is_sorted(ran.begin(), ran.end()));
    }
  }

  TEST_CASE("an alarm is never early, and the last WakeAt counts") {
    TestNode node(1);
    Instant due;
    int wakes = 0;
    node[0].start = [&] {
      due = node[0].world.Now() + milliseconds(3) + microseconds(300);
      node[0].world.WakeAt(node[0].world.Now() + milliseconds(1));
      node[0].world.WakeAt(Instant::Never());
      node[0].world.WakeAt(due);
    };
    node[0].wake = [&] {
      EXPECT(node[0].world.Now() >= due);
      // A past instant is soon.
      if (++wakes == 1) return node[0].world.WakeAt(due - seconds(5));
      node[0].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    EXPECT(wakes == 2);
  }

  TEST_CASE("Now stands still within a turn, and Again brings another turn at once") {
    TestNode node(1);
    int turns = 0;
    Instant last;
    node[0].start = [&] { last = node[0].world.Now(); };
    node[0].turn_end = [&] {
      if (turns > 0) EXPECT(node[0].world.Now() > last);
      last = node[0].world.Now();
      for (int i = 0; i < 10; ++i) EXPECT(node[0].world.Now() == last);
      if (++turns == 100) node[0].world.Exit(Ok());
      node[0].world.Again();
    };
    EXPECT(node.system.Run().ok());
    EXPECT(turns == 100);
  }

  TEST_CASE("datagrams arrive with their sender, and are dropped where nobody has bound") {
    TestNode node(1);
    // Ports can't be asked for datagrams; a listener's number is free for UDP as a rule.
    std::string got;
    Address from;
    Address self;
    node.ListenAt(0, [&](Address at) {
      self = at;
      node[0].world.SendDatagram(at, "unbound: goes nowhere");
      const Status bound = node[0].world.BindDatagrams(at);
      if (!bound.ok()) return node[0].world.Exit(bound);
      node[0].world.SendDatagram({kLoopback, 9}, "nobody there");
      node[0].world.SendDatagram(at, Pattern(60'000));
    });
    node[0].datagram = [&](Address sender, Bytes bytes) {
      from = sender;
      got = bytes;
      node[0].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    EXPECT(got == Pattern(60'000));
    EXPECT(from == self);
  }

  TEST_CASE("a datagram port in use is said by name") {
    TestNode node(2);
    Status second;
    Address taken;
    node.ListenAt(0, [&](Address at) {
      taken = at;
      EXPECT(node[0].world.BindDatagrams(at).ok());
      node[0].world.Post(kWorker, std::make_unique<Note>(at.port));
    });
    node[1].on_mail = [&](auto) {
      second = node[1].world.BindDatagrams(taken);
      node[1].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    EXPECT(second == Unavailable("cannot receive datagrams on " + taken.ToString() +
                                 ": address already in use"));
  }

  TEST_CASE("a request to stop reaches control as mail; the second one ends the node") {
    constexpr std::uint16_t kStop = 77;
    TestNode node(2, {.stop_mail_kind = kStop});
    int told = 0;
    node[1].on_mail = [&](auto) { std::raise(SIGTERM); };
    node[0].start = [&] { node.system.RequestStop(); };
    node[0].on_mail = [&](auto mail) {
      EXPECT(mail->kind == kStop);
      ++told;
      node[0].world.Post(kWorker, std::make_unique<Note>(0));
    };
    const Status status = node.system.Run();
    EXPECT(status.code() == Code::kUnavailable);
    EXPECT(told == 1);
  }
}

}  // namespace
}  // namespace starling::base::uv_test
