// Goal:   who opens connections and says nothing keeps nobody else from being answered.
// Method: the port on a world in which the test plays the network; requests wait until it answers.
#include "server/http_port.h"

#include <string>
#include <vector>

#include "tests/client/fake_world.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::Bytes kGet = "GET /health HTTP/1.1\r\n\r\n";
constexpr base::Address kPeer{0x7f000001, 1};

struct Scene {
  base::ConnId Open() {
    const base::ConnId conn = world.Connect(kPeer);
    port.OnOpen(conn);
    world.Advance(base::milliseconds(1));
    return conn;
  }
  void Ask(base::ConnId conn) {
    std::size_t used = 0;
    REQUIRE(port.OnBytes(conn, kGet, &used));
    EXPECT(used == kGet.size());
  }
  std::string Sent(base::ConnId conn) {
    return world.conns().at(static_cast<std::uint64_t>(conn)).out;
  }

  client::FakeWorld world;
  std::vector<base::ConnId> asked;
  HttpPort port{world, [this](base::ConnId conn, const std::string&) { asked.push_back(conn); }};
};

TEST_SUITE("server/http_port") {
  TEST_CASE("a new connection has the place of the one that was idle for longest") {
    Scene scene;
    std::vector<base::ConnId> conns;
    for (std::size_t i = 0; i < HttpPort::kConnectionsMax; ++i) conns.push_back(scene.Open());
    scene.Ask(conns[0]);  // It waits for an answer, and so is not idle.
    scene.Ask(conns[1]);
    scene.port.Answer(conns[1], 200, "text/plain", "ok");  // Idle since now.
    const base::ConnId late = scene.Open();
    EXPECT(!scene.world.closed(late));
    EXPECT(scene.world.closed(conns[2]));
    EXPECT(scene.Sent(conns[2]).empty());
    for (const std::size_t kept : {0, 1, 3, 31}) EXPECT(!scene.world.closed(conns[kept]));
    scene.Ask(late);
    EXPECT(scene.asked.back() == late);
    std::size_t used = 0;
    EXPECT(!scene.port.OnBytes(conns[2], kGet, &used));  // It is none of the port's any more.
  }

  TEST_CASE("while all wait for their answers a new connection is refused with 503") {
    Scene scene;
    std::vector<base::ConnId> conns;
    for (std::size_t i = 0; i < HttpPort::kConnectionsMax; ++i) {
      conns.push_back(scene.Open());
      scene.Ask(conns.back());
    }
    const base::ConnId late = scene.Open();
    EXPECT(scene.world.closed(late));
    EXPECT(scene.Sent(late).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    for (const base::ConnId conn : conns) EXPECT(!scene.world.closed(conn));
    scene.port.Answer(conns[5], 200, "text/plain", "ok");
    EXPECT(!scene.world.closed(scene.Open()));
  }
}

}  // namespace
}  // namespace starling::server
