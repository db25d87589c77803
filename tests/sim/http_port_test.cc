// Goal:   those who hold connections to the HTTP port open keep nobody out, and break no answer.
// Method: one actor with the port, which answers all once, after a second, and clients beside it.
#include "server/http_port.h"

#include <memory>
#include <string>
#include <vector>

#include "server/node_shared.h"
#include "tests/sim/simulation.h"
#include "tests/sim/toys.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

constexpr base::Address kPort{kLoopback + 1, 7703};
constexpr char kQuestion[] = "GET /health HTTP/1.1\r\n\r\n";

class Serving final : public Toy {
 public:
  explicit Serving(base::World& in)
      : Toy(in),
        port(in, [this](base::ConnId conn, const std::string&) { asked.push_back(conn); }) {}
  void OnStart() override {
    REQUIRE(world.Listen(server::kHttpListener, kPort).ok());
    world.WakeAt(world.Now() + base::seconds(1));
  }
  void OnWake() override {
    for (const base::ConnId conn : asked) port.Answer(conn, 200, "text/plain", "well\n");
  }
  void OnOpen(base::ConnId conn, base::Address, base::ListenerId) override { port.OnOpen(conn); }
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override {
    std::size_t used = 0;
    port.OnBytes(conn, bytes, &used);
    return used;
  }
  void OnClose(base::ConnId conn, base::CloseReason) override { port.OnClose(conn); }

  server::HttpPort port;
  std::vector<base::ConnId> asked;
};

struct Scene {
  Simulation sim{1};
  SimHost& here = sim.AddHost(kPort.ip);
  std::unique_ptr<Serving> serving = Boot<Serving>(here);
  std::vector<std::unique_ptr<Client>> clients;

  Client& Connect(const std::string& what) {
    SimHost& there = sim.AddHost(kLoopback + 2 + static_cast<std::uint32_t>(clients.size()));
    clients.push_back(Boot<Client>(there, kPort, what));
    sim.RunFor(base::milliseconds(10));
    return *clients.back();
  }
};

TEST_SUITE("sim/http_port") {
  TEST_CASE("a connection beyond the limit takes the place of the one that is idle longest") {
    Scene scene;
    for (std::size_t i = 0; i < server::HttpPort::kConnectionsMax; ++i) scene.Connect("");
    Client& late = scene.Connect(kQuestion);
    scene.sim.RunFor(base::seconds(1));
    EXPECT(late.received.find("200 OK") != std::string::npos);
    EXPECT(scene.clients[0]->closes.size() == 1);
    for (std::size_t i = 1; i < scene.clients.size(); ++i) EXPECT(scene.clients[i]->closes.empty());
  }

  TEST_CASE("one that is being answered is not idle, and while all are the next is refused") {
    Scene scene;
    scene.Connect(kQuestion);
    for (std::size_t i = 1; i < server::HttpPort::kConnectionsMax; ++i)
      scene.Connect(i == 1 ? "" : kQuestion);
    scene.Connect(kQuestion);
    EXPECT(scene.clients[0]->closes.empty());
    EXPECT(scene.clients[1]->closes.size() == 1);
    Client& refused = scene.Connect(kQuestion);
    EXPECT(refused.received.find("503") != std::string::npos);
    EXPECT(refused.closes.size() == 1);
    scene.sim.RunFor(base::seconds(1));
    EXPECT(scene.clients[0]->received.find("200 OK") != std::string::npos);
  }
}

}  // namespace
}  // namespace starling::sim
