// base/uv/connections.h: all TCP of one loop: listeners, connections, and their bytes.
//
// Everything that a turn queued is written at its end, with one system call a connection where the
// socket takes it; only an unsent rest costs a write request. Inputs that must not come inline
// (OnClose after Close, a failure found while writing) wait for the next turn.
//
// Thread:    confined to its loop's.
// Read next: base/world.h for what each call promises; connection_io.cc for reads and writes.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/slab.h"
#include "base/status.h"
#include "base/uv/connection.h"
#include "base/world.h"

namespace starling::base::uv {

class Loop;

class Connections {
 public:
  explicit Connections(Loop& loop);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // As in World.
  Status Listen(ListenerId listener, Address address);
  void StopListening();
  ConnId Connect(Address peer);
  void Give(ConnId id, ActorId to);
  std::span<char> Reserve(ConnId id, std::size_t size);
  void Commit(ConnId id, std::size_t used);
  void Append(ConnId id, std::shared_ptr<const void> owner, Bytes bytes);
  std::size_t Queued(ConnId id) const;
  void SetReading(ConnId id, World::Reading reading);
  void Close(ConnId id);

  // The port that a listener got; 0 if there is none.
  std::uint16_t PortOf(ListenerId listener) const;

  // A connection from another loop.
  void Adopt(GivenConnection& given);
  // The end of the turn: writes, gives and closes what the turn asked for.
  void Flush();
  // The inputs that waited for this turn.
  void RunDeferred();
  // Closes every handle; nothing is delivered any more.
  void Shutdown();

 private:
  struct Listener {
    uv_tcp_t tcp;
    Connections* home;
    ListenerId id;
    std::uint16_t port;
    bool closed = false;
  };
  // OnClose with `closed`; without, the bytes that the actor left unused come again.
  struct Deferred {
    ConnId id;
    std::optional<CloseReason> closed;
  };

  Connection& New(Address peer, ListenerId listener);
  Connection* Alive(ConnId id);
  void Opened(Connection& conn);
  void OpenedAndEnded(Connection& conn, CloseReason reason);
  void Defer(ConnId id, std::optional<CloseReason> closed);
  void BeginFlushing(Connection& conn);
  void FinishGive(Connection& conn);
  void Linger(Connection& conn);
  void Fail(Connection& conn, CloseReason reason);
  void CloseHandle(Connection& conn);
  void GiveUpLate();

  // connection_io.cc
  void StartReading(Connection& conn);
  void OnData(Connection& conn, ssize_t result);
  void Deliver(Connection& conn, std::size_t fresh);
  void Ended(Connection& conn, int error);
  void MarkDirty(Connection& conn);
  void FlushOne(Connection& conn);
  void SubmitWrite(Connection& conn);
  void Written(Connection& conn, int status);
  void Settle(Connection& conn);

  static void OnAccept(uv_stream_t* stream, int status);
  static void OnConnected(uv_connect_t* request, int status);
  static void OnAlloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer);

  Loop& loop_;
  Slab<Connection> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // Closed ones too: libuv may look at them.
  std::vector<ConnId> dirty_;
  std::vector<ConnId> flushing_;  // Flush's own, kept for its capacity.
  std::vector<ConnId> paused_;
  std::vector<Deferred> deferred_;
  std::vector<Deferred> delivering_;  // RunDeferred's own.
  std::vector<char> nowhere_;         // Room for those who write to a dead id.
  uv_timer_t give_up_timer_;
};

// What a libuv error of a connection says about the peer.
CloseReason ReasonOf(int error);

}  // namespace starling::base::uv
