// tests/gossip/table.h: a table of members alone, driven by hand.
//
// Thread: confined to one thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "gossip/membership.h"
#include "tests/gossip/hand.h"

namespace starling::gossip {

inline constexpr auto kGossip = Membership::Source::kGossip;
inline constexpr auto kSync = Membership::Source::kSync;
using Heard = Membership::Heard;

struct Table {
  explicit Table(GossipOptions chosen = {}) : options(chosen) {}

  Heard Hear(std::int64_t ms, const Claim& claim, Membership::Source source = kGossip) {
    return membership.Hear(At(ms), claim, source);
  }
  // This node and, if any, `others` found it silent.
  void Accuse(std::int64_t ms, std::uint64_t number,
              std::initializer_list<std::uint64_t> others = {}, std::uint64_t generation = 1) {
    Accusers accusers;
    accusers.Add(membership.AsAccuser(Host(1)));
    for (const std::uint64_t other : others) accusers.Add(membership.AsAccuser(Host(other)));
    membership.Accuse(At(ms), {Host(number), generation, accusers, "test"});
  }
  Liveness Of(std::uint64_t number) const { return membership.Find(Host(number))->liveness; }
  std::vector<Event::Kind> Events() {
    std::vector<Event::Kind> kinds;
    for (const Event& event : outputs.events) kinds.push_back(event.kind);
    outputs.Clear();
    return kinds;
  }
  // What would go out in a packet.
  std::vector<Claim> Waiting() {
    std::vector<Claim> claims;
    membership.OfferUpdates(At(0), [&](const Claim& claim) {
      claims.push_back(claim);
      return true;
    });
    return claims;
  }

  GossipOptions options;
  base::Random random{1};
  Outputs outputs;
  Counters counters;
  Membership membership{
      options,
      {.host = Host(1), .generation = 5, .address = AddressOf(1), .metadata = "m"},
      std::make_shared<Roster>(),
      random,
      outputs,
      counters};
};

using Kinds = std::vector<Event::Kind>;

}  // namespace starling::gossip
