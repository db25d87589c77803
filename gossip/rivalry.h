// gossip/rivalry.h: which of two nodes with one identity gives way.
//
// Two hosts from one copied data directory outbid each other for as long as both run, and all
// others hear two addresses of one member in turn. They never hear each other (each drops packets
// under its own identity), so each decides by what others pass on. Whoever was answered
// kRefutationsMax times within kWindow gives way if the other one is at home, where their cluster
// has noted them; if neither is, or nobody knows, the one with the lower address does. (The boot
// time is no judge: it is not known of the other, since it travels in no claim.)
// The words of this node's own lost future (a restored disk) are outbid once, and not answered.
//
// Thread: a value.
#pragma once

#include <array>
#include <cstddef>

#include "base/address.h"
#include "base/mutants.h"
#include "base/time.h"

namespace starling::gossip {

class Rivalry {
 public:
  static constexpr std::size_t kRefutationsMax = 3;
  static constexpr base::Duration kWindow = base::seconds(10);

  void SetHome(base::Address home) { home_ = home; }

  // Another node at `theirs` outbid our last words. True: this node is to give way.
  bool Outbid(base::Instant now, base::Address ours, base::Address theirs) {
    base::Instant& oldest = times_[count_++ % kRefutationsMax];
    oldest = now;
    if (count_ < kRefutationsMax) return false;
    const base::Instant first = times_[count_ % kRefutationsMax];
    return (base::Mutant("gossip-both-yield") || Loses(ours, theirs)) && now - first < kWindow;
  }

 private:
  bool Loses(base::Address ours, base::Address theirs) const {
    return ours != home_ && (theirs == home_ || ours < theirs);
  }

  base::Address home_;                                  // Port 0: nobody knows.
  std::array<base::Instant, kRefutationsMax> times_{};  // Of the last ones, in a ring.
  std::size_t count_ = 0;
};

}  // namespace starling::gossip
