// gossip/contacts.cc: who is called, and when.
#include "gossip/contacts.h"

#include "base/mutants.h"

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
  seeds_.clear();
  for (const base::Address seed : seeds) {
    if (seed != membership_.self().address) seeds_.push_back({seed, std::nullopt});
  }
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
  for (std::size_t tried = 0; tried < seeds_.size() && count > 0; ++tried) {
    Seed& seed = seeds_[next_seed_++ % seeds_.size()];
    if (IsMember(seed)) continue;
    exchange_.SyncWith(seed.address, std::nullopt);
    --count;
  }
}

bool Contacts::IsMember(Seed& seed) {
  if (seed.host) {
    const std::optional<Member> member = membership_.Find(*seed.host);
    if (member && !IsGone(member->liveness) && member->address == seed.address) return true;
  }
  seed.host = membership_.PresentAt(seed.address);
  return seed.host.has_value();
}

void Contacts::CallOneOfTheDead(base::Instant now) {
  if (base::Mutant("gossip-dead-uncalled")) return;
  if (const std::optional<Member> dead = membership_.DrawDead()) prober_.Greet(now, *dead);
}

base::Instant Contacts::next_tick() const {
  return membership_.left() ? base::Instant::Never() : next_call_;
}

}  // namespace starling::gossip
