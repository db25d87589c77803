// tests/sim/toys.h: actors that do one thing each, to see what a World does.
//
// Thread: their world's.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/world.h"
#include "tests/sim/simulation.h"
#include "tests/test.h"

namespace starling::sim {

inline constexpr std::uint32_t kLoopback = 0x7f000000;

struct Note : base::Mail {
  explicit Note(int n) : Mail(7), number(n) {}
  int number;
};

// Does nothing but remember. What a test wants it to do, it overrides.
class Toy : public base::Actor {
 public:
  explicit Toy(base::World& in) : world(in) {}

  void OnStart() override {}
  void OnOpen(base::ConnId conn, base::Address peer, base::ListenerId listener) override {
    opened.push_back(conn);
    Log("open {} {}", static_cast<int>(listener), peer.IpString());
  }
  std::size_t OnBytes(base::ConnId, base::Bytes bytes) override {
    received += bytes;
    return bytes.size();
  }
  void OnClose(base::ConnId, base::CloseReason reason) override {
    closes.push_back(reason);
    Log("close {}", static_cast<int>(reason));
  }
  void OnDatagram(base::Address, base::Bytes bytes) override { datagrams.emplace_back(bytes); }
  void OnMail(std::unique_ptr<base::Mail> mail) override {
    notes.emplace_back(static_cast<int>(mail->from), static_cast<Note&>(*mail).number);
  }
  void OnWake() override { wakes.push_back(world.Now()); }
  void OnTurnEnd() override { ++turns; }

  void Send(base::ConnId conn, base::Bytes bytes) {
    const auto room = world.Reserve(conn, bytes.size());
    std::copy(bytes.begin(), bytes.end(), room.begin());
    world.Commit(conn, bytes.size());
  }

  template <typename... Args>
  void Log(fmt::format_string<Args...> format, Args&&... args) {
    log.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  base::World& world;
  std::vector<base::ConnId> opened;
  std::string received;
  std::vector<base::CloseReason> closes;
  std::vector<std::string> datagrams;
  std::vector<std::pair<int, int>> notes;  // From, number.
  std::vector<base::Instant> wakes;
  std::vector<std::string> log;
  int turns = 0;
};

// Listens at port 7000 of its host, at which it also has its datagrams.
class Server : public Toy {
 public:
  Server(base::World& in, SimHost& host) : Toy(in), address{host.ip(), 7000} {}
  void OnStart() override {
    EXPECT(world.Listen(base::ListenerId{3}, address).ok());
    EXPECT(world.BindDatagrams(address).ok());
  }
  const base::Address address;
};

class Echo : public Server {
 public:
  using Server::Server;
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override {
    Send(conn, bytes);
    return Toy::OnBytes(conn, bytes);
  }
};

// Connects to `to` at its start, and sends `greeting` once it is open.
class Client : public Toy {
 public:
  Client(base::World& in, base::Address peer, std::string what = "")
      : Toy(in), to(peer), greeting(std::move(what)) {}
  void OnStart() override { conn = world.Connect(to); }
  void OnOpen(base::ConnId id, base::Address peer, base::ListenerId listener) override {
    EXPECT(id == conn);
    Toy::OnOpen(id, peer, listener);
    if (!greeting.empty()) Send(id, greeting);
  }
  const base::Address to;
  const std::string greeting;
  base::ConnId conn{};
};

// Brings an actor up on a host of its own, as its control actor.
template <typename T, typename... Args>
std::unique_ptr<T> Boot(SimHost& host, Args&&... args) {
  auto actor =
      std::make_unique<T>(host.MakeWorld(base::kControlActor), std::forward<Args>(args)...);
  host.Attach(base::kControlActor, *actor);
  host.Start();
  return actor;
}

}  // namespace starling::sim
