// Goal:   requests reach a replica that is up, and end exactly once.
// Method: the test plays a cluster of three nodes, frame by frame, on a clock that it moves.
#include "client/session.h"

#include "tests/client/session_harness.h"

namespace starling::client {
namespace {

using base::Code;
using base::milliseconds;
using wire::Kind;

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
