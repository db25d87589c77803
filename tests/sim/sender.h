// tests/sim/sender.h: a host that sends bytes as they are, and keeps what is answered.
//
// Thread:    confined to one thread.
// Ownership: the host outlives it.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/wire/frame.h"
#include "tests/sim/frames.h"
#include "tests/sim/simulation.h"
#include "tests/test.h"

namespace starling::sim {

// One connection after another, each of one hello and a few frames.
class Sender final : public base::Actor {
 public:
  explicit Sender(SimHost& host) : host_(host), world_(host.MakeWorld(base::kControlActor)) {
    host.Attach(base::kControlActor, *this);
    host.Start();
  }
  ~Sender() override { host_.Crash(SimHost::How::kKilled); }

  void Begin(base::Address to, std::string bytes, std::vector<std::uint64_t> ids) {
    to_ = to;
    bytes_ = std::move(bytes);
    waiting = {ids.begin(), ids.end()};
    closed = false;
    answers.clear();
    kinds.clear();
    connect_ = true;
    world_.WakeAt(world_.Now());
  }
  bool settled() const { return closed || waiting.empty(); }

  std::set<std::uint64_t> waiting;  // Not answered yet.
  bool closed = false;
  std::vector<std::string> answers;  // Payloads.
  std::vector<wire::Kind> kinds;
  std::vector<std::pair<base::Address, std::string>> datagrams;

  void OnStart() override {}
  void OnWake() override {
    for (const auto& [to, bytes] : datagrams) world_.SendDatagram(to, bytes);
    datagrams.clear();
    if (!connect_) return;
    connect_ = false;
    if (conn_ != base::ConnId{}) world_.Close(conn_);
    conn_ = world_.Connect(to_);
  }
  void OnOpen(base::ConnId conn, base::Address, base::ListenerId) override {
    SendBytes(world_, conn, bytes_);
  }
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override {
    return ForEachFrame(bytes, [&](const wire::Frame& frame) {
      if (conn != conn_) return;
      waiting.erase(frame.request_id);
      answers.emplace_back(frame.payload);
      kinds.push_back(frame.kind);
    });
  }
  void OnClose(base::ConnId conn, base::CloseReason) override { closed |= conn == conn_; }
  void OnDatagram(base::Address, base::Bytes) override {}
  void OnMail(std::unique_ptr<base::Mail>) override {}
  void OnTurnEnd() override {}
  void SendDatagrams() { world_.WakeAt(world_.Now()); }
  void ForgeSender(base::Address from) { world_.ForgeSender(from); }
  void Bind(base::Address address) { REQUIRE(world_.BindDatagrams(address).ok()); }

 private:
  SimHost& host_;
  SimWorld& world_;
  base::Address to_;
  std::string bytes_;
  base::ConnId conn_{};
  bool connect_ = false;
};

}  // namespace starling::sim
