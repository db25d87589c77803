// gossip/unanswered.h: tells that others open streams of this node, and answer nothing on them.
//
// Whoever cannot open a packet is silent, so that strangers learn nothing. So a node whose key the
// others have removed hears from them no word against it, and its log would only say that they are
// dead. A sound node always answers a stream; nothing, again and again, is that case.
//
// Thread:    confined, as its Gossip is.
// Ownership: the outputs outlive it.
// Read next: gossip/refusals.h, the other side
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/address.h"
#include "base/time.h"
#include "gossip/envelope.h"
#include "gossip/outputs.h"

namespace starling::gossip {

class Unanswered {
 public:
  // As many as a probe of each of two members brings within a few seconds; and no more than keys
  // that are changed in order ever do.
  static constexpr std::size_t kTellAfter = 5;
  static constexpr base::Duration kTellGap = base::seconds(60);

  explicit Unanswered(Outputs& outputs) : outputs_(outputs) {}

  // The stream to `from` brought nothing. `way`: how this node sends now.
  void OnNothing(base::Instant now, base::Address from, Envelope::Way way);
  void OnAnswer() { in_a_row_ = 0; }
  // A stream of this node came to itself, by an address of its own among the seeds; so the next
  // that brings nothing is that one.
  void ReachedItself() { own_ = std::min(own_ + 1, kOwnMax); }

  std::size_t in_a_row() const { return in_a_row_; }

 private:
  static constexpr std::size_t kOwnMax = 8;  // Seeds that are called at once.

  Outputs& outputs_;
  std::size_t own_ = 0;
  std::size_t in_a_row_ = 0;
  std::optional<base::Instant> last_told_;
};

}  // namespace starling::gossip
