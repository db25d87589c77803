// gossip/hot_rumor.h: when a node stops telling a rumor: Demers' feedback and counter.
//
// A contact that already knew it counts; one that did not starts the count again; at k the node
// has lost interest. Starting again is what the tables of CSL-89-1 need to come out (without it
// the residue at k=2 is 4.7 % instead of 3.7 %).
// Shared by gossip/rumors.h and gossip-sim, so that what is simulated is what runs.
//
// Thread: a value.
#pragma once

#include <cstdint>

namespace starling::gossip {

class HotRumor {
 public:
  enum class Contact : std::uint8_t { kUseful, kUnnecessary };

  // REQUIRES: counter_k > 0.
  explicit HotRumor(std::uint32_t counter_k) : left_(counter_k), counter_k_(counter_k) {}

  void Had(Contact contact) {
    if (contact == Contact::kUseful)
      left_ = counter_k_;
    else if (left_ > 0)
      --left_;
  }

  bool hot() const { return left_ > 0; }

 private:
  std::uint32_t left_;
  std::uint32_t counter_k_;
};

}  // namespace starling::gossip
