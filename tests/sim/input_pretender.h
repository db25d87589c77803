// tests/sim/input_pretender.h: a host that answers as a node that has gone mad.
//
// Thread:    confined to one thread.
// Ownership: host and facts outlive it.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "gossip/codec.h"
#include "gossip/envelope.h"
#include "server/node_shared.h"
#include "server/wire/frame.h"
#include "tests/sim/frames.h"
#include "tests/sim/input_draw.h"
#include "tests/sim/simulation.h"
#include "tests/test.h"

namespace starling::sim {

// Stands where a node was: takes every hello, acknowledges every ping, and answers as it draws.
class Pretender final : public base::Actor {
 public:
  Pretender(SimHost& host, const wire::ClusterMap::Node& self, const Facts& facts)
      : host_(host), world_(host.MakeWorld(base::kControlActor)), self_(self), facts_(facts) {
    host.Attach(base::kControlActor, *this);
    host.Start();
  }
  ~Pretender() override { host_.Crash(SimHost::How::kKilled); }

  std::uint64_t asked = 0;

  void OnStart() override {
    const base::Address address{host_.ip(), 7700};
    REQUIRE(world_.Listen(server::kClusterListener, address).ok());
    REQUIRE(world_.BindDatagrams(address).ok());
  }
  void OnOpen(base::ConnId, base::Address, base::ListenerId) override {}
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override {
    return ForEachFrame(bytes, [&](const wire::Frame& frame) {
      std::string reply;
      if (frame.kind == wire::Kind::kHello) {
        wire::HelloReply greeting;
        greeting.cluster_name = "sim";
        greeting.cluster_id = facts_.map.cluster_id;
        greeting.host = self_.host;
        greeting.epoch = facts_.map.epoch;
        wire::AppendFrame(reply, frame.request_id, greeting);
      } else {
        ++asked;
        reply = Draw(world_.random(), facts_).Answer(frame, 0.2);
      }
      SendBytes(world_, conn, reply);
    });
  }
  void OnClose(base::ConnId, base::CloseReason) override {}
  void OnDatagram(base::Address from, base::Bytes bytes) override {
    gossip::Envelope envelope(facts_.gossip_cluster, {}, {self_.host, 1, 0});
    const gossip::Envelope::Opened opened = envelope.Open(bytes);
    gossip::Message message;
    const bool sound = opened.verdict == gossip::Envelope::Verdict::kOpened &&
                       gossip::Decode(opened.body, {}, message).ok();
    const auto* ping = sound ? std::get_if<gossip::Ping>(&message.body) : nullptr;
    if (ping == nullptr) return;
    std::string metadata;
    base::AppendLittle(metadata, facts_.map.epoch);
    metadata.push_back('\1');
    const gossip::Message ack{{self_.host, 1000, 0},
                              gossip::Ack{ping->nonce},
                              {{.host = self_.host,
                                .generation = 1000,
                                .incarnation = 0,
                                .address = {host_.ip(), 7700},
                                .metadata = metadata}},
                              {}};
    world_.SendDatagram(from, Encoded(ack, facts_));
  }
  void OnMail(std::unique_ptr<base::Mail>) override {}
  void OnWake() override {}
  void OnTurnEnd() override {}

 private:
  SimHost& host_;
  base::World& world_;
  const wire::ClusterMap::Node self_;
  const Facts& facts_;
};

}  // namespace starling::sim
