// base/uv/uv_world.h: a node on real sockets, threads and time: the actors' Worlds of libuv.
//
//   UvSystem system(seed, {.stop_mail_kind = kDrain});
//   Control control(system.MakeWorld(ActorId{0}), ...);       // The World first, since an actor's
//   Worker worker(system.MakeWorld(ActorId{1}), ...);         // constructor wants it;
//   system.Attach(ActorId{0}, control);                       // then the actor.
//   system.Attach(ActorId{1}, worker);
//   Status status = system.Run();                             // Until some actor calls Exit.
//
// Each actor has a thread and a loop of its own; control's is the one that calls Run.
//
// Thread:    the one that calls Run, but for RequestStop.
// Ownership: the system outlives its actors. When Run has returned, no thread of it is left, so
//            that actors and their jobs may go.
// Read next: base/world.h for the contract; base/uv/loop.h for the turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/world.h"

namespace starling::base {

namespace uv {
struct Node;
}

struct UvOptions {
  // Threads of Lane::kRead. More: more reads from disk at once; each costs a stack and switches.
  std::size_t read_threads = 2;
  // SIGINT, SIGTERM and RequestStop reach control as a Mail of this kind; a second one ends the
  // node at once, with a failure. Without, signals do what they do, and RequestStop is Exit(Ok()).
  std::optional<std::uint16_t> stop_mail_kind = std::nullopt;
};

class UvSystem {
 public:
  // From here on SIGPIPE is ignored in the process.
  explicit UvSystem(std::uint64_t seed, UvOptions options = {});
  ~UvSystem();
  UvSystem(const UvSystem&) = delete;
  UvSystem& operator=(const UvSystem&) = delete;

  // REQUIRES: ids come as 0, 1, 2, ... The World is the system's.
  World& MakeWorld(ActorId id);
  // REQUIRES: MakeWorld(id) came before; `actor` lives until Run has returned.
  void Attach(ActorId id, Actor& actor);

  // Runs all actors; returns what the first Exit said. REQUIRES: each World has its actor, and it
  // is the first Run.
  Status Run();

  // Any thread, and signal handlers. After Run nothing happens.
  void RequestStop();

  // The port that a listener of an actor got, which asked for port 0; 0 if it does not listen.
  // REQUIRES: called in that actor's turn.
  std::uint16_t PortOf(ActorId id, ListenerId listener) const;

 private:
  const std::uint64_t seed_;
  const UvOptions options_;
  std::unique_ptr<uv::Node> node_;
};

}  // namespace starling::base
