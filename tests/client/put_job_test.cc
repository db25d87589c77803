// Goal:   all attempts of a put share its timeout, with pauses between, and its end is told once.
//
// Method: the client's loop on a clock that the test moves; the test plays the one node.
#include "client/put_job.h"

#include "tests/client/session_harness.h"

namespace starling::client {
namespace {

using base::Code;
using base::milliseconds;
using base::seconds;
using base::Version;

constexpr base::ConnId kConn{1};
constexpr Version kStamp{100, 1, 5};

SessionOptions OneNode() {
  return {.links = {.hosts = {NodeAddress(1)}, .listed_only = true, .connections_per_node = 1}};
}

struct Node {
  Node() {
    loop.OnStart();
    loop.OnOpen(kConn, NodeAddress(1), {});
    world.Take(kConn);
    wire::HelloReply hello = Harness::Greeting({1, 1});
    Answer(0, hello);
    for (const auto& frame : world.Take(kConn)) {
      REQUIRE(frame.kind == wire::Kind::kClusterMap);
      std::string map;
      wire::EncodeTo(ThreeNodes(), map);
      Answer(frame.request_id, wire::ClusterMapReply{base::Hash64(map)}, map);
    }
  }

  template <typename Message>
  void Answer(std::uint64_t request_id, const Message& message, base::Bytes payload = {}) {
    std::string bytes;
    wire::AppendFrame(bytes, request_id, message, payload);
    EXPECT(loop.OnBytes(kConn, bytes) == bytes.size());
    loop.OnTurnEnd();
  }

  void Begin(base::Duration timeout, unsigned retries) {
    BeginPut(loop, std::make_shared<PutJob>(PutJob{.keyspace = "default",
                                                   .key = "k",
                                                   .value = "v",
                                                   .timeout = timeout,
                                                   .retries_left = retries,
                                                   .callback = [this](const PutResult& result) {
                                                     EXPECT(!told);  // Exactly once.
                                                     told = true;
                                                     status = result.status;
                                                   }}));
    loop.OnTurnEnd();
  }

  // The puts sent since the last call; requests for maps are not answered.
  std::vector<FakeWorld::SentFrame> Puts() {
    auto frames = world.Take(kConn);
    std::erase_if(frames, [](const auto& frame) { return frame.kind != wire::Kind::kPut; });
    return frames;
  }
  wire::PutRequest OnePut(std::uint64_t* id) {
    const auto frames = Puts();
    REQUIRE(frames.size() == 1);
    *id = frames[0].request_id;
    header = frames[0].header;
    return *wire::Decode<wire::PutRequest>(header);
  }
  void TimeOut(std::uint64_t id) {
    Answer(id, wire::ErrorReply{.code = Code::kTimeout, .message = "1 of 2", .stamp = kStamp});
  }

  void Pass(base::Duration time) {
    for (; time > base::Duration{0}; time -= milliseconds(10)) {
      world.Advance(milliseconds(10));
      loop.OnWake();
      loop.OnTurnEnd();
    }
  }

  FakeWorld world;
  LoopActor loop{world, OneNode()};
  std::string header;
  bool told = false;
  base::Status status;
};

TEST_SUITE("client/put_job") {
  TEST_CASE("a retry carries the stamp, waits a little, and has only the time that is left") {
    Node node;
    node.Begin(seconds(5), 2);
    std::uint64_t id = 0;
    EXPECT(node.OnePut(&id).deadline_ms == 5000);
    node.Pass(milliseconds(900));
    node.TimeOut(id);
    EXPECT(node.Puts().empty());
    node.Pass(milliseconds(100));
    const wire::PutRequest again = node.OnePut(&id);
    EXPECT(again.stamp == kStamp);
    EXPECT(again.deadline_ms <= 4100);
    EXPECT(again.deadline_ms >= 4000);
    node.Answer(id, wire::PutReply{.version = kStamp, .replicas = {1, 2}});
    EXPECT(node.told);
    EXPECT(node.status.ok());
  }

  TEST_CASE("attempts that never end well are over by the put's timeout") {
    Node node;
    node.Begin(milliseconds(400), 100);
    unsigned attempts = 0;
    for (int i = 0; i < 45; ++i) {
      for (const auto& frame : node.Puts()) {
        ++attempts;
        node.TimeOut(frame.request_id);
      }
      node.Pass(milliseconds(10));
      if (node.told) break;
    }
    EXPECT(node.told);
    EXPECT(node.status.code() == Code::kTimeout);
    EXPECT(attempts > 1);
    EXPECT(attempts < 6);  // Each pause is longer than the last.
  }

  TEST_CASE("a node that answers nothing does not make the put last longer") {
    Node node;
    node.Begin(seconds(1), 2);
    node.Pass(milliseconds(1400));
    EXPECT(node.told);
    EXPECT(node.status.code() == Code::kTimeout);
  }

  TEST_CASE("no more retries than it may have") {
    Node node;
    node.Begin(seconds(5), 1);
    std::uint64_t id = 0;
    node.OnePut(&id);
    node.TimeOut(id);
    node.Pass(milliseconds(100));
    node.OnePut(&id);
    EXPECT(!node.told);
    node.TimeOut(id);
    EXPECT(node.told);
    node.Pass(seconds(1));
    EXPECT(node.Puts().empty());
  }

  TEST_CASE("a retry that is refused leaves the outcome unknown") {
    Node node;
    node.Begin(seconds(5), 2);
    std::uint64_t id = 0;
    node.OnePut(&id);
    node.TimeOut(id);
    node.Pass(milliseconds(100));
    node.OnePut(&id);
    node.Answer(id, wire::ErrorReply{.code = Code::kUnavailable, .message = "down", .stamp = {}});
    EXPECT(node.told);
    EXPECT(node.status.code() == Code::kTimeout);
  }

  TEST_CASE("a put that waits for its retry ends when the client does") {
    Node node;
    node.Begin(seconds(5), 2);
    std::uint64_t id = 0;
    node.OnePut(&id);
    node.TimeOut(id);
    EXPECT(!node.told);
    node.loop.Close();
    node.world.RunOldestJob();
    EXPECT(node.told);
    EXPECT(node.status.code() == Code::kTimeout);
  }
}

}  // namespace
}  // namespace starling::client
