// gossip/once_each.h: what is done for each of many, but not again for a while, nor for too many.
//
// Whoever is answered or told of only because it speaks must not make us do so for as long as it
// does; and a forger has as many names and addresses as it likes.
//
// Thread: confined to one thread.
#pragma once

#include <cstddef>
#include <vector>

#include "base/time.h"

namespace starling::gossip {

template <typename Key>
class OnceEach {
 public:
  // Once in `gap` for each, and for at most `keys_max` in one gap; others wait for the next.
  OnceEach(base::Duration gap, std::size_t keys_max) : gap_(gap), keys_max_(keys_max) {}

  // Whether it may be done for `key` now; it then counts as done.
  bool Take(base::Instant now, const Key& key) {
    std::erase_if(done_, [&](const Done& each) { return now - each.at >= gap_; });
    for (const Done& each : done_) {
      if (each.key == key) return false;
    }
    if (done_.size() == keys_max_) return false;
    done_.push_back({key, now});
    return true;
  }

 private:
  struct Done {
    Key key;
    base::Instant at;
  };
  const base::Duration gap_;
  const std::size_t keys_max_;
  std::vector<Done> done_;
};

}  // namespace starling::gossip
