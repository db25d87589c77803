// Goal:   connections keep the contract of base/world.h on real sockets, their ends included.
// Method: scripted actors talk over loopback on ports that the system picks. What actors can't be
//         made to do (bytes one by one, a reset, never reading) comes from a plain socket.
#include <optional>
#include <string>
#include <vector>

#include "base/uv/uv_world.h"
#include "tests/process/uv_node.h"
#include "tests/test.h"

namespace starling::base::uv_test {
namespace {

TEST_SUITE("process/uv_connection") {
  TEST_CASE("frames split at every byte come together again") {
    TestNode node(1);
    Peer peer;
    std::string echoed;
    // A frame is a length byte and as many bytes; only whole ones are used.
    node[0].bytes_in = [&](ConnId id, Bytes bytes) {
      std::size_t used = 0;
      while (used < bytes.size() && bytes.size() - used > static_cast<std::size_t>(bytes[used])) {
        const std::size_t size = static_cast<std::size_t>(bytes[used]) + 1;
        node[0].Send(id, bytes.substr(used, size));
        used += size;
      }
      return used;
    };
    node[0].close = [&](ConnId, CloseReason reason) {
      EXPECT(reason == CloseReason::kPeer);
      node[0].world.Exit(Ok());
    };
    const std::string frames("\3abc\0\1x\5hello", 13);
    node.ListenAt(0, [&](Address at) {
      peer.Start([&, at] {
        Socket socket(at);
        for (const char& byte : frames) {
          socket.Send({&byte, 1});
          // The echo of each whole frame paces us, so that pieces do not arrive as one.
          if (&byte == &frames[3]) echoed += socket.Receive(4);
          if (&byte == &frames[6]) echoed += socket.Receive(3);
        }
        echoed += socket.Receive(6);
      });
    });
    EXPECT(node.system.Run().ok());
    peer.Join();
    EXPECT(echoed == frames);
  }

  TEST_CASE("16 MiB frames go through whole, copied or by reference, between actors") {
    constexpr std::size_t kSize = 16 * 1024 * 1024;
    TestNode node(2);
    auto payload = std::make_shared<std::string>(Pattern(kSize));
    const std::weak_ptr<std::string> watch = payload;
    // The server takes nothing before it has all, and answers by reference between two copies.
    node[1].bytes_in = [&](ConnId id, Bytes bytes) -> std::size_t {
      if (bytes.size() < kSize) return 0;
      const auto owner = std::make_shared<std::string>(bytes);
      node[1].Send(id, "<");
      node[1].world.Append(id, owner, *owner);
      node[1].Send(id, ">");
      return bytes.size();
    };
    node.ListenAt(
        1, [&](Address at) { node[1].world.Post(kControlActor, std::make_unique<Note>(at.port)); });
    node[0].on_mail = [&](auto mail) {
      node[0].world.Connect({kLoopback, static_cast<std::uint16_t>(NumberOf(mail))});
    };
    node[0].open = [&](ConnId id, Address, ListenerId listener) {
      EXPECT(listener == ListenerId::kNone);
      node[0].world.Append(id, payload, *payload);
      payload.reset();
    };
    bool same = false;
    node[0].bytes_in = [&](ConnId, Bytes bytes) -> std::size_t {
      EXPECT(watch.expired());
      if (bytes.size() < kSize + 2) return 0;
      same = bytes == "<" + Pattern(kSize) + ">";
      node[0].world.Exit(Ok());
      return bytes.size();
    };
    EXPECT(node.system.Run().ok());
    EXPECT(same);
  }

  TEST_CASE("what was committed before a connection is open leaves when it is") {
    TestNode node(1);
    std::string got;
    node.ListenAt(0, [&](Address at) { node[0].Send(node[0].world.Connect(at), "early"); });
    node[0].bytes_in = [&](ConnId, Bytes bytes) {
      got += bytes;
      if (got.size() == 5) node[0].world.Exit(Ok());
      return bytes.size();
    };
    EXPECT(node.system.Run().ok());
    EXPECT(got == "early");
  }

  TEST_CASE("a connection to a port where nobody listens is refused, and not inline") {
    TestNode node(1);
    bool returned = false;
    std::optional<CloseReason> reason;
    ConnId made{}, closed{};
    node.ListenAt(0, [&](Address at) {
      node[0].world.StopListening();
      made = node[0].world.Connect(at);
      returned = true;
    });
    node[0].close = [&](ConnId id, CloseReason why) {
      EXPECT(returned);
      closed = id;
      reason = why;
      node[0].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    EXPECT(reason == CloseReason::kRefused);
    EXPECT(closed == made);
  }

  TEST_CASE("a port in use is said by name") {
    TestNode node(1);
    Status second;
    Address taken;
    node.ListenAt(0, [&](Address at) {
      taken = at;
      second = node[0].world.Listen(ListenerId{2}, at);
      node[0].world.Exit(Ok());
    });
    EXPECT(node.system.Run().ok());
    EXPECT(second ==
           Unavailable("cannot listen on " + taken.ToString() + ": address already in use"));
  }

  TEST_CASE("a peer that resets the connection is told from one that closes it") {
    TestNode node(1);
    Peer peer;
    std::optional<CloseReason> reason;
    node.ListenAt(0, [&](Address at) {
      peer.Start([at] {
        Socket socket(at);
        socket.Send("x");
        socket.Receive(1);
        socket.ResetOnClose();
      });
    });
    node.EchoAt(0);
    node[0].close = [&](ConnId, CloseReason why) {
      reason = why;
      node[0].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    EXPECT(reason == CloseReason::kReset);
  }

  TEST_CASE("a peer that sends nothing more is answered, as long as the actor owes it something") {
    TestNode node(1);
    Peer peer;
    std::string got;
    std::optional<ConnId> owed;
    node.ListenAt(0, [&](Address at) {
      peer.Start([&got, at] {
        Socket socket(at);
        socket.Send("question");
        socket.EndSending();
        got = socket.Receive(100);
      });
    });
    node[0].peer_end = [&](ConnId id) {
      owed = id;
      node[0].world.WakeAt(node[0].world.Now() + milliseconds(20));
      return true;
    };
    node[0].wake = [&] {
      node[0].Send(*owed, "a late answer");
      node[0].world.Close(*owed);
    };
    node[0].close = [&](ConnId id, CloseReason why) {
      EXPECT(id == owed);
      EXPECT(why == CloseReason::kLocal);
      node[0].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    peer.Join();
    EXPECT(got == "a late answer");
  }

  TEST_CASE("requests that waited for their turn are shown before the peer's end") {
    TestNode node(1);
    Peer peer;
    std::vector<std::string> seen;
    ConnId conn{};
    node.ListenAt(0, [&](Address at) {
      peer.Start([at] {
        Socket socket(at);
        socket.Send("ab");
        socket.EndSending();
        socket.Receive(1);
      });
    });
    // One byte a look, and then it waits a while, as a session does whose results are on the way.
    node[0].bytes_in = [&](ConnId id, Bytes bytes) -> std::size_t {
      conn = id;
      seen.emplace_back(bytes.substr(0, 1));
      node[0].world.SetReading(id, World::Reading::kOff);
      node[0].world.WakeAt(node[0].world.Now() + milliseconds(20));
      return 1;
    };
    node[0].wake = [&] { node[0].world.SetReading(conn, World::Reading::kOn); };
    node[0].peer_end = [&](ConnId) {
      seen.emplace_back("end");
      return false;
    };
    node[0].close = [&](ConnId, CloseReason why) {
      EXPECT(why == CloseReason::kPeer);
      node[0].world.Exit(Ok());
    };
    EXPECT(node.system.Run().ok());
    EXPECT(seen == std::vector<std::string>{"a", "b", "end"});
  }

  TEST_CASE("Close sends first what is queued, even when the peer's bytes were never read") {
    constexpr std::size_t kSize = 8 * 1024 * 1024;
    TestNode node(1);
    Peer peer;
    std::string got;
    std::optional<CloseReason> reason;
    bool returned = false;
    node.ListenAt(0, [&](Address at) {
      peer.Start([&got, at] {
        Socket socket(at);
        socket.Send(Pattern(100'000));
        got = socket.Receive(kSize + 1);
      });
    });
    node[0].open = [&](ConnId id, Address, ListenerId) {
      node[0].world.SetReading(id, World::Reading::kOff);
      node[0].Send(id, Pattern(kSize));
      node[0].world.Close(id);
      node[0].Send(id, "after the end");  // Goes nowhere.
      EXPECT(node[0].world.Queued(id) == 0);
      returned = true;
    };
    node[0].close = [&](ConnId, CloseReason why) {
      EXPECT(returned);
      reason = why;
      node[0].world.StopListening();
      node[0].world.WakeAt(node[0].world.Now() + milliseconds(1));
    };
    node[0].wake = [&] { node[0].world.Exit(Ok()); };
    EXPECT(node.system.Run().ok());
    peer.Join();
    EXPECT(got == Pattern(kSize));
    EXPECT(reason == CloseReason::kLocal);
  }

  TEST_CASE("answers to a peer that has ended its side still leave") {
    TestNode node(1);
    Peer peer;
    std::string got;
    node.ListenAt(0, [&](Address at) {
      peer.Start([&got, at] {
        Socket socket(at);
        socket.Send("ping");
        got = socket.Receive(4);
      });
    });
    node.EchoAt(0);
    node[0].close = [&](ConnId, CloseReason) { node[0].world.Exit(Ok()); };
    EXPECT(node.system.Run().ok());
    peer.Join();
    EXPECT(got == "ping");
  }

  TEST_CASE("who is not read from makes the sender's queue grow, and reading again drains it") {
    constexpr std::size_t kSize = 32 * 1024 * 1024;  // More than the system's buffers hold.
    TestNode node(2);
    ConnId accepted{}, made{};
    std::size_t received = 0, queued_while_off = 0;
    node.ListenAt(
        1, [&](Address at) { node[1].world.Post(kControlActor, std::make_unique<Note>(at.port)); });
    node[1].open = [&](ConnId id, Address, ListenerId) {
      accepted = id;
      node[1].world.SetReading(id, World::Reading::kOff);
    };
    node[1].bytes_in = [&](ConnId, Bytes bytes) {
      received += bytes.size();
      if (received == kSize) node[1].world.Exit(Ok());
      return bytes.size();
    };
    node[1].on_mail = [&](auto) { node[1].world.SetReading(accepted, World::Reading::kOn); };
    node[0].on_mail = [&](auto mail) {
      made = node[0].world.Connect({kLoopback, static_cast<std::uint16_t>(NumberOf(mail))});
    };
    node[0].open = [&](ConnId id, Address, ListenerId) {
      node[0].Send(id, Pattern(kSize));
      node[0].world.WakeAt(node[0].world.Now() + milliseconds(20));
    };
    node[0].wake = [&] {
      queued_while_off = node[0].world.Queued(made);
      EXPECT(received == 0);
      node[0].world.Post(kWorker, std::make_unique<Note>(0));
    };
    EXPECT(node.system.Run().ok());
    EXPECT(queued_while_off > 0);
    EXPECT(queued_while_off < kSize);
    EXPECT(received == kSize);
  }

  TEST_CASE("bytes left unused when reading went off come again when it goes on") {
    TestNode node(1);
    Peer peer;
    std::string got;
    ConnId conn{};
    bool off = false;
    node.ListenAt(0, [&](Address at) {
      peer.Start([at] {
        Socket socket(at);
        socket.Send("abcdef");
        socket.Receive(1);  // Until the node goes.
      });
    });
    node[0].bytes_in = [&](ConnId id, Bytes bytes) -> std::size_t {
      if (!off && bytes.size() == 6) {  // Uses a part, and stops.
        off = true;
        conn = id;
        got += bytes.substr(0, 2);
        node[0].world.SetReading(id, World::Reading::kOff);
        node[0].world.WakeAt(node[0].world.Now() + milliseconds(1));
        return 2;
      }
      if (!off) return 0;
      got += bytes;
      node[0].world.Exit(Ok());
      return bytes.size();
    };
    node[0].wake = [&] { node[0].world.SetReading(conn, World::Reading::kOn); };
    EXPECT(node.system.Run().ok());
    EXPECT(got == "abcdef");
  }

  TEST_CASE("calls on ids that are dead, or were never alive, do nothing") {
    TestNode node(1);
    std::vector<CloseReason> closes;
    ConnId conn{};
    node.ListenAt(0, [&](Address at) {
      conn = node[0].world.Connect(at);
      node[0].world.Close(conn);
      for (const ConnId id : {conn, ConnId{0}, ConnId{~std::uint64_t{0}}}) {
        node[0].Send(id, "x");
        node[0].world.Append(id, std::make_shared<int>(1), "y");
        node[0].world.SetReading(id, World::Reading::kOff);
        node[0].world.Give(id, kControlActor);
        node[0].world.Close(id);
        EXPECT(node[0].world.Queued(id) == 0);
      }
    });
    node[0].close = [&](ConnId id, CloseReason reason) {
      if (id == conn) closes.push_back(reason);  // Else: the accepted end, which sees kPeer.
      node[0].world.WakeAt(node[0].world.Now() + milliseconds(5));
    };
    node[0].wake = [&] { node[0].world.Exit(Ok()); };
    EXPECT(node.system.Run().ok());
    EXPECT(closes == std::vector{CloseReason::kLocal});
  }
}

}  // namespace
}  // namespace starling::base::uv_test
