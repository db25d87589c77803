// tests/client/session_harness.h: a Session, a fake cluster of three nodes, and what was told.
//
// Node n is 10.0.0.n:7701, number n. By default each bucket's replicas are 1, 2, 3 in this order.
// Thread: the test's.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "client/session.h"
#include "tests/client/fake_world.h"
#include "tests/test.h"

namespace starling::client {

inline base::Address NodeAddress(std::uint32_t n) { return {0x0a000000U + n, 7701}; }

// What nodes answer.
inline constexpr base::Version kVersion{100, 1, 5};

inline wire::PutReply PutDone() { return {.version = kVersion, .replicas = {1, 2}}; }
inline wire::ErrorReply Error(base::Code code, std::string message = "why",
                              base::Version stamp = {}) {
  return {.code = code, .message = std::move(message), .stamp = stamp};
}
inline wire::GetReply Found(base::Bytes value) {
  return {.found = true, .version = kVersion, .value_digest = base::Hash64(value), .replicas = {}};
}

inline wire::ClusterMap ThreeNodes(std::uint64_t epoch = 1) {
  wire::ClusterMap map{.cluster_name = "test",
                       .cluster_id = {1, 1},
                       .epoch = epoch,
                       .token_seed = 7,
                       .nodes = {},
                       .keyspaces = {}};
  for (std::uint32_t n = 1; n <= 3; ++n)
    map.nodes.push_back({.number = n,
                         .host = {n, n},
                         .client = NodeAddress(n),
                         .dc = "dc1",
                         .rack = "r",
                         .up = true});
  map.keyspaces.push_back({.id = 1,
                           .name = "default",
                           .replication = "simple:3",
                           .effective_factor = 3,
                           .ranges = {{0, {1, 2, 3}}}});
  return map;
}

struct Told {
  base::Status status;
  bool found = false;
  std::string value;
  base::Version version, stamp;
};

class Harness final : public Session::Listener {
 public:
  using Frames = std::vector<std::pair<base::ConnId, FakeWorld::SentFrame>>;

  explicit Harness(SessionOptions options = Options()) : session(world, *this, std::move(options)) {
    session.Start();
  }

  static SessionOptions Options() {
    return {.links = {.hosts = {NodeAddress(1)}, .connections_per_node = 1}};
  }

  static wire::HelloReply Greeting(base::HostId cluster, std::uint32_t in_flight_max = 100) {
    wire::HelloReply hello;
    hello.cluster_id = cluster;
    hello.epoch = 1;
    hello.in_flight_max = in_flight_max;
    return hello;
  }

  // Opens and greets every connection that waits for it, and answers requests for the map, until
  // nothing new comes.
  void Settle() {
    for (int round = 0; round < 5; ++round) {
      for (auto& [number, conn] : world.conns()) {
        const base::ConnId id{number};
        if (conn.closed || opened_[number] || dead.contains(conn.peer)) continue;
        opened_[number] = true;
        session.OnOpen(id);
        REQUIRE(world.Take(id).at(0).kind == wire::Kind::kHello);
        Answer(id, 0, Greeting({1, 1}, in_flight_max));
      }
      for (auto& [conn, frame] : TakeAll(wire::Kind::kClusterMap))
        AnswerMap(conn, frame.request_id);
      session.OnTurnEnd();
    }
  }

  // Takes every frame of one kind that was sent to anybody; others stay for later calls.
  Frames TakeAll(wire::Kind kind) {
    for (auto& [number, conn] : world.conns())
      for (auto& frame : world.Take(base::ConnId{number})) sent_.emplace_back(number, frame);
    Frames taken;
    std::erase_if(sent_, [&](auto& one) {
      if (one.second.kind != kind) return false;
      taken.emplace_back(base::ConnId{one.first}, one.second);
      return true;
    });
    return taken;
  }
  // The one frame of its kind.
  std::pair<base::ConnId, FakeWorld::SentFrame> TakeOne(wire::Kind kind) {
    const Frames frames = TakeAll(kind);
    REQUIRE(frames.size() == 1);
    return frames.front();
  }

  base::Address PeerOf(base::ConnId conn) {
    return world.conns().at(static_cast<std::uint64_t>(conn)).peer;
  }

  template <typename Message>
  void Answer(base::ConnId conn, std::uint64_t request_id, const Message& message,
              base::Bytes payload = {}) {
    std::string bytes;
    wire::AppendFrame(bytes, request_id, message, payload);
    EXPECT(session.OnBytes(conn, bytes) == bytes.size());
    session.OnTurnEnd();
  }

  // The map of today, as the answer of a node.
  void AnswerMap(base::ConnId conn, std::uint64_t request_id) {
    std::string payload;
    wire::EncodeTo(map, payload);
    Answer(conn, request_id, wire::ClusterMapReply{base::Hash64(payload)}, payload);
  }

  void Close(base::ConnId conn, base::CloseReason reason = base::CloseReason::kReset) {
    world.conns().at(static_cast<std::uint64_t>(conn)).closed = true;
    session.OnClose(conn, reason);
    session.OnTurnEnd();
  }

  void CloseAll(base::CloseReason reason = base::CloseReason::kReset) {
    std::vector<base::ConnId> open;
    for (const auto& [number, conn] : world.conns())
      if (!conn.closed) open.push_back(base::ConnId{number});
    for (const base::ConnId id : open) Close(id, reason);
  }

  // Lets time pass in steps of 50 ms, alarms included.
  void Pass(base::Duration d) {
    for (; d > base::Duration{0}; d -= base::milliseconds(50)) {
      world.Advance(base::milliseconds(50));
      session.OnWake();
      session.OnTurnEnd();
    }
  }

  void OnPut(std::uint64_t tag, const PutResult& r) override {
    Tell(tag,
         {.status = r.status, .found = true, .value = {}, .version = r.version, .stamp = r.stamp});
  }
  void OnGet(std::uint64_t tag, const GetResult& r) override {
    Tell(tag, {.status = r.status,
               .found = r.found,
               .value = std::string(r.value),
               .version = r.version,
               .stamp = {}});
  }
  void OnScan(std::uint64_t tag, const ScanResult& r) override {
    std::string keys;
    for (const auto& entry : r.entries) keys += std::string(entry.key) + ",";
    Tell(tag, {.status = r.status, .found = r.done, .value = keys, .version = {}, .stamp = {}});
  }
  void OnCreateKeyspace(std::uint64_t tag, const CreateKeyspaceResult& r) override {
    Tell(tag, {.status = r.status, .found = r.existed, .value = {}, .version = {}, .stamp = {}});
  }
  void OnAdmin(std::uint64_t tag, const AdminResult& r) override {
    Tell(tag, {.status = r.status,
               .found = true,
               .value = std::string(r.json),
               .version = {},
               .stamp = {}});
  }
  void OnPing(std::uint64_t tag, const base::Status& status) override {
    Tell(tag, {.status = status, .found = true, .value = {}, .version = {}, .stamp = {}});
  }
  void OnMap(std::uint64_t tag, const base::Status& status) override {
    Tell(tag, {.status = status, .found = true, .value = {}, .version = {}, .stamp = {}});
  }

  FakeWorld world;
  wire::ClusterMap map = ThreeNodes();
  std::set<base::Address> dead;  // Whoever connects there waits.
  std::uint32_t in_flight_max = 100;
  std::map<std::uint64_t, Told> told;
  Session session;

 private:
  void Tell(std::uint64_t tag, Told what) {
    EXPECT(!told.contains(tag));  // Exactly once.
    told[tag] = std::move(what);
  }

  std::map<std::uint64_t, bool> opened_;
  std::vector<std::pair<std::uint64_t, FakeWorld::SentFrame>> sent_;
};

}  // namespace starling::client
