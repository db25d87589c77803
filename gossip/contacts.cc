// gossip/contacts.cc: who is called, and when.
#include "gossip/contacts.h"

#include <algorithm>
#include <set>

namespace starling::gossip {
namespace {

constexpr std::size_t kSeedsAtOnceMax = 8;  // The next ones have their turn at the next call.

}  // namespace

Contacts::Contacts(const GossipOptions& options, Membership& membership, Prober& prober,
                   Exchange& exchange, base::Random& random, base::Instant now)
    : options_(options),
      membership_(membership),
      prober_(prober),
      exchange_(exchange),
      random_(random),
      next_call_(now + base::Duration(random.Between(0, options.dead_contact_interval.count()))) {}

void Contacts::Join(base::Instant now, std::span<const base::Address> seeds) {
  seeds_.assign(seeds.begin(), seeds.end());
  std::erase(seeds_, membership_.self().address);
  random_.Shuffle(seeds_);  // So that not all nodes of a cluster call the same one first.
  next_seed_ = 0;
  CallSeeds(kSeedsAtOnceMax);
  next_call_ = now + options_.join_interval;
}

void Contacts::OnTick(base::Instant now) {
  if (now < next_call_ || membership_.left()) return;
  const bool alone = membership_.present() == 0;
  CallSeeds(alone ? kSeedsAtOnceMax : 1);
  CallOneOfTheDead(now);
  next_call_ = now + (alone ? options_.join_interval : options_.dead_contact_interval);
}

// The next `count` seeds at whose address no member is.
void Contacts::CallSeeds(std::size_t count) {
  if (seeds_.empty()) return;
  std::set<base::Address> present;
  for (const auto& [host, member] : membership_.members()) {
    if (!IsGone(member.liveness)) present.insert(member.address);
  }
  for (std::size_t tried = 0; tried < seeds_.size() && count > 0; ++tried) {
    const base::Address seed = seeds_[next_seed_++ % seeds_.size()];
    if (present.contains(seed)) continue;
    exchange_.SyncWith(seed, std::nullopt);
    --count;
  }
}

void Contacts::CallOneOfTheDead(base::Instant now) {
  const MemberInfo* drawn = nullptr;
  std::uint64_t seen = 0;
  for (const auto& [host, member] : membership_.members()) {
    if (member.liveness == Liveness::kDead && random_.Below(++seen) == 0) drawn = &member;
  }
  if (drawn != nullptr) prober_.Greet(now, *drawn);
}

base::Instant Contacts::next_tick() const {
  return membership_.left() ? base::Instant::Never() : next_call_;
}

}  // namespace starling::gossip
