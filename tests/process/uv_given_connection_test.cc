// Goal:   a connection that one actor gives to another goes on there, or ends where it is awaited.
// Method: scripted actors talk over loopback on ports that the system picks.
#include <optional>
#include <string>
#include <vector>

#include "base/uv/uv_world.h"
#include "tests/process/uv_node.h"
#include "tests/test.h"

namespace starling::base::uv_test {
namespace {

TEST_SUITE("process/uv_given_connection") {
  // Actor 1 is to hear of the end of what actor 0 gave it; if it does not, the alarm ends the test.
  struct Heard {
    explicit Heard(TestNode& node) {
      node[0].close = [this](ConnId, CloseReason) { giver_told = true; };
      node[1].start = [&node] { node[1].world.WakeAt(node[1].world.Now() + seconds(60)); };
      node[1].wake = [&node] { node[1].world.Exit(Unavailable("nothing was heard of its end")); };
      node[1].open = [this](ConnId id, Address, ListenerId listener) {
        EXPECT(listener == kListener);
        opened.push_back(id);
      };
      node[1].close = [this, &node](ConnId id, CloseReason why) {
        closed.push_back(id);
        reason = why;
        node[1].world.Exit(Ok());
      };
    }
    std::vector<ConnId> opened, closed;
    std::optional<CloseReason> reason;
    bool giver_told = false;
  };

  TEST_CASE("a given connection goes on at the other actor with the bytes not used") {
    TestNode node(2);
    Peer peer;
    std::string answer, seen_here;
    Address peer_here, peer_there;
    bool closed_here = false;
    node.ListenAt(0, [&](Address at) {
      peer.Start([&answer, at] {
        Socket socket(at);
        socket.Send("HELOping");
        answer = socket.Receive(7);  // "OK:" of control, then the worker's echo.
      });
    });
    node[0].open = [&](ConnId, Address from, ListenerId) { peer_here = from; };
    node[0].bytes_in = [&](ConnId id, Bytes bytes) -> std::size_t {
      if (bytes.size() < 8) return 0;
      seen_here += bytes.substr(0, 4);
      node[0].Send(id, "OK:");
      node[0].world.Give(id, kWorker);
      node[0].Send(id, "nowhere");
      return 4;
    };
    node[0].close = [&](ConnId, CloseReason) { closed_here = true; };
    node.EchoAt(1);
    node[1].open = [&](ConnId, Address from, ListenerId listener) {
      EXPECT(listener == kListener);
      peer_there = from;
    };
    node[1].close = [&](ConnId, CloseReason reason) {
      EXPECT(reason == CloseReason::kPeer);
      node[1].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    peer.Join();
    EXPECT(answer == "OK:ping");
    EXPECT(seen_here == "HELO");
    EXPECT(peer_here == peer_there);
    EXPECT(!closed_here);
  }

  TEST_CASE("a connection that no descriptor is left to give is over where it was awaited") {
    TestNode node(2);
    Heard heard(node);
    Peer peer;
    std::optional<NoFreeDescriptor> none;
    node.ListenAt(0, [&](Address at) {
      peer.Start([at] {
        Socket socket(at);
        EXPECT(socket.Receive(1).empty());
      });
    });
    node[0].open = [&](ConnId id, Address, ListenerId) {
      none.emplace();
      node[0].world.Give(id, kWorker);
    };
    EXPECT(node.system.Run().ok());
    none.reset();
    peer.Join();
    EXPECT(heard.opened.size() == 1);
    EXPECT(heard.closed == heard.opened);
    EXPECT(heard.reason == CloseReason::kLocal);
    EXPECT(!heard.giver_told);
  }

  TEST_CASE("a connection that ends before its output has left is over where it was awaited") {
    TestNode node(2);
    Heard heard(node);
    Peer peer;
    const std::string more(32 << 20, 'x');  // Than the system's buffers hold.
    node.ListenAt(0, [&](Address at) {
      peer.Start([at] {
        Socket socket(at);
        socket.Receive(1);
        socket.ResetOnClose();
      });
    });
    node[0].open = [&](ConnId id, Address, ListenerId) {
      node[0].Send(id, more);
      node[0].world.Give(id, kWorker);
    };
    EXPECT(node.system.Run().ok());
    EXPECT(heard.opened.size() == 1);
    EXPECT(heard.closed == heard.opened);
    EXPECT(heard.reason == CloseReason::kReset);
    EXPECT(!heard.giver_told);
  }
}

}  // namespace
}  // namespace starling::base::uv_test
