// client/routing.h: what a client knows of a cluster: its keyspaces, and which nodes hold a key.
//
// It holds the newest map that a node sent, and answers from it. A map that is out of date costs a
// hop and never a wrong answer: any node coordinates any request.
//
// Thread:    confined to one thread.
// Ownership: pointers and spans live until the next Adopt.
// Read next: client/session.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "server/wire/client_messages.h"

namespace starling::client {

class Routing {
 public:
  // Takes over `map`, unless it is of an older epoch than the one held. Says whether it did.
  bool Adopt(wire::ClusterMap map);

  bool known() const { return adopted_ > 0; }
  std::uint64_t adopted() const { return adopted_; }  // How often a map was.
  const wire::ClusterMap& map() const { return map_; }

  // nullptr: there is none of that name.
  const wire::ClusterMap::Keyspace* FindKeyspace(std::string_view name) const;

  // The nodes that hold `key`, in the ring's order; empty when the map does not say.
  std::span<const base::NodeNumber> Replicas(const wire::ClusterMap::Keyspace& keyspace,
                                             base::Bytes key) const;

 private:
  wire::ClusterMap map_;
  std::uint64_t adopted_ = 0;
};

}  // namespace starling::client
