// server/greeting_queue.h: which connections have to say their hello by when.
//
// A connection that never speaks would hold its place and its memory for ever: one of a port
// scanner, or of a machine that was switched off. Who has greeted is not taken out; the owner looks
// when the time is over. Its length is the number of connections of the last kGreetingMax.
//
// Thread:    confined to its owner's.
// Read next: server/control.cc, server/worker.cc
#pragma once

#include <fmt/core.h>

#include <deque>

#include "base/status.h"
#include "base/time.h"
#include "base/world.h"

namespace starling::server {

// Lower: less is held for the silent; higher: a peer with a bad line, or one that is stopped for a
// moment, still gets through.
inline constexpr base::Duration kGreetingMax = base::seconds(10);

class GreetingQueue {
 public:
  void Add(base::Instant now, base::ConnId conn) { waiting_.push_back({now + kGreetingMax, conn}); }

  // Calls visit(conn) for each whose time is over, and forgets it.
  template <typename Visit>
  void TakeLate(base::Instant now, Visit visit) {
    while (!waiting_.empty() && waiting_.front().until <= now) {
      const base::ConnId conn = waiting_.front().conn;
      waiting_.pop_front();
      visit(conn);
    }
  }

  // What the silent are told.
  static base::Status Late() {
    return base::Timeout(fmt::format("no hello came within {} s", base::ToMs(kGreetingMax) / 1000));
  }

 private:
  struct Waiting {
    base::Instant until;
    base::ConnId conn;
  };
  std::deque<Waiting> waiting_;  // In the order of their times.
};

}  // namespace starling::server
