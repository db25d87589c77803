// Goal:   the simulator's network loses what a network loses, when told to and only then.
// Method: toy actors on two or three hosts; what each was told is looked at afterwards.
#include <algorithm>
#include <set>

#include "tests/sim/toys.h"
#include "tests/sim/two_hosts.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::CloseReason;
using base::milliseconds;
using base::seconds;
using How = SimHost::How;

TEST_SUITE("sim/network, connections that are lost") {
  TEST_CASE("under a cut bytes wait, and arrive in order once it is healed") {
    Pair pair;
    auto echo = Boot<Echo>(pair.left, pair.left);
    auto client = Boot<Client>(pair.right, echo->address, "one ");
    pair.sim.RunFor(seconds(1));
    pair.sim.CutOneWay(pair.right, pair.left);
    struct Sender {
      Client* client;
      void operator()() const {
        client->Send(client->conn, "two ");
        client->world.WakeAt(client->world.Now());
      }
    };
    pair.sim.At(pair.sim.now(), Sender{client.get()});
    pair.sim.RunFor(seconds(2));
    EXPECT(echo->received == "one ");
    pair.sim.HealAll();
    pair.sim.RunFor(seconds(2));
    EXPECT(client->received == "one two ");
    EXPECT(client->closes.empty());
  }

  TEST_CASE("a cut that lasts ends the connection for who has bytes under way, and for him alone") {
    Pair pair;
    auto server = Boot<Server>(pair.left, pair.left);
    auto client = Boot<Client>(pair.right, server->address, "one");
    pair.sim.RunFor(seconds(1));
    pair.sim.Cut(pair.left, pair.right);
    client->Send(client->conn, "two");
    client->world.WakeAt(pair.sim.now());
    pair.sim.RunFor(pair.sim.faults().stall_timeout + seconds(1));
    EXPECT(client->closes == std::vector{CloseReason::kUnreachable});
    EXPECT(server->closes.empty());
    pair.sim.HealAll();
    server->Send(server->opened.front(), "still there?");
    server->world.WakeAt(pair.sim.now());
    pair.sim.RunFor(seconds(1));
    EXPECT(server->closes == std::vector{CloseReason::kReset});
    EXPECT(server->received == "one");
  }

  TEST_CASE("a killed process leaves its peers a reset or an orderly end, as kernels do") {
    std::set<CloseReason> seen;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Pair pair(seed);
      auto server = Boot<Server>(pair.left, pair.left);
      auto client = Boot<Client>(pair.right, server->address, "hello");
      pair.sim.RunFor(seconds(1));
      pair.left.Crash(How::kKilled);
      pair.sim.RunFor(seconds(1));
      REQUIRE(client->closes.size() == 1);
      seen.insert(client->closes.front());
    }
    EXPECT(seen == std::set{CloseReason::kPeer, CloseReason::kReset});
  }

  TEST_CASE("a host without power says nothing; once it is back it knows of no connection") {
    Pair pair;
    auto server = Boot<Server>(pair.left, pair.left);
    auto client = Boot<Client>(pair.right, server->address, "hello");
    pair.sim.RunFor(seconds(1));
    pair.left.Crash(How::kPowerLoss);
    pair.sim.RunFor(seconds(60));
    EXPECT(client->closes.empty());
    client->Send(client->conn, "still there?");
    client->world.WakeAt(pair.sim.now());
    SUBCASE("back in time: reset") {
      pair.sim.RunFor(seconds(1));
      server = Boot<Server>(pair.left, pair.left);
      pair.sim.RunFor(seconds(1));
      EXPECT(client->closes == std::vector{CloseReason::kReset});
    }
    SUBCASE("never back: given up") {
      pair.sim.RunFor(pair.sim.faults().stall_timeout + seconds(1));
      EXPECT(client->closes == std::vector{CloseReason::kUnreachable});
    }
  }

  TEST_CASE("a reset between two hosts reaches both ends of all their connections") {
    Pair pair;
    auto server = Boot<Server>(pair.left, pair.left);
    auto client = Boot<Client>(pair.right, server->address, "hello");
    pair.sim.RunFor(seconds(1));
    pair.sim.ResetBetween(pair.left, pair.right);
    pair.sim.RunFor(seconds(1));
    EXPECT(client->closes == std::vector{CloseReason::kReset});
    EXPECT(server->closes == std::vector{CloseReason::kReset});
  }

  TEST_CASE("random resets lose a suffix of what was sent, never a part in the middle") {
    int resets = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      Pair pair(seed, {.connection_reset = 0.1});
      auto server = Boot<Server>(pair.left, pair.left);
      auto client = Boot<Client>(pair.right, server->address, Pattern(2'000'000));
      pair.sim.RunFor(seconds(5));
      resets += client->closes.empty() ? 0 : 1;
      EXPECT(server->received == Pattern(2'000'000).substr(0, server->received.size()));
      EXPECT((server->received.size() == 2'000'000) == client->closes.empty());
    }
    EXPECT(resets > 10);
    EXPECT(resets < 50);
  }
}

// Sends numbered datagrams to a server, and counts what came.
std::vector<int> Exchange(const Faults& faults, int count, bool cut = false) {
  Pair pair(5, faults);
  auto server = Boot<Server>(pair.left, pair.left);
  auto sender = Boot<Server>(pair.right, pair.right);
  pair.sim.RunFor(milliseconds(10));
  if (cut) pair.sim.CutOneWay(pair.right, pair.left);
  for (int i = 0; i < count; ++i) {
    sender->world.SendDatagram(server->address, std::to_string(i));
    pair.sim.RunFor(milliseconds(1));
  }
  pair.sim.RunFor(seconds(2));
  std::vector<int> numbers;
  for (const std::string& datagram : server->datagrams) numbers.push_back(std::stoi(datagram));
  return numbers;
}

TEST_SUITE("sim/network, datagrams") {
  TEST_CASE("on a calm day all come, in order") {
    const auto numbers = Exchange({}, 200);
    EXPECT(numbers.size() == 200);
    EXPECT(std::is_sorted(numbers.begin(), numbers.end()));
  }

  TEST_CASE("loss loses about its share") {
    const auto numbers = Exchange({.datagram_loss = 0.3}, 1000);
    EXPECT(numbers.size() > 600);
    EXPECT(numbers.size() < 800);
  }

  TEST_CASE("duplication brings some twice, lateness lets some overtake") {
    const auto numbers = Exchange({.late = 0.1, .datagram_duplicate = 0.2}, 500);
    EXPECT(numbers.size() > 550);
    EXPECT(!std::is_sorted(numbers.begin(), numbers.end()));
    EXPECT(std::set(numbers.begin(), numbers.end()).size() == 500);
  }

  TEST_CASE("a way that is cut passes none") { EXPECT(Exchange({}, 10, true).empty()); }

  TEST_CASE("one to nobody, or too large for UDP, is lost without a word") {
    Pair pair;
    auto sender = Boot<Server>(pair.right, pair.right);
    auto server = Boot<Server>(pair.left, pair.left);
    pair.sim.RunFor(milliseconds(10));
    sender->world.SendDatagram({pair.left.ip(), 9}, "x");
    sender->world.SendDatagram({kLoopback + 77, 7000}, "x");
    sender->world.SendDatagram(server->address, std::string(70'000, 'x'));
    pair.sim.RunFor(seconds(1));
    EXPECT(server->datagrams.empty());
  }
}

}  // namespace
}  // namespace starling::sim
