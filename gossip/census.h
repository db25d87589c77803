// gossip/census.h: how many members are in which state, and who of them could accuse another.
//
// Counted as rows change, since a table of thousands is asked with each claim. Whose word a verdict
// waits for is a member that is alive *and was met*: it answered this node itself. Who is only
// spoken of does not count, be it a forger's or long gone: the verdict would wait for ever.
//
// Where nothing is taken without a seal, somebody with the key spoke of each member, and no forger
// keeps one alive: then all that are alive count. Else a node that was just restarted, and has met
// a few of its own failure domain, would take the word of that one for a verdict.
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

  explicit Census(std::uint32_t own_domain) : alive_(own_domain), met_(own_domain) {}

  void Add(Slot slot, const Row& row);
  // REQUIRES: it was added like this.
  void Remove(Slot slot, const Row& row);
  void SetVouchedFor(bool vouched_for) { vouched_for_ = vouched_for; }

  std::size_t present() const { return present_; }         // Not gone.
  const std::vector<Slot>& dead() const { return dead_; }  // In no order.
  // This node among them. Before anybody was met all that are alive count: a node that nobody has
  // answered yet is no witness alone, since it may be itself that is cut off.
  Witnesses witnesses() const;

 private:
  // Hosts, and in which domains. This node is one of each group.
  class Group {
   public:
    explicit Group(std::uint32_t own_domain) { Add(own_domain); }

    void Add(std::uint32_t domain);
    void Remove(std::uint32_t domain);

    std::size_t hosts() const { return hosts_; }
    std::size_t domains() const { return by_domain_.size(); }

   private:
    std::size_t hosts_ = 0;
    std::map<std::uint32_t, std::size_t> by_domain_;
  };

  std::size_t present_ = 0;
  std::vector<Slot> dead_;  // So that one can be drawn without looking for it.
  Group alive_, met_;       // Of the alive, those met.
  bool met_any_ = false;
  bool vouched_for_ = false;
};

}  // namespace starling::gossip
