// base/world.h: everything that an Actor may ask of the outside.
//
// Two implementations: base/uv (libuv, a thread an actor) and tests/sim (virtual time, one thread
// in all). The seam is at bytes, so framing, handshakes, limits, backpressure and the release of
// acknowledgements by fsync run in the simulator as they do in production.
//
// Thread: every call is made in the actor's own turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/actor.h"
#include "base/random.h"
#include "base/status.h"
#include "base/time.h"

namespace starling::base {

// Where blocking work runs. Each lane takes its jobs in the order of Offload, over all actors of
// a node; kRead has a few threads (so its jobs may overlap), the others one. kMaintenance is for
// what takes as long as there is data (compaction), so that nothing else waits behind it.
enum class Lane : std::uint8_t { kSync, kRead, kBackground, kMaintenance };
inline constexpr std::size_t kLanes = 4;

class World {
 public:
  // --- time and chance ---
  virtual Instant Now() const = 0;          // Monotonic; constant within a turn.
  virtual std::int64_t WallMs() const = 0;  // May jump, both ways: for stamps and expiry only.
  virtual Random& random() = 0;
  // Calls OnWake at `when` or soon after. One alarm an actor: it replaces the former;
  // Instant::Never() takes it away. base/timers.h makes many of one.
  virtual void WakeAt(Instant when) = 0;
  // Another turn after this one, without sleeping.
  virtual void Again() = 0;

  // --- other actors of the node, and blocking work ---
  virtual void Post(ActorId to, std::unique_ptr<Mail>) = 0;  // In order between any two actors.
  virtual void Offload(Lane, Job&) = 0;

  // --- connections ---
  // Accepts at `address`; connections arrive by OnOpen with `listener`. Fails with Unavailable,
  // naming the address, when it can't be bound.
  virtual Status Listen(ListenerId listener, Address address) = 0;
  virtual void StopListening() = 0;
  // Answers by OnOpen or OnClose, never inline.
  virtual ConnId Connect(Address peer) = 0;
  // Moves a connection, bytes not yet used included, to another actor of the node, whose OnOpen
  // is called with the same peer and listener. The id is dead here, and nothing more is heard of
  // it here: a connection that ends on its way, or can't be moved (no descriptor is free), is told
  // there, by OnOpen and then OnClose. So whoever counts connections can count them there.
  virtual void Give(ConnId, ActorId to) = 0;
  // Room for `size` bytes at the end of what is to be sent, to encode in place; Commit says how
  // many were used. The span is valid until the next call. What was committed leaves at the end
  // of the turn. On a dead id the bytes go nowhere (Reserve still gives room).
  virtual std::span<char> Reserve(ConnId, std::size_t size) = 0;
  virtual void Commit(ConnId, std::size_t used) = 0;
  // Sends `bytes` without copying them; `owner` keeps them alive until they have left.
  virtual void Append(ConnId, std::shared_ptr<const void> owner, Bytes bytes) = 0;
  // Bytes that the peer has not taken yet: what backpressure looks at.
  virtual std::size_t Queued(ConnId) const = 0;
  // A slow client is not read from. On is the state of a new connection.
  enum class Reading : std::uint8_t { kOff, kOn };
  virtual void SetReading(ConnId, Reading) = 0;
  // What is queued leaves first; OnClose(kLocal) follows, never inline.
  virtual void Close(ConnId) = 0;

  // --- datagrams ---
  virtual Status BindDatagrams(Address) = 0;         // Fails as Listen does.
  virtual void SendDatagram(Address to, Bytes) = 0;  // Best effort.

  // --- the end ---
  // Ends the whole node: no actor gets another turn after this one. `why` not ok: the process
  // says so and exits with a failure.
  virtual void Exit(Status why) = 0;

 protected:
  ~World() = default;
};

}  // namespace starling::base
