// gossip/contacts.h: calls those that are not members now: seeds, and the dead.
//
// Alone, a node asks all its seeds every join_interval, for ever. Among others it calls one dead
// member and one seed that is no member every dead_contact_interval. So a partition of any
// length heals by itself once packets pass again, and so does a cluster that was split at birth.
//
// Thread: confined to one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/exchange.h"
#include "gossip/membership.h"
#include "gossip/options.h"
#include "gossip/prober.h"

namespace starling::gossip {

class Contacts {
 public:
  // The references outlive this.
  Contacts(const GossipOptions& options, Membership& membership, Prober& prober, Exchange& exchange,
           base::Random& random, base::Instant now);
  Contacts(const Contacts&) = delete;
  Contacts& operator=(const Contacts&) = delete;

  // Replaces the seeds and calls them at once. This node's own address among them is skipped.
  void Join(base::Instant now, std::span<const base::Address> seeds);

  void OnTick(base::Instant now);
  base::Instant next_tick() const;

 private:
  struct Seed {
    base::Address address;
    std::optional<base::HostId> host;  // Who was there when last looked for.
  };

  bool IsMember(Seed& seed);
  void CallSeeds(std::size_t count);
  void CallOneOfTheDead(base::Instant now);

  const GossipOptions& options_;
  Membership& membership_;
  Prober& prober_;
  Exchange& exchange_;
  base::Random& random_;

  std::vector<Seed> seeds_;
  std::size_t next_seed_ = 0;
  base::Instant next_call_;
};

}  // namespace starling::gossip
