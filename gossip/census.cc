#include "gossip/census.h"

#include "base/check.h"

namespace starling::gossip {

void Census::Group::Add(std::uint32_t domain) {
  ++hosts_;
  ++by_domain_[domain];
}

void Census::Group::Remove(std::uint32_t domain) {
  const auto found = by_domain_.find(domain);
  CHECK(found != by_domain_.end());
  --hosts_;
  if (--found->second == 0) by_domain_.erase(found);
}

void Census::Add(Slot slot, const Row& row) {
  if (!IsGone(row.liveness)) ++present_;
  if (row.liveness == Liveness::kDead) dead_.push_back(slot);
  met_any_ = met_any_ || row.met;
  if (row.liveness != Liveness::kAlive) return;
  alive_.Add(row.domain);
  if (row.met) met_.Add(row.domain);
}

void Census::Remove(Slot slot, const Row& row) {
  if (!IsGone(row.liveness)) --present_;
  if (row.liveness == Liveness::kDead) std::erase(dead_, slot);
  if (row.liveness != Liveness::kAlive) return;
  alive_.Remove(row.domain);
  if (row.met) met_.Remove(row.domain);
}

Witnesses Census::witnesses() const {
  if (vouched_for_) return {alive_.hosts(), alive_.domains()};
  return {met_any_ ? met_.hosts() : alive_.hosts(), met_.domains()};
}

}  // namespace starling::gossip
