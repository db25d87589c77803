// server/peer_marks.h: how far the other nodes' acknowledgements reached, to tell them after a
// loss.
//
// A replica's answer to a write carries its boot and what its last sync covers, and so does what it
// answers in a purge round and for a proof: what it reports there it may have from a pull, which
// nobody else was told of. Who gets such an answer keeps the highest of each node; control tells it
// in its answer to that node's hello, and keeps it on disk along with the clock's bound, about once
// a second.
//
// Thread:    Note: any worker's, rarely contended. The rest: control.
// Read next: server/absence.h
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/status.h"
#include "base/version.h"
#include "server/absence.h"

namespace starling::server {

class PeerMarks {
 public:
  void Note(base::NodeNumber node, const Mark& mark);  // Boot 0 says nothing.
  // Boot 0: nothing is remembered.
  Mark Of(base::NodeNumber node) const;

  std::string Encode() const;
  // Corruption when `bytes` are none.
  base::Status Load(base::Bytes bytes);

 private:
  mutable std::mutex mutex_;
  std::map<base::NodeNumber, Mark> marks_;
};

}  // namespace starling::server
