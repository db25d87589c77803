// gossip/settled_digest.h: a digest that two nodes can compare while rumors are on their way.
//
// A digest of all that a node knows differs from every other node's as long as anything spreads,
// and would start a pull for what push brings anyway. So a rumor counts only once it is older than
// a lag. Its age travels with it, so that it comes to count on all nodes at about the same time;
// what "about" leaves open, MayBe allows for.
//
// Thread:    confined to one thread.
// Ownership: keeps copies of keys.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "base/time.h"

namespace starling::gossip {

// A version of a rumor; of two of a key the higher one wins, by hash if they are equal.
struct RumorVersion {
  std::uint64_t version = 0;
  std::uint64_t hash = 0;  // Of the payload.

  friend auto operator<=>(const RumorVersion&, const RumorVersion&) = default;
};

// One rumor's part in any digest. Digests are sums, so that one change costs one step.
std::uint64_t DigestOf(const std::string& key, RumorVersion version);

class SettledDigest {
 public:
  // Holds at most `young_max` rumors back; beyond, the oldest of them count early.
  SettledDigest(base::Duration lag, std::size_t young_max) : lag_(lag), young_max_(young_max) {}

  // What this node learned. It counts at its time though it be replaced before: others count it,
  // too.
  void Add(base::Instant born, const std::string& key, RumorVersion version);

  // From here on rumors born until `now` - lag count.
  void Advance(base::Instant now);

  std::uint64_t value() const { return value_; }
  // When the next rumor comes to count.
  base::Instant next() const {
    return young_.empty() ? base::Instant::Never() : young_.begin()->first + lag_;
  }

  // Whether a node that knows the same could have this value, somewhat earlier or later than here.
  bool MayBe(std::uint64_t theirs) const;

 private:
  struct Young {
    std::string key;
    RumorVersion version;
  };
  struct Before {
    base::Instant until;
    std::uint64_t value;
  };

  void SettleOldest(base::Instant now);

  base::Duration lag_;
  std::size_t young_max_;
  std::multimap<base::Instant, Young> young_;  // By birth.
  std::map<std::string, RumorVersion> settled_;
  std::deque<Before> before_;  // Earlier values, the oldest first; as far back as the lag.
  std::uint64_t value_ = 0;
};

}  // namespace starling::gossip
