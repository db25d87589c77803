// server/open_values.h: large values that peers fetch in pieces, each read from the disk once.
//
// Where a value is in a table, each look at it reads a block of its size; so it is read whole, with
// the page that announces it, or with the first piece that is asked for, and kept until the last
// piece has gone out or nobody has asked for a while. That is all that is kept: each piece is asked
// for by key and version, so what was closed is opened anew, and what a piece is of is never in
// doubt. They count in the worker's share of limits.memory; who finds no room asks again later.
//
// Thread:    confined to its worker.
// Read next: server/worker_pieces.cc, server/value_pieces.h
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "base/place.h"
#include "base/time.h"
#include "base/version.h"
#include "server/memory_share.h"

namespace starling::server {

class OpenValues {
 public:
  // Of all that are open on a worker; one may be larger. Higher: more peers at a time fetch large
  // ones; lower: less memory.
  static constexpr std::uint64_t kBytesMax = 32 << 20;
  // Higher: slower peers find theirs open; lower: whoever is gone holds up others for less long.
  static constexpr base::Duration kIdleMax = base::seconds(10);

  explicit OpenValues(MemoryShare& memory) : memory_(memory) {}
  ~OpenValues();

  struct Id {
    base::KeyspaceId keyspace = 0;
    std::string key;
    base::Version version;
    std::uint64_t value_digest = 0;
    auto operator<=>(const Id&) const = default;
  };

  // Null: it is not open. Valid until the next call.
  const std::string* Find(const Id& id, base::Instant now);
  // It is going to be read: takes the room for it. False: there is none, or it is being read.
  bool Begin(const Id& id, std::uint64_t bytes);
  // It was. REQUIRES: it began.
  void Open(const Id& id, std::string value, base::Instant now);
  void Close(const Id& id);  // Also what only began.
  // Closes what nobody asks for any more. To be called now and then.
  void OnTick(base::Instant now);

  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Value {
    std::string value;
    std::uint64_t bytes = 0;  // That were taken for it.
    bool open = false;        // Else it is being read.
    base::Instant asked;
  };
  using Values = std::map<Id, Value>;
  Values::iterator Erase(Values::iterator it);

  MemoryShare& memory_;
  Values values_;
  std::uint64_t bytes_ = 0;
};

}  // namespace starling::server
