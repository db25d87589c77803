// base/actor.h: one thread of a node, as told what happened.
//
// An Actor is called by its World, one call at a time. A *turn* is any number of inputs and then
// one OnTurnEnd(): that is where a batch is made of what the inputs asked for. Nothing blocks.
//
// Thread:    confined to its World's.
// Read next: base/world.h, which is all that an Actor can do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/address.h"
#include "base/bytes.h"

namespace starling::base {

enum class ConnId : std::uint64_t {};   // Slot and generation: a stale id is harmless, never
                                        // another connection. Valid in one actor only.
enum class ActorId : std::uint16_t {};  // 0 is control, 1.. are the workers.
enum class ListenerId : std::uint16_t { kNone = 0 };  // kNone: we connected.

inline constexpr ActorId kControlActor{0};

enum class CloseReason : std::uint8_t {
  kPeer,         // The peer closed in order.
  kReset,        // The peer is gone without a word: evidence that its process died.
  kRefused,      // Nobody listens there: stronger evidence.
  kUnreachable,  // No answer.
  kLocal,        // We asked for it, or this machine could not keep it.
};

// A message between actors of one node. `kind` tells the receiver what it may cast to.
struct Mail {
  explicit Mail(std::uint16_t kind_of_mail) : kind(kind_of_mail) {}
  virtual ~Mail() = default;
  Mail(const Mail&) = delete;
  Mail& operator=(const Mail&) = delete;

  Mail* next = nullptr;  // The queue's own link, so that a push allocates nothing.
  ActorId from{};
  const std::uint16_t kind;
};

// Work that may block. Run() is called on another thread, touches only what the job owns and
// thread-safe storage, and calls no World; Done() is called back home, in a turn.
// Ownership: the caller's until Done(). A job whose node is destroyed first never sees Done().
struct Job {
  virtual void Run() noexcept = 0;
  virtual void Done() = 0;

  Job* next = nullptr;  // The lane's own link.

 protected:
  ~Job() = default;
};

class Actor {
 public:
  virtual ~Actor() = default;

  // Called once, before anything else, when the World can be used.
  virtual void OnStart() = 0;
  // A connection is there: accepted at `listener`, given by another actor, or (kNone) the
  // answer to our Connect.
  virtual void OnOpen(ConnId, Address peer, ListenerId listener) = 0;
  // All bytes that are there and not yet used. Returns how many were used; the rest comes again,
  // with more. May call Close or Give on this connection, and then nothing more comes of it.
  virtual std::size_t OnBytes(ConnId, Bytes) = 0;
  // The peer sends nothing more, but may still read. True: more is owed to it, and the connection
  // stays to be written to, until the actor closes it. False: what is queued leaves, and OnClose
  // (kPeer) follows at once.
  virtual bool OnPeerEnd(ConnId) { return false; }
  // The connection is gone, or our Connect failed. The id is dead; nothing more comes of it.
  virtual void OnClose(ConnId, CloseReason) = 0;
  virtual void OnDatagram(Address from, Bytes) = 0;
  virtual void OnMail(std::unique_ptr<Mail>) = 0;
  // The alarm set by WakeAt. It may come late, never early.
  virtual void OnWake() = 0;
  virtual void OnTurnEnd() = 0;
};

}  // namespace starling::base
