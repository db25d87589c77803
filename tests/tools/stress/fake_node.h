// tests/tools/stress/fake_node.h: a cluster of one node for an actor of starling-stress, played by
// the test: it answers when told to, on a clock that the test moves.
//
// Thread: the test's.
// Read next: tests/client/fake_world.h.
#pragma once

#include <algorithm>
#include <deque>

#include "base/hash.h"
#include "client/session.h"
#include "tests/client/fake_world.h"
#include "tests/test.h"

namespace starling::stress {

class FakeNode {
 public:
  using Frame = client::FakeWorld::SentFrame;

  static constexpr base::Address kAddress{0x0a000001U, 7701};
  static client::SessionOptions Session() {
    return {.links = {.hosts = {kAddress}, .connections_per_node = 1}};
  }

  // Starts the actor, which lives in `world`, and answers until it waits for a put or a get.
  void Start(base::Actor& actor) {
    actor_ = &actor;
    actor.OnStart();
    actor.OnTurnEnd();
    Connect();
  }

  // Opens and greets the connection that waits for it.
  void Connect() {
    conn_ = world.To(kAddress).at(0);
    actor_->OnOpen(conn_, kAddress, base::ListenerId::kNone);
    wire::HelloReply hello;
    hello.cluster_id = {1, 1};
    hello.epoch = 1;
    hello.in_flight_max = 1000;
    Reply(0, hello);
    EndTurn();
  }

  // Puts and gets that were not answered yet, in order.
  std::deque<Frame>& Asked() {
    Collect();
    return asked_;
  }

  // Answers the oldest: a put with ok, a get with `value`, if it has any bytes.
  void Answer(base::Bytes value = {}) {
    const Frame frame = TakeOldest();
    if (frame.kind == wire::Kind::kPut) {
      Reply(frame.request_id, wire::PutReply{.version = {100, 1, 5}, .replicas = {1}});
    } else {
      Reply(frame.request_id,
            wire::GetReply{.found = !value.empty(),
                           .version = {100, 1, 5},
                           .value_digest = base::Hash64(value),
                           .replicas = {1}},
            value);
    }
    EndTurn();
  }
  void AnswerAll() {
    for (std::size_t left = Asked().size(); left > 0; --left) Answer();
  }
  void Refuse(base::Code code) {
    Reply(TakeOldest().request_id, wire::ErrorReply{.code = code, .message = "why", .stamp = {}});
    EndTurn();
  }
  void Disconnect() {
    world.conns().at(static_cast<std::uint64_t>(conn_)).closed = true;
    asked_.clear();
    actor_->OnClose(conn_, base::CloseReason::kReset);
    EndTurn();
  }

  // Moves the clock from alarm to alarm, as a World does.
  void Pass(base::Duration d) {
    const base::Instant end = world.Now() + d;
    while (world.alarm() <= end) {
      world.Advance(std::max(base::Duration{0}, world.alarm() - world.Now()));
      actor_->OnWake();
      EndTurn();
    }
    world.Advance(end - world.Now());
  }

  client::FakeWorld world;

 private:
  static wire::ClusterMap Map() {
    wire::ClusterMap map{.cluster_name = "test",
                         .cluster_id = {1, 1},
                         .epoch = 1,
                         .token_seed = 7,
                         .nodes = {},
                         .keyspaces = {}};
    map.nodes.push_back(
        {.number = 1, .host = {1, 1}, .client = kAddress, .dc = "dc1", .rack = "r", .up = true});
    map.keyspaces.push_back({.id = 1,
                             .name = "default",
                             .replication = "simple:1",
                             .effective_factor = 1,
                             .ranges = {{0, {1}}}});
    return map;
  }

  template <typename Message>
  void Reply(std::uint64_t request_id, const Message& message, base::Bytes payload = {}) {
    std::string bytes;
    wire::AppendFrame(bytes, request_id, message, payload);
    EXPECT(actor_->OnBytes(conn_, bytes) == bytes.size());
  }
  void EndTurn() {
    actor_->OnTurnEnd();
    Collect();
  }
  void Collect() {
    for (bool again = true; again;) {
      again = false;
      for (auto& frame : world.Take(conn_)) {
        if (frame.kind == wire::Kind::kClusterMap) {
          std::string map;
          wire::EncodeTo(Map(), map);
          Reply(frame.request_id, wire::ClusterMapReply{base::Hash64(map)}, map);
          actor_->OnTurnEnd();
          again = true;
        } else if (frame.kind == wire::Kind::kPut || frame.kind == wire::Kind::kGet) {
          asked_.push_back(frame);
        }
      }
    }
  }
  Frame TakeOldest() {
    REQUIRE(!Asked().empty());
    const Frame frame = asked_.front();
    asked_.pop_front();
    return frame;
  }

  base::Actor* actor_ = nullptr;
  base::ConnId conn_{};
  std::deque<Frame> asked_;
};

}  // namespace starling::stress
