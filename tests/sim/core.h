// tests/sim/core.h: what all parts of a simulation share: time, the queue of events, chance, trace.
//
// Nothing happens but by an event, and events of one instant come in the order of Add. So a run is
// a function of its seed and of what the test does, and the trace's hash shows whether two runs
// were the same.
//
// Thread:    confined to one thread.
// Ownership: of events, and of what they carry, until they are taken.
// Read next: tests/sim/simulation.h
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/actor.h"
#include "base/random.h"
#include "base/time.h"
#include "tests/sim/buffer.h"
#include "tests/sim/faults.h"

namespace starling::sim {

enum class EventKind : std::uint8_t {
  kCall,      // call
  kTurn,      // host, life, actor
  kAlarm,     // host, life, actor
  kMail,      // host, life, actor (the receiver's), mail
  kGive,      // host, life, actor (the receiver's), link, side
  kSyn,       // link
  kArrive,    // link, side (the receiver's), item, bytes
  kResume,    // link, side (the receiver's)
  kReset,     // link, side (the receiver's)
  kStall,     // link, side (the receiver's), number
  kLinger,    // link, side
  kDatagram,  // from, to, bytes
  kJobRun,    // host, life, number (of the lane's thread)
  kJobDone,   // the same
};

// What moves along a connection, in order.
enum class Item : std::uint8_t { kAccept, kRefuse, kBytes, kFin, kReset };

struct Event {
  EventKind kind{};
  Item item{};
  std::uint8_t side = 0;
  base::ActorId actor{};
  std::uint32_t host = 0;
  std::uint32_t life = 0;  // Of the host: what was meant for an earlier one is void.
  std::uint32_t number = 0;
  std::uint64_t link = 0;
  base::Address from;
  base::Address to;
  std::unique_ptr<base::Mail> mail;
  std::unique_ptr<std::function<void()>> call;
  Buffer bytes;
};

class Core {
 public:
  Core(std::uint64_t seed, const Faults& how) : random(seed), faults(how) {}

  // An event due at `when`, or now if that is past. Fill it in before the next Add.
  Event& Add(base::Instant when, EventKind kind);
  bool empty() const { return heap_.empty(); }
  base::Instant next() const;  // When the earliest is due; Never() if there is none.
  Event Take();                // The earliest; it is `now` then. REQUIRES: !empty()

  // Up to `max`, none included: most delays are of this kind.
  base::Duration UpTo(base::Duration max);

  // Adds to the trace: `what` and `who` are any numbers, the time is added.
  void Trace(std::uint64_t what, std::uint64_t who, base::Bytes bytes = {});
  std::uint64_t trace_hash() const { return trace_; }
  std::uint64_t events() const { return sequence_; }  // Ever added.

  base::Instant now;
  base::Random random;
  Faults faults;

 private:
  struct Due {
    base::Instant when;
    std::uint64_t sequence;
    std::uint32_t slot;
  };
  struct Later {
    bool operator()(const Due& a, const Due& b) const {
      return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
    }
  };

  std::vector<Due> heap_;
  std::vector<Event> pool_;
  std::vector<std::uint32_t> free_;
  std::uint64_t sequence_ = 0;
  std::uint64_t trace_ = 0;
};

}  // namespace starling::sim
