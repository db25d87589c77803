// server/watermarks.h: numbers a coordinator's writes to each node, and knows which are handled.
//
// The watermark of a node is the lowest number that is not handled yet. It rides on every 16th
// write, or on one after a pause; a node that got no write for a second is told by a message of its
// own. It is never a proof that replicas are equal: it only lets a replica forget writes that it
// would have to pass on if this coordinator died (server/orphans.h).
//
// Thread:    confined to its worker.
// Read next: server/write_number.h
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/time.h"
#include "base/version.h"
#include "server/wire/peer_messages.h"

namespace starling::server {

class Watermarks {
 public:
  // Told with every so manieth write. Lower: more bytes; higher: replicas remember more.
  static constexpr std::uint32_t kToldEach = 16;
  static constexpr base::Duration kToldAfter = base::milliseconds(50);
  static constexpr base::Duration kIdleAfter = base::seconds(1);

  // A number for the next write to `peer`.
  std::uint64_t Next(base::NodeNumber peer);

  // Writes into the message what has to be told with it. `connection` is the one that it will take
  // (PeerLinks::SerialOf; 0: one that has not been made yet).
  void Tell(base::Instant now, base::NodeNumber peer, std::uint64_t connection,
            std::uint64_t number, wire::ReplicaWrite* message);
  // The write did not go out: the next one must say its number.
  void NotSent(base::NodeNumber peer);

  void Handled(base::NodeNumber peer, std::uint64_t number);

  struct Idle {
    base::NodeNumber peer = 0;
    std::uint64_t below = 0;
  };
  // Those that got no write for kIdleAfter, and do not know yet that all are handled. They count as
  // told now: a message that is lost leaves the peer with a few writes more than needed.
  std::vector<Idle> TakeIdle(base::Instant now);

  // The lowest number that is not handled.
  std::uint64_t below(base::NodeNumber peer) const;

 private:
  struct Peer {
    std::uint64_t below = 1;       // All before it are handled.
    std::deque<bool> handled;      // From `below` on.
    std::uint64_t told = 1;        // What the peer knows of `below`.
    std::uint64_t connection = 0;  // That counts along.
    std::uint32_t since_told = 0;  // Writes.
    base::Instant told_at;
    base::Instant sent_at;
  };

  std::map<base::NodeNumber, Peer> peers_;
};

}  // namespace starling::server
