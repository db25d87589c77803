// tests/gossip/probing.h: a core in whose rounds only those probes take place that a test begins.
//
// Thread: confined to one thread.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "gossip/options.h"
#include "tests/gossip/hand.h"

namespace starling::gossip {

// At rest at 100 s.
inline Hand Probing(std::initializer_list<std::uint64_t> others) {
  Hand hand(kQuiet);
  hand.Knows(others);
  hand.RunTo(At(100000));  // The first round is at a random time; let it pass.
  hand.Forget();
  return hand;
}

}  // namespace starling::gossip
