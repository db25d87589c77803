#include "server/quorum.h"

#include <fmt/core.h>

#include "base/check.h"
#include "base/mutants.h"

namespace starling::server {

Requirement RequirementOf(wire::Consistency level, ReplicaMask all, ReplicaMask local) {
  Requirement requirement;
  requirement.counted = level == wire::Consistency::kLocalQuorum ? local : all;
  const int replicas = CountOf(requirement.counted);
  requirement.majority = replicas / 2 + 1;
  switch (level) {
    case wire::Consistency::kOne: requirement.needed = 1; break;
    case wire::Consistency::kTwo: requirement.needed = 2; break;
    case wire::Consistency::kQuorum:
    case wire::Consistency::kLocalQuorum: requirement.needed = requirement.majority; break;
    case wire::Consistency::kAll: requirement.needed = replicas; break;
  }
  requirement.confirm = requirement.needed >= requirement.majority;
  return requirement;
}

WriteTally::Verdict WriteTally::Decide(bool may_stamp_again) const {
  const int ok = CountOf(ok_ & requirement_.counted);
  const int superseded = CountOf((never_held_ | unknown_) & ~ok_ & requirement_.counted);
  // After a majority of ok the stamp is effective, and for the levels above `superseded` is as
  // good: the replica holds something later. Below QUORUM only ok counts.
  const bool effective = ok >= requirement_.majority;
  if (ok >= requirement_.needed || (effective && ok + superseded >= requirement_.needed))
    return Verdict::kAcknowledge;
  if (base::Mutant("drop-restamp") && ok + superseded >= requirement_.needed)
    return Verdict::kAcknowledge;

  // N - QUORUM + 1 replicas that never held it and hold something higher: no majority can ever
  // have held it (models/restamp: C2, and the remark on even N). For a local quorum the same must
  // hold among the local ones.
  const auto never_effective = [&](ReplicaMask replicas) {
    const int n = CountOf(replicas);
    return CountOf(never_held_ & ~ok_ & replicas) >= n - (n / 2 + 1) + 1;
  };
  if (may_stamp_again && never_effective(all_) && never_effective(requirement_.counted))
    return Verdict::kStampAgain;

  const ReplicaMask open = all_ & ~(ok_ | never_held_ | unknown_ | failed_);
  return open == 0 ? Verdict::kGiveUp : Verdict::kWait;
}

std::string WriteTally::WhyGivenUp() const {
  const int later = CountOf((never_held_ | unknown_) & ~ok_);
  const int failed = CountOf(failed_ & ~(ok_ | never_held_ | unknown_));
  if (failed == 0) return fmt::format("{} hold a later version", later);
  if (later == 0) return fmt::format("{} are down, refused it, or did not answer", failed);
  return fmt::format("{} hold a later version, and {} are down, refused it, or did not answer",
                     later, failed);
}

void ReadTally::OnHolds(int replica, const base::Version& version) {
  const ReplicaMask bit = ReplicaMask{1} << replica;
  answered_ |= bit;
  if (version > target_) {
    target_ = version;
    ok_ = bit;
  } else if (version == target_) {
    ok_ |= bit;
  }
}

void ReadTally::OnRepaired(int replica, const base::Version& version) {
  if (version == target_) ok_ |= ReplicaMask{1} << replica;
}

bool ReadTally::sure() const {
  if (!enough_answers()) return false;
  if (!requirement_.confirm) return true;
  return CountOf(ok_ & requirement_.counted) >= requirement_.majority;
}

}  // namespace starling::server
