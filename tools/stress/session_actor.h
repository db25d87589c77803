// tools/stress/session_actor.h: an Actor that is a Session and what its heir does with it.
//
// Thread:    confined to its World's.
// Read next: tools/stress/generator.h.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "client/session.h"

namespace starling::stress {

class SessionActor : public base::Actor, protected client::Session::Listener {
 public:
  SessionActor(base::World& world, client::SessionOptions options)
      : world_(world), session_(world, *this, std::move(options)) {}

  void OnStart() override {
    session_.Start();
    session_.FetchMap(0);
  }
  void OnOpen(base::ConnId conn, base::Address, base::ListenerId) final { session_.OnOpen(conn); }
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) final {
    return session_.OnBytes(conn, bytes);
  }
  void OnClose(base::ConnId conn, base::CloseReason reason) final {
    session_.OnClose(conn, reason);
  }
  void OnDatagram(base::Address, base::Bytes) final {}
  void OnMail(std::unique_ptr<base::Mail>) override {}
  void OnWake() final { session_.OnWake(); }
  void OnTurnEnd() final {
    OnTurn();
    session_.OnTurnEnd();
    world_.WakeAt(std::min(session_.next_wake(), next_wake()));
  }

 protected:
  // Once a turn, also when next_wake() has come.
  virtual void OnTurn() {}
  virtual base::Instant next_wake() const { return base::Instant::Never(); }

  void OnPut(std::uint64_t, const client::PutResult&) override {}
  void OnGet(std::uint64_t, const client::GetResult&) override {}
  void OnScan(std::uint64_t, const client::ScanResult&) final {}
  void OnCreateKeyspace(std::uint64_t, const client::CreateKeyspaceResult&) final {}
  void OnAdmin(std::uint64_t, const client::AdminResult&) final {}
  void OnPing(std::uint64_t, const base::Status&) final {}

  base::World& world_;
  client::Session session_;
};

}  // namespace starling::stress
