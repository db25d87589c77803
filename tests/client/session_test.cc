// Goal:   requests reach a replica that is up, end exactly once, and puts are never repeated
// blindly.
//
// Method: the test plays a cluster of three nodes, frame by frame, on a clock that it moves.
#include "client/session.h"

#include "tests/client/session_harness.h"

namespace starling::client {
namespace {

using base::Code;
using base::milliseconds;
using base::Version;
using wire::Kind;

constexpr Version kVersion{100, 1, 5};

wire::PutReply PutDone() { return {.version = kVersion, .replicas = {1, 2}}; }
wire::ErrorReply Error(Code code, std::string message = "why", Version stamp = {}) {
  return {.code = code, .message = std::move(message), .stamp = stamp};
}
wire::GetReply Found(base::Bytes value) {
  return {.found = true, .version = kVersion, .value_digest = base::Hash64(value), .replicas = {}};
}

TEST_SUITE("client/session") {
  TEST_CASE("a request made before any node was reached is sent once the map is known") {
    Harness h;
    h.session.Put({.key = "k", .value = "v"}, 1);
    h.session.OnTurnEnd();
    EXPECT(h.TakeAll(Kind::kPut).empty());
    h.Settle();
    const auto [conn, frame] = h.TakeOne(Kind::kPut);
    EXPECT(frame.payload == "v");
    const auto put = wire::Decode<wire::PutRequest>(frame.header);
    EXPECT(put->key == "k");
    EXPECT(put->value_digest == base::Hash64("v"));
    h.Answer(conn, frame.request_id, PutDone());
    EXPECT(h.told.at(1).status.ok());
    EXPECT(h.told.at(1).version == kVersion);
    EXPECT(h.session.in_flight() == 0);
  }

  TEST_CASE("puts of a key go to its first replica that is up") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    EXPECT(h.PeerOf(h.TakeOne(Kind::kPut).first) == NodeAddress(1));
    SUBCASE("or that the map says is up") {
      h.map.nodes[0].up = false;
      h.session.FetchMap(9);
      h.Settle();
    }
    SUBCASE("or that still has a connection") {
      h.dead.insert(NodeAddress(1));
      h.Close(h.world.To(NodeAddress(1)).at(0));
    }
    h.session.Put({.key = "k", .value = "v"}, 2);
    EXPECT(h.PeerOf(h.TakeOne(Kind::kPut).first) == NodeAddress(2));
  }

  TEST_CASE("reads of a key take its replicas in turn, and no other node") {
    Harness h;
    h.map.keyspaces[0].ranges = {{0, {2, 3}}};
    h.Settle();
    std::map<base::Address, int> asked;
    for (std::uint64_t tag = 0; tag < 10; ++tag) h.session.Get({.key = "k"}, tag);
    for (const auto& [conn, frame] : h.TakeAll(Kind::kGet)) ++asked[h.PeerOf(conn)];
    EXPECT(asked == std::map<base::Address, int>{{NodeAddress(2), 5}, {NodeAddress(3), 5}});
  }

  TEST_CASE("without routing only the listed host is asked") {
    auto options = Harness::Options();
    options.links.listed_only = true;
    Harness h(options);
    h.map.keyspaces[0].ranges = {{0, {2, 3}}};
    h.Settle();
    EXPECT(h.world.To(NodeAddress(2)).empty());
    h.session.Get({.key = "k"}, 1);
    EXPECT(h.PeerOf(h.TakeOne(Kind::kGet).first) == NodeAddress(1));
  }

  TEST_CASE("answers may come in any order") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "a", .value = "1"}, 1);
    h.session.Put({.key = "a", .value = "2"}, 2);
    const auto frames = h.TakeAll(Kind::kPut);
    REQUIRE(frames.size() == 2);
    h.Answer(frames[1].first, frames[1].second.request_id, PutDone());
    EXPECT(h.told.size() == 1);
    EXPECT(h.told.contains(2));
    h.Answer(frames[0].first, frames[0].second.request_id, PutDone());
    EXPECT(h.told.contains(1));
  }

  TEST_CASE("a value that does not match its digest is read from another node, or is Corruption") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    std::set<base::Address> asked;
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto [conn, frame] = h.TakeOne(Kind::kGet);
      asked.insert(h.PeerOf(conn));
      EXPECT(h.told.empty());
      h.Answer(conn, frame.request_id, Found("the value"), "another value");
    }
    EXPECT(asked.size() >= 2);
    EXPECT(h.told.at(1).status.code() == Code::kCorruption);
  }

  TEST_CASE("a read that is not answered is asked of another node") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    const auto [silent, first] = h.TakeOne(Kind::kGet);
    h.Pass(milliseconds(1100));
    const auto [other, second] = h.TakeOne(Kind::kGet);
    EXPECT(h.PeerOf(other) != h.PeerOf(silent));
    SUBCASE("and either answer will do") {
      h.Answer(silent, first.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
      h.Answer(other, second.request_id, Found("v"), "v");
    }
    SUBCASE("but the first node's error no longer counts") {
      h.Answer(silent, first.request_id, Error(Code::kTimeout));
      EXPECT(h.told.empty());
      h.Answer(other, second.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
    }
    SUBCASE("and at last it is a timeout") {
      h.Pass(milliseconds(6000));
      EXPECT(h.told.at(1).status.code() == Code::kTimeout);
      EXPECT(h.session.in_flight() == 0);
    }
  }

  TEST_CASE("a node that owes an answer for a second is passed by") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    EXPECT(h.PeerOf(h.TakeOne(Kind::kPut).first) == NodeAddress(1));
    h.Pass(milliseconds(1200));
    h.session.Put({.key = "k", .value = "v"}, 2);
    EXPECT(h.PeerOf(h.TakeOne(Kind::kPut).first) == NodeAddress(2));
  }

  TEST_CASE("a put without an answer is a timeout without a stamp, and is not sent again") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    const auto conn = h.TakeOne(Kind::kPut).first;
    SUBCASE("when the connection ends") { h.Close(conn); }
    SUBCASE("when the deadline passes") { h.Pass(milliseconds(6000)); }
    REQUIRE(h.told.contains(1));
    EXPECT(h.told.at(1).status.code() == Code::kTimeout);
    EXPECT(h.told.at(1).status.message().find("outcome is unknown") != std::string::npos);
    EXPECT(h.told.at(1).stamp.empty());
    h.Settle();
    h.Pass(milliseconds(3000));
    EXPECT(h.TakeAll(Kind::kPut).empty());
  }

  TEST_CASE("a put that the node timed out has a stamp, under which it is the same write again") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    const auto [conn, frame] = h.TakeOne(Kind::kPut);
    h.Answer(conn, frame.request_id, Error(Code::kTimeout, "1 of 2", kVersion));
    EXPECT(h.told.at(1).status.code() == Code::kTimeout);
    REQUIRE(h.told.at(1).stamp == kVersion);
    EXPECT(h.TakeAll(Kind::kPut).empty());
    h.session.Put({.key = "k", .value = "v", .stamp = kVersion}, 2);
    EXPECT(wire::Decode<wire::PutRequest>(h.TakeOne(Kind::kPut).second.header)->stamp == kVersion);
  }

  TEST_CASE("errors keep their class, and only a timeout has a stamp") {
    for (const Code code : {Code::kUnavailable, Code::kOverloaded, Code::kInvalidArgument}) {
      Harness h;
      h.Settle();
      h.session.Put({.key = "k", .value = "v"}, 1);
      const auto [conn, frame] = h.TakeOne(Kind::kPut);
      h.Answer(conn, frame.request_id, Error(code, "why", kVersion));
      EXPECT(h.told.at(1).status == base::Status(code, "why"));
      EXPECT(h.told.at(1).stamp.empty());
    }
  }

  TEST_CASE("a read refused for overload is not pressed upon another node") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    const auto [conn, frame] = h.TakeOne(Kind::kGet);
    h.Answer(conn, frame.request_id, Error(Code::kOverloaded));
    EXPECT(h.told.at(1).status.code() == Code::kOverloaded);
  }

  TEST_CASE("a read survives the end of its connection") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    h.Close(h.TakeOne(Kind::kGet).first);
    const auto [conn, frame] = h.TakeOne(Kind::kGet);
    h.Answer(conn, frame.request_id, wire::GetReply{.version = {}, .replicas = {}});
    EXPECT(h.told.at(1).status.ok());
    EXPECT(!h.told.at(1).found);
  }

  TEST_CASE("a read whose connections end goes on until its deadline, with pauses") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k", .timeout = milliseconds(3000)}, 1);
    int attempts = 0;
    for (int round = 0; round < 40 && h.told.empty(); ++round) {
      for (const auto& [conn, frame] : h.TakeAll(Kind::kGet)) {
        ++attempts;
        h.Close(conn);
      }
      h.Pass(milliseconds(50));
      h.Settle();
    }
    EXPECT(attempts > 4);   // Not given up after a few.
    EXPECT(attempts < 20);  // Nor pressed.
    SUBCASE("and is answered by whoever is back") {
      h.Pass(milliseconds(500));
      h.Settle();
      const auto [conn, frame] = h.TakeOne(Kind::kGet);
      h.Answer(conn, frame.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
    }
    SUBCASE("which ends it") {
      h.Pass(milliseconds(2000));
      EXPECT(h.told.at(1).status.code() == Code::kTimeout);
      EXPECT(h.session.in_flight() == 0);
    }
  }

  TEST_CASE("a read that nodes answer with errors is asked three times, the last after a pause") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto [conn, frame] = h.TakeOne(Kind::kGet);
      h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
    }
    EXPECT(h.TakeAll(Kind::kGet).empty());
    EXPECT(h.told.empty());
    h.Pass(milliseconds(50));
    const auto [conn, frame] = h.TakeOne(Kind::kGet);
    SUBCASE("and no more") {
      h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
      EXPECT(h.told.at(1).status == base::Unavailable("too few"));
    }
    SUBCASE("and may be answered") {
      h.Answer(conn, frame.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
    }
  }

  TEST_CASE("a page of a scan that has too few replicas waits for them, until its deadline") {
    Harness h;
    h.Settle();
    h.session.Scan({.timeout = milliseconds(5000)}, 1);
    unsigned attempts = 0;
    for (int round = 0; round < 60 && h.told.empty(); ++round) {
      for (const auto& [conn, frame] : h.TakeAll(Kind::kScan)) {
        ++attempts;
        h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
      }
      h.Pass(milliseconds(50));
    }
    EXPECT(attempts > 4);   // Not given up after a few.
    EXPECT(attempts < 20);  // Nor pressed.
    SUBCASE("and is answered by whoever is back") {
      h.Pass(milliseconds(500));
      const auto [conn, frame] = h.TakeOne(Kind::kScan);
      h.Answer(
          conn, frame.request_id,
          wire::ScanReply{.done = true, .next_after_key = {}, .payload_digest = base::Hash64("")});
      EXPECT(h.told.at(1).status.ok());
    }
    SUBCASE("which ends it with the reason") {
      for (int round = 0; round < 100 && h.told.empty(); ++round) {
        for (const auto& [conn, frame] : h.TakeAll(Kind::kScan))
          h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
        h.Pass(milliseconds(50));
      }
      EXPECT(h.told.at(1).status.message().find("too few") != std::string::npos);
    }
  }

  TEST_CASE("a read that waits to be asked again ends at its deadline with what went wrong") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k", .timeout = milliseconds(20)}, 1);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto [conn, frame] = h.TakeOne(Kind::kGet);
      h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
    }
    EXPECT(h.told.empty());
    h.Pass(milliseconds(50));
    EXPECT(h.TakeAll(Kind::kGet).empty());
    EXPECT(h.told.at(1).status == base::Unavailable("too few"));
  }

  TEST_CASE("attempts of a read wait longer each time") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k", .timeout = milliseconds(10'000)}, 1);
    int attempts = 0;
    for (int i = 0; i < 220 && h.told.empty(); ++i) {
      attempts += static_cast<int>(h.TakeAll(Kind::kGet).size());
      h.Pass(milliseconds(50));
    }
    EXPECT(h.told.at(1).status.code() == Code::kTimeout);
    EXPECT(attempts == 4);  // After 0, 1, 3 and 7 seconds.
  }

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

  TEST_CASE("a node keeps to the requests that it takes at a time; the rest wait in order") {
    auto options = Harness::Options();
    options.links.listed_only = true;
    Harness h(options);
    h.in_flight_max = 2;
    h.Settle();
    for (std::uint64_t tag = 1; tag <= 4; ++tag) h.session.Put({.key = "k", .value = "v"}, tag);
    auto frames = h.TakeAll(Kind::kPut);
    REQUIRE(frames.size() == 2);
    h.Answer(frames[0].first, frames[0].second.request_id, PutDone());
    const auto third = h.TakeOne(Kind::kPut);
    h.Answer(third.first, third.second.request_id, PutDone());
    EXPECT(h.told.contains(1));
    EXPECT(h.told.contains(3));
  }

  TEST_CASE("one request more than the client takes is refused as overload") {
    auto options = Harness::Options();
    options.requests_max = 3;
    Harness h(options);
    for (std::uint64_t tag = 1; tag <= 4; ++tag) h.session.Get({.key = "k"}, tag);
    h.session.OnTurnEnd();
    EXPECT(h.told.size() == 1);
    EXPECT(h.told.at(4).status.code() == Code::kOverloaded);
  }

  TEST_CASE("a page is handed over entry by entry, and a damaged one is Corruption") {
    Harness h;
    h.Settle();
    std::string page;
    for (const std::string key : {"a", "b"})
      wire::PackEntryTo(
          {.key = key, .version = kVersion, .value_digest = base::Hash64("v"), .value = "v"}, page);
    h.session.Scan({}, 1);
    for (int attempt = 0; attempt < 3 && h.told.empty(); ++attempt) {
      const auto [conn, frame] = h.TakeOne(Kind::kScan);
      std::string sent = page;
      SUBCASE("sound") {}
      SUBCASE("damaged") { sent.back() = 'x'; }
      h.Answer(
          conn, frame.request_id,
          wire::ScanReply{.done = true, .next_after_key = {}, .payload_digest = base::Hash64(page)},
          sent);
      if (sent == page) EXPECT(h.told.at(1).value == "a,b,");
    }
    EXPECT(h.told.at(1).status.ok() == h.told.at(1).found);
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

  TEST_CASE("a late answer to a request that was given up changes nothing") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    const auto [conn, frame] = h.TakeOne(Kind::kPut);
    h.Pass(milliseconds(6000));
    h.session.Put({.key = "k", .value = "w"}, 2);  // Takes the same slot.
    h.Answer(conn, frame.request_id, PutDone());
    EXPECT(!h.told.contains(2));
    EXPECT(!h.world.closed(conn));
  }
}

}  // namespace
}  // namespace starling::client
