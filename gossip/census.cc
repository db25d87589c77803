#include "gossip/census.h"

#include "base/check.h"

namespace starling::gossip {

void Census::Add(Slot slot, const Row& row) {
  if (!IsGone(row.liveness)) ++present_;
  if (row.liveness == Liveness::kDead) dead_.push_back(slot);
  met_any_ = met_any_ || row.met;
  if (row.liveness != Liveness::kAlive) return;
  ++alive_;
  if (!row.met) return;
  ++met_;
  ++domains_[row.domain];
}

void Census::Remove(Slot slot, const Row& row) {
  if (!IsGone(row.liveness)) --present_;
  if (row.liveness == Liveness::kDead) std::erase(dead_, slot);
  if (row.liveness != Liveness::kAlive) return;
  --alive_;
  if (!row.met) return;
  --met_;
  const auto domain = domains_.find(row.domain);
  CHECK(domain != domains_.end());
  if (--domain->second == 0) domains_.erase(domain);
}

Witnesses Census::witnesses() const { return {(met_any_ ? met_ : alive_) + 1, domains_.size()}; }

}  // namespace starling::gossip
