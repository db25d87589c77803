// Goal:   connections of the simulator keep what base/world.h promises.
// Method: toy actors on two or three hosts; what each was told is looked at afterwards.
#include "tests/sim/sim_network.h"

#include <algorithm>
#include <set>

#include "tests/sim/toys.h"
#include "tests/sim/two_hosts.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::ActorId;
using base::CloseReason;
using base::milliseconds;
using base::seconds;
using How = SimHost::How;

TEST_SUITE("sim/network") {
  TEST_CASE("a connection opens at both ends, and bytes come back whole and in order") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Pair pair(seed, {.late = 0.2, .split = 0.5});
      auto echo = Boot<Echo>(pair.left, pair.left);
      auto client = Boot<Client>(pair.right, echo->address, Pattern(100'000));
      pair.sim.RunFor(seconds(5));
      EXPECT(client->received == Pattern(100'000));
      EXPECT(client->log == std::vector<std::string>{"open 0 127.0.0.1"});
      EXPECT(echo->log == std::vector<std::string>{"open 3 127.0.0.2"});
    }
  }

  TEST_CASE("bytes sent before the answer to Connect leave once it is there") {
    struct Hasty : Client {
      using Client::Client;
      void OnStart() override {
        Client::OnStart();
        Send(conn, "early");
      }
    };
    Pair pair;
    auto server = Boot<Server>(pair.left, pair.left);
    auto client = Boot<Hasty>(pair.right, server->address);
    pair.sim.RunFor(seconds(1));
    EXPECT(server->received == "early");
  }

  TEST_CASE("what was not used comes again, with more") {
    struct ByTens : Server {
      using Server::Server;
      std::size_t OnBytes(base::ConnId, base::Bytes bytes) override {
        if (bytes.size() < 10) return 0;
        received += bytes.substr(0, 10);
        return 10;
      }
    };
    Pair pair(3, {.split = 0.9});
    auto server = Boot<ByTens>(pair.left, pair.left);
    auto client = Boot<Client>(pair.right, server->address, Pattern(10));
    pair.sim.RunFor(seconds(1));
    EXPECT(server->received == Pattern(10));
  }

  TEST_CASE("nobody listens: refused, later and not inline") {
    Pair pair;
    auto client = Boot<Client>(pair.right, base::Address{pair.left.ip(), 7000});
    pair.sim.RunFor(seconds(1));
    EXPECT(client->closes == std::vector{CloseReason::kRefused});
    EXPECT(client->opened.empty());
  }

  TEST_CASE("no way there, no such host, or no power: unreachable after the timeout") {
    Pair pair;
    auto server = Boot<Server>(pair.left, pair.left);
    base::Address to = server->address;
    SUBCASE("the way there is cut") { pair.sim.CutOneWay(pair.right, pair.left); }
    SUBCASE("the way back is cut") { pair.sim.CutOneWay(pair.left, pair.right); }
    SUBCASE("no such host") { to.ip = kLoopback + 99; }
    SUBCASE("no power") { pair.left.Crash(How::kPowerLoss); }
    auto client = Boot<Client>(pair.right, to);
    pair.sim.RunFor(pair.sim.faults().connect_timeout - milliseconds(1));
    EXPECT(client->closes.empty());
    pair.sim.RunFor(milliseconds(10));
    EXPECT(client->closes == std::vector{CloseReason::kUnreachable});
  }

  TEST_CASE("a way healed before the timeout opens the connection") {
    Pair pair;
    auto server = Boot<Server>(pair.left, pair.left);
    pair.sim.Cut(pair.left, pair.right);
    auto client = Boot<Client>(pair.right, server->address, "hello");
    pair.sim.RunFor(seconds(1));
    pair.sim.HealAll();
    pair.sim.RunFor(seconds(1));
    EXPECT(server->received == "hello");
  }

  TEST_CASE("an address that is taken, or another host's, can't be listened at, and is named") {
    Pair pair;
    auto server = Boot<Server>(pair.left, pair.left);
    pair.sim.RunFor(milliseconds(1));
    const base::Status taken = server->world.Listen(base::ListenerId{4}, server->address);
    EXPECT(taken.code() == base::Code::kUnavailable);
    EXPECT(taken.message().find("127.0.0.1:7000") != std::string::npos);
    EXPECT(!server->world.Listen(base::ListenerId{4}, {pair.right.ip(), 7000}).ok());
    EXPECT(!server->world.BindDatagrams(server->address).ok());
  }

  TEST_CASE("after StopListening connections are refused, and open ones go on") {
    Pair pair;
    auto echo = Boot<Echo>(pair.left, pair.left);
    auto first = Boot<Client>(pair.right, echo->address, "one");
    pair.sim.RunFor(seconds(1));
    echo->world.StopListening();
    SimHost& third = pair.sim.AddHost(kLoopback + 3);
    auto second = Boot<Client>(third, echo->address, "two");
    first->Send(first->conn, "more");
    first->world.Again();
    pair.sim.RunFor(seconds(1));
    EXPECT(second->closes == std::vector{CloseReason::kRefused});
  }

  TEST_CASE("Close sends what is queued first; then the closer sees kLocal, the peer kPeer") {
    struct SayAndClose : Client {
      using Client::Client;
      void OnOpen(base::ConnId id, base::Address peer, base::ListenerId listener) override {
        Client::OnOpen(id, peer, listener);
        world.Close(id);
        EXPECT(closes.empty());
        Send(id, "too late");
      }
    };
    Pair pair;
    const std::string text = Pattern(3'000'000);  // More than the window.
    auto server = Boot<Server>(pair.left, pair.left);
    auto client = Boot<SayAndClose>(pair.right, server->address, text);
    pair.sim.RunFor(seconds(2));
    EXPECT(server->received == text);
    EXPECT(client->closes == std::vector{CloseReason::kLocal});
    EXPECT(server->closes == std::vector{CloseReason::kPeer});
  }

  TEST_CASE("a Close whose bytes the peer never takes ends all the same") {
    struct NoReader : Server {
      using Server::Server;
      void OnOpen(base::ConnId id, base::Address peer, base::ListenerId listener) override {
        Server::OnOpen(id, peer, listener);
        world.SetReading(id, base::World::Reading::kOff);
      }
    };
    Pair pair;
    auto server = Boot<NoReader>(pair.left, pair.left);
    auto client = Boot<Client>(pair.right, server->address, Pattern(1'000'000));
    pair.sim.RunFor(seconds(1));
    EXPECT(server->received.empty());
    EXPECT(client->world.Queued(client->conn) > 0);
    client->world.Close(client->conn);
    pair.sim.RunFor(seconds(1));
    EXPECT(client->closes.empty());
    pair.sim.RunFor(pair.sim.faults().linger_timeout);
    EXPECT(client->closes == std::vector{CloseReason::kLocal});
    EXPECT(server->closes == std::vector{CloseReason::kReset});
  }

  TEST_CASE("who does not read makes the sender's queue grow; reading again drains it") {
    struct Picky : Server {
      using Server::Server;
      void OnOpen(base::ConnId id, base::Address peer, base::ListenerId listener) override {
        Server::OnOpen(id, peer, listener);
        world.SetReading(id, base::World::Reading::kOff);
      }
      void OnWake() override { world.SetReading(opened.front(), base::World::Reading::kOn); }
    };
    Pair pair;
    const std::string text = Pattern(1'000'000);
    auto server = Boot<Picky>(pair.left, pair.left);
    auto client = Boot<Client>(pair.right, server->address, text);
    pair.sim.RunFor(seconds(1));
    EXPECT(client->world.Queued(client->conn) == text.size() - pair.sim.faults().window_bytes);
    server->world.WakeAt(pair.sim.now());
    pair.sim.RunFor(seconds(1));
    EXPECT(client->world.Queued(client->conn) == 0);
    EXPECT(server->received == text);
  }

  TEST_CASE("what was left unused comes again when reading is turned on, without more behind it") {
    struct Later : Server {
      using Server::Server;
      std::size_t OnBytes(base::ConnId id, base::Bytes bytes) override {
        if (ready) return Server::OnBytes(id, bytes);
        world.SetReading(id, base::World::Reading::kOff);
        return 0;
      }
      void OnWake() override {
        ready = true;
        world.SetReading(opened.front(), base::World::Reading::kOn);
      }
      bool ready = false;
    };
    Pair pair;
    auto server = Boot<Later>(pair.left, pair.left);
    auto client = Boot<Client>(pair.right, server->address, "request");
    pair.sim.RunFor(seconds(1));
    EXPECT(server->received.empty());
    server->world.WakeAt(pair.sim.now());
    pair.sim.RunFor(seconds(1));
    EXPECT(server->received == "request");
  }

  TEST_CASE("appended bytes are sent where they lie, and their owner lives until they have left") {
    struct Appender : Client {
      using Client::Client;
      void OnOpen(base::ConnId id, base::Address, base::ListenerId) override {
        auto owner = std::make_shared<std::string>(Pattern(600'000));
        watch = owner;
        Send(id, "<");
        world.Append(id, owner, *owner);
        Send(id, ">");
      }
      std::weak_ptr<std::string> watch;
    };
    Pair pair;
    auto server = Boot<Server>(pair.left, pair.left);
    auto client = Boot<Appender>(pair.right, server->address);
    pair.sim.RunFor(seconds(1));
    EXPECT(server->received == "<" + Pattern(600'000) + ">");
    EXPECT(client->watch.expired());
  }

  TEST_CASE("calls on a connection that is gone change nothing") {
    Pair pair;
    auto client = Boot<Client>(pair.right, base::Address{pair.left.ip(), 7000});
    pair.sim.RunFor(seconds(1));
    REQUIRE(client->closes.size() == 1);
    client->Send(client->conn, "into the void");
    client->world.Append(client->conn, std::make_shared<int>(), "x");
    client->world.SetReading(client->conn, base::World::Reading::kOn);
    client->world.Close(client->conn);
    client->world.Give(client->conn, ActorId{0});
    EXPECT(client->world.Queued(client->conn) == 0);
    pair.sim.RunFor(seconds(1));
    EXPECT(client->closes.size() == 1);
  }

  TEST_CASE("Give moves a connection with what was not used, and nothing more comes here") {
    struct Giver : Server {
      using Server::Server;
      std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override {
        if (bytes.size() < 5) return 0;
        received += bytes.substr(0, 3);
        Send(conn, "given");
        world.Give(conn, ActorId{1});
        return 3;
      }
    };
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Pair pair(seed, {.split = 0.5});
      Giver giver(pair.left.MakeWorld(ActorId{0}), pair.left);
      Toy taker(pair.left.MakeWorld(ActorId{1}));
      pair.left.Attach(ActorId{0}, giver);
      pair.left.Attach(ActorId{1}, taker);
      pair.left.Start();
      auto client = Boot<Client>(pair.right, giver.address, Pattern(2000));
      pair.sim.RunFor(seconds(1));
      EXPECT(giver.received == Pattern(3));
      EXPECT(taker.log == std::vector<std::string>{"open 3 127.0.0.2"});
      EXPECT(taker.received == Pattern(2000).substr(3));
      taker.Send(taker.opened.front(), " and taken");
      taker.world.Close(taker.opened.front());
      taker.world.Again();
      taker.world.WakeAt(pair.sim.now());
      pair.sim.RunFor(seconds(1));
      EXPECT(client->received == "given and taken");
      EXPECT(giver.closes.empty());
    }
  }

  TEST_CASE("a connection that ends while it is given is over where it was awaited") {
    struct Giver : Server {
      using Server::Server;
      std::size_t OnBytes(base::ConnId conn, base::Bytes) override {
        world.Give(conn, ActorId{1});
        host_to_kill->Crash(SimHost::How::kKilled);
        return 0;
      }
      SimHost* host_to_kill = nullptr;
    };
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Pair pair(seed);
      Giver giver(pair.left.MakeWorld(ActorId{0}), pair.left);
      giver.host_to_kill = &pair.right;
      Toy taker(pair.left.MakeWorld(ActorId{1}));
      pair.left.Attach(ActorId{0}, giver);
      pair.left.Attach(ActorId{1}, taker);
      pair.left.Start();
      auto client = Boot<Client>(pair.right, giver.address, "bytes");
      pair.sim.RunFor(seconds(1));
      REQUIRE(taker.log.size() == 2);
      EXPECT(taker.log[0] == "open 3 127.0.0.2");
      EXPECT(taker.log[1].starts_with("close"));
      EXPECT(giver.closes.empty());
    }
  }
}

}  // namespace
}  // namespace starling::sim
