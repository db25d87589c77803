// Goal:   hosts that fail, lie, or are another cluster's cost as little as can be.
// Method: the test plays a cluster of three nodes, frame by frame, on a clock that it moves.
#include "client/session.h"

#include "tests/client/session_harness.h"

namespace starling::client {
namespace {

using base::Code;
using base::milliseconds;
using wire::Kind;

TEST_SUITE("client/session: hosts") {
  TEST_CASE("when every host refuses, requests fail as unavailable, long before their deadline") {
    Harness h;
    h.session.Get({.key = "k"}, 1);
    h.session.Put({.key = "k", .value = "v"}, 2);
    h.Close(h.world.To(NodeAddress(1)).at(0), base::CloseReason::kRefused);
    for (const std::uint64_t tag : {1, 2}) {
      EXPECT(h.told.at(tag).status.code() == Code::kUnavailable);
      EXPECT(h.told.at(tag).status.message() ==
             "no host can be reached: 10.0.0.1:7701 refused the connection");
    }
  }

  TEST_CASE("requests made right after all connections were reset wait for the next ones") {
    Harness h;
    h.Settle();
    h.Pass(milliseconds(50));  // The next look after connections comes before any retry is due.
    h.CloseAll();
    h.session.Get({.key = "k"}, 1);
    h.session.Put({.key = "k", .value = "v"}, 2);
    h.Pass(milliseconds(150));
    EXPECT(h.told.empty());
    REQUIRE(!h.world.To(NodeAddress(1)).empty());
    SUBCASE("and are sent on them") {
      h.Settle();
      const auto [conn, frame] = h.TakeOne(Kind::kGet);
      h.Answer(conn, frame.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
      const auto [other, put] = h.TakeOne(Kind::kPut);
      h.Answer(other, put.request_id, PutDone());
      EXPECT(h.told.at(2).status.ok());
    }
    SUBCASE("and fail as unavailable once these are refused") {
      h.CloseAll(base::CloseReason::kRefused);
      EXPECT(h.told.at(1).status.code() == Code::kUnavailable);
      EXPECT(h.told.at(2).status.code() == Code::kUnavailable);
    }
    SUBCASE("and no longer than their deadline") {
      h.Pass(milliseconds(6000));
      EXPECT(h.told.at(1).status.code() == Code::kUnavailable);
      EXPECT(h.told.at(2).status.code() == Code::kUnavailable);
    }
  }

  TEST_CASE("a get in flight when all connections are reset waits for the next ones") {
    Harness h;
    h.map.keyspaces[0].ranges = {{0, {3}}};  // The connection that is closed last.
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    EXPECT(h.PeerOf(h.TakeOne(Kind::kGet).first) == NodeAddress(3));
    h.CloseAll();
    h.Pass(milliseconds(150));
    EXPECT(h.told.empty());
    h.Settle();
    const auto [conn, frame] = h.TakeOne(Kind::kGet);
    h.Answer(conn, frame.request_id, Found("v"), "v");
    EXPECT(h.told.at(1).value == "v");
  }

  TEST_CASE("one connection of many that ends is opened again, and the others stay") {
    auto options = Harness::Options();
    options.links.connections_per_node = 3;
    Harness h(options);
    h.Settle();
    const auto before = h.world.To(NodeAddress(1));
    REQUIRE(before.size() == 3);
    h.Close(before[1]);
    EXPECT(h.world.To(NodeAddress(1)).size() == 2);
    h.Pass(milliseconds(150));
    EXPECT(h.world.To(NodeAddress(1)).size() == 3);
    SUBCASE("also after a try that failed") {
      h.Close(h.world.To(NodeAddress(1)).back(), base::CloseReason::kRefused);
      h.Pass(milliseconds(400));
      EXPECT(h.world.To(NodeAddress(1)).size() == 3);
    }
  }

  TEST_CASE("a host that lost many connections at once is soon tried again, by one") {
    auto options = Harness::Options();
    options.links.connections_per_node = 20;
    Harness h(options);
    h.Settle();
    REQUIRE(h.world.To(NodeAddress(1)).size() == 20);
    h.CloseAll();
    h.Pass(milliseconds(150));
    REQUIRE(h.world.To(NodeAddress(1)).size() == 1);
    h.CloseAll(base::CloseReason::kRefused);
    h.Pass(milliseconds(500));
    EXPECT(h.world.To(NodeAddress(1)).size() == 1);
    h.Settle();
    EXPECT(h.world.To(NodeAddress(1)).size() == 20);
  }

  TEST_CASE("a host that does not answer the greeting is given up and tried again") {
    Harness h;
    h.dead.insert(NodeAddress(1));
    const auto first = h.world.To(NodeAddress(1)).at(0);
    h.Pass(milliseconds(2500));
    EXPECT(h.world.closed(first));
    REQUIRE(h.world.To(NodeAddress(1)).size() == 1);
    h.dead.clear();
    h.Settle();
    h.session.Ping(5);
    const auto [conn, frame] = h.TakeOne(Kind::kPing);
    h.Answer(conn, frame.request_id, wire::PongReply{});
    EXPECT(h.told.at(5).status.ok());
  }

  TEST_CASE("an unknown keyspace is looked for in a fresh map before it is refused") {
    Harness h;
    h.Settle();
    h.session.Get({.keyspace = "young", .key = "k"}, 1);
    h.session.OnTurnEnd();
    EXPECT(h.told.empty());
    SUBCASE("and found there") {
      h.map.keyspaces.push_back(h.map.keyspaces[0]);
      h.map.keyspaces[1].name = "young";
      h.map.keyspaces[1].id = 9;
      h.Settle();
      const auto get = h.TakeOne(Kind::kGet).second;
      EXPECT(wire::Decode<wire::GetRequest>(get.header)->keyspace == 9);
    }
    SUBCASE("or refused by name") {
      h.Settle();
      EXPECT(h.told.at(1).status == base::NotFound("there is no keyspace 'young'"));
    }
  }

  TEST_CASE("a map of an older epoch is not taken") {
    Harness h;
    h.map = ThreeNodes(5);
    h.Settle();
    h.map = ThreeNodes(4);
    h.map.keyspaces.clear();
    h.session.FetchMap(1);
    h.Settle();
    EXPECT(h.told.at(1).status.ok());
    EXPECT(h.session.routing().map().epoch == 5);
  }

  TEST_CASE("a node that answers nonsense is left, and its requests end") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    const auto [conn, frame] = h.TakeOne(Kind::kPut);
    SUBCASE("another kind of reply") { h.Answer(conn, frame.request_id, wire::PongReply{}); }
    SUBCASE("no frame at all") {
      h.session.OnBytes(conn, "HTTP/1.1 400 Bad Request\r\n\r\n......");
      h.session.OnTurnEnd();
    }
    SUBCASE("an error of the connection") { h.Answer(conn, 0, Error(Code::kInvalidArgument)); }
    EXPECT(h.world.closed(conn));
    EXPECT(h.told.at(1).status.code() == Code::kTimeout);
  }

  TEST_CASE("a host of another cluster is left") {
    auto options = Harness::Options();
    options.links.hosts.push_back(NodeAddress(2));
    Harness h(options);
    h.dead.insert(NodeAddress(2));
    h.Settle();
    const auto stranger = h.world.To(NodeAddress(2)).at(0);
    h.session.OnOpen(stranger);
    h.Answer(stranger, 0, Harness::Greeting({9, 9}));
    EXPECT(h.world.closed(stranger));
  }
}

}  // namespace
}  // namespace starling::client
