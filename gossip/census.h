// gossip/census.h: how many members are in which state, and who of them could accuse another.
//
// Counted as rows change, since a table of thousands is asked with each claim. Whose word a verdict
// waits for is a member that is alive *and was met*: it answered this node itself. Who is only
// spoken of does not count, be it a forger's or long gone: the verdict would wait for ever.
//
// Thread:    confined to one thread.
// Read next: gossip/membership.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "gossip/member.h"
#include "gossip/roster.h"
#include "gossip/suspicion.h"

namespace starling::gossip {

class Census {
 public:
  // What of a member's row counts.
  struct Row {
    Liveness liveness = Liveness::kAlive;
    std::uint32_t domain = 0;
    bool met = false;
  };

  explicit Census(std::uint32_t own_domain) { ++domains_[own_domain]; }

  void Add(Slot slot, const Row& row);
  // REQUIRES: it was added like this.
  void Remove(Slot slot, const Row& row);

  std::size_t present() const { return present_; }         // Not gone.
  const std::vector<Slot>& dead() const { return dead_; }  // In no order.
  // This node among them. Before anybody was met all that are alive count: a node that nobody has
  // answered yet is no witness alone, since it may be itself that is cut off.
  Witnesses witnesses() const;

 private:
  std::size_t present_ = 0;
  std::vector<Slot> dead_;  // So that one can be drawn without looking for it.
  std::size_t alive_ = 0;   // Met or not.
  std::size_t met_ = 0;     // Of the alive.
  bool met_any_ = false;
  std::map<std::uint32_t, std::size_t>
      domains_;  // How many of the met, and this node, are in each.
};

}  // namespace starling::gossip
