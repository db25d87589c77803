// gossip/probes.cc: finding a probe, and its room.
#include "gossip/probes.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutants.h"

namespace starling::gossip {

Probe* Probes::Of(base::HostId host) const {
  const auto found = std::ranges::find(all_, host, &Probe::host);
  return found == all_.end() ? nullptr : *found;
}

Probe* Probes::ByNonce(std::uint64_t nonce) const {
  for (Probe* const probe : all_) {
    if (probe->nonce == nonce || base::Mutant("gossip-any-ack")) return probe;
  }
  return nullptr;
}

Probe& Probes::Add(Probe probe) {
  CHECK(!full());
  if (spare_.empty()) spare_.push_back(&room_.emplace_back());
  Probe* const added = all_.emplace_back(spare_.back());
  spare_.pop_back();
  *added = std::move(probe);
  return *added;
}

Probe Probes::End(const Probe* probe) {
  const auto found = std::ranges::find(all_, probe);
  CHECK(found != all_.end());
  Probe* const ended = spare_.emplace_back(*found);
  all_.erase(found);
  return std::move(*ended);
}

}  // namespace starling::gossip
