// gossip/goodbye.cc: telling, and counting who heard.
#include "gossip/goodbye.h"

#include <algorithm>

#include "base/mutants.h"

namespace starling::gossip {

void Goodbye::Start(base::Instant now) {
  nonce_ = random_.Next() | 1;
  deadline_ = now + kDeadline;
  if (base::Mutant("gossip-no-goodbye")) {
    deadline_ = now;
    return Tell(now, 1);
  }
  Tell(now, std::max(kTellMin, RetransmitLimit(membership_.present() + 1)));
}

void Goodbye::Tell(base::Instant now, std::size_t count) {
  next_round_ = now + options_.gossip_interval;
  const Claim claim = ClaimOf(ViewOf(membership_.self()), now);
  for (std::size_t told = 0; told < std::min(count, membership_.present()); ++told) {
    const std::optional<Member> member = membership_.NextToTell();
    if (!member) return;
    courier_.SendAsItIs(member->address, Farewell{nonce_}, {&claim, 1}, {});
  }
}

bool Goodbye::OnAck(const Header& header, const Ack& ack) {
  if (nonce_ == 0 || ack.nonce != nonce_) return false;
  const bool again = std::ranges::find(heard_by_, header.from) != heard_by_.end();
  if (!again && heard_by_.size() < kAcksMin) heard_by_.push_back(header.from);
  return true;
}

bool Goodbye::said(base::Instant now) const {
  return nonce_ != 0 &&
         (now >= deadline_ || heard_by_.size() >= std::min(kAcksMin, membership_.present()));
}

void Goodbye::OnTick(base::Instant now) {
  if (nonce_ != 0 && now >= next_round_ && !said(now)) Tell(now, options_.gossip_fanout);
}

base::Instant Goodbye::next_tick() const {
  return nonce_ == 0 || said(next_round_) ? base::Instant::Never() : next_round_;
}

}  // namespace starling::gossip
