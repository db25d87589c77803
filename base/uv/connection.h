// base/uv/connection.h: one TCP connection of a loop, from its first handle to its last callback.
//
//   kConnecting ──► kOpen ──► kFlushing ──► kLingering ──► kClosing
//                     └─────► kGiving ─────────────────────▲
//
// The actor's id is alive in the first two states only; the object lives until libuv has given its
// handle back, because libuv may still look at it.
//
// Thread: confined to its loop's.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/actor.h"
#include "base/time.h"
#include "base/uv/byte_buffer.h"
#include "base/uv/out_queue.h"

namespace starling::base::uv {

class Connections;

struct Connection {
  enum class State : std::uint8_t {
    kConnecting,
    kOpen,
    kGiving,     // Another actor gets it once all output has left.
    kFlushing,   // Closed by the actor or the peer; the output is leaving.
    kLingering,  // All has left; what still comes in is dropped, until the peer closes too.
    kClosing,    // uv_close was called.
  };

  // An empty buffer keeps at most this: thousands of idle connections must not hold megabytes.
  static constexpr std::size_t kKeptMax = 64 * 1024;

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp); }
  bool alive() const { return state == State::kConnecting || state == State::kOpen; }

  // For the slab: as new, with the buffers kept.
  void Reset() {
    in.Clear();
    in.Trim(kKeptMax);
    out.Clear(kKeptMax);
    sending.Clear(kKeptMax);
    state = State::kConnecting;
    wants_reading = true;
    dirty = writing = tell_closed = peer_ended = reads_into_own = paused = false;
    read_in_turn = 0;
  }

  uv_tcp_t tcp;
  uv_connect_t connecting;
  uv_write_t write;
  uv_shutdown_t shutdown;

  Connections* home = nullptr;
  ConnId id{};
  Address peer{};
  ListenerId listener{};
  State state = State::kConnecting;
  ActorId give_to{};     // kGiving.
  Instant give_up_at{};  // kFlushing, kLingering: a peer may not hold it for ever.

  bool wants_reading = true;    // What the actor asked for.
  bool paused = false;          // It took its share of this turn.
  bool reads_into_own = false;  // The current read goes to `in`, not to the loop's buffer.
  bool dirty = false;           // Listed for the end of the turn.
  bool writing = false;         // libuv has `sending`.
  bool tell_closed = false;     // kFlushing: OnClose(kLocal) is owed.
  bool peer_ended = false;      // No need to linger.

  std::uint64_t turn = 0;        // Of the last read.
  std::size_t read_in_turn = 0;  // In that turn.

  ByteBuffer in;              // Bytes that the actor has not used.
  OutQueue out;               // What the turn adds to.
  OutQueue sending;           // The unsent rest of earlier turns, while `writing`.
  std::size_t submitted = 0;  // Of `sending`, what the current uv_write has.
};

// A connection on its way to another actor of the node, or, without a descriptor, the news that it
// ended on its way.
struct GivenConnection final : Mail {
  static constexpr std::uint16_t kKind = 0xffff;  // No mail of an actor may have it.

  GivenConnection(int given_fd, const Connection& conn)
      : Mail(kKind), fd(given_fd), peer(conn.peer), listener(conn.listener), in(conn.in.view()) {}
  GivenConnection(CloseReason why, const Connection& conn)
      : Mail(kKind), ended(why), peer(conn.peer), listener(conn.listener) {}
  ~GivenConnection() override;

  int fd = -1;                              // Closed with the mail, unless taken out (-1).
  CloseReason ended = CloseReason::kLocal;  // Why there is no descriptor.
  Address peer;
  ListenerId listener;
  std::string in;
};

}  // namespace starling::base::uv
