// server/repair_found.cc: what comparisons have found: with whom a keyspace is equal, and whether a
// node that is catching up has done so.
#include <algorithm>
#include <utility>

#include "base/mutants.h"
#include "server/repair.h"

namespace starling::server {

Repair::Standing Repair::StandingWith(std::size_t index, base::KeyspaceId keyspace) const {
  Standing standing;
  const auto peer = peers_.find(snapshot_->node(index).number);
  if (peer == peers_.end()) return standing;
  standing.problem = peer->second.problem;
  const auto marks = peer->second.marks.find(keyspace);
  if (marks == peer->second.marks.end()) return standing;
  const auto from = peer->second.proves_from.find(keyspace);
  base::Instant oldest = base::Instant::Never();
  base::Instant until = base::Instant::Never();
  standing.equal_ms = INT64_MAX;
  for (const Mark& mark : marks->second) {
    oldest = std::min(oldest, mark.at);
    until = std::min(until, mark.until);
    standing.equal_ms = std::min(standing.equal_ms, mark.cut_ms);
  }
  // What it was equal in before it came up proves nothing: it may have missed writes since.
  standing.equal = (from == peer->second.proves_from.end() || oldest >= from->second) &&
                   oldest >= base::Instant{} && until >= peer->second.up_since &&
                   snapshot_->peers[index].up;
  return standing;
}

// A worker knows of its own slices alone.
void Repair::NoteDiffering(const RangeDifference& found) {
  const auto [sum, first] =
      session_->differing.try_emplace({found.keyspace, found.first_bucket}, found);
  if (first) return;
  sum->second.buckets += found.buckets;
  sum->second.entries_here += found.entries_here;
}

std::vector<Repair::Difference> Repair::DifferingIn(const Session& session) {
  if (session.differing.empty()) return {};
  Difference difference{session.peer, {}};
  for (const auto& [range, found] : session.differing) difference.ranges.push_back(found);
  return {std::move(difference)};
}

bool Repair::CaughtUpSince(base::Instant since) const {
  const topology::Ring& ring = *snapshot_->ring;
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces)
    for (const topology::Range& range : ring.ranges(keyspace.id))
      if (!CaughtUpOn(keyspace.id, range, since)) return false;
  return true;
}

bool Repair::CaughtUpOn(base::KeyspaceId keyspace, const topology::Range& range,
                        base::Instant since) const {
  const auto& replicas = range.replicas;
  if (std::find(replicas.begin(), replicas.end(), snapshot_->self) == replicas.end()) return true;
  const auto others = static_cast<std::ptrdiff_t>(replicas.size()) - 1;
  const auto equal = std::count_if(replicas.begin(), replicas.end(), [&](std::uint16_t replica) {
    return replica != snapshot_->self && ContainedSince(replica, keyspace, range, since);
  });
  if (others == 0) return true;
  // What is everywhere was acknowledged by one node: no majority knows more of it than any other.
  return equal >= (snapshot_->ring->everywhere(keyspace) ? 1 : others / 2 + 1);
}

bool Repair::ContainedSince(std::size_t replica, base::KeyspaceId keyspace,
                            const topology::Range& range, base::Instant since) const {
  const auto found = peers_.find(snapshot_->node(replica).number);
  if (found == peers_.end()) return false;
  const auto later = [&](const std::map<base::KeyspaceId, Marks>& marks, std::uint8_t slice) {
    const auto it = marks.find(keyspace);
    return it != marks.end() && it->second[slice].until > since;
  };
  // A range of 256 buckets or more is in every slice.
  const std::uint32_t buckets = range.last_bucket - range.first_bucket + 1u;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(buckets, base::kSlices); ++i) {
    const std::uint8_t slice = base::SliceOf(static_cast<std::uint16_t>(range.first_bucket + i));
    if (!later(found->second.marks, slice) && !later(found->second.contained, slice)) return false;
  }
  return true;
}

// That what is found is as of the session's cut.
Repair::Mark Repair::MarkOfLook() const {
  // By any of the clocks that stamp, which may be behind ours.
  const base::Duration age = merkle::kCutAgeMs * base::milliseconds(1) - UntilNewest(session_->cut);
  return {session_->gathered_at, session_->gathered_at - age - base::milliseconds(merkle::kSkewMs),
          merkle::EndOf(session_->cut)};
}

void Repair::MarkEqual(base::KeyspaceId keyspace, std::uint8_t slice, bool proven) {
  const auto peer = peers_.find(session_->peer);
  if (peer == peers_.end() || !proven) return;  // It shares nothing with us any more.
  peer->second.marks[keyspace][slice] = MarkOfLook();
}

// What differs yet though a whole pull of it brought nothing, the peer lacks. A node that is
// catching up cannot wait for it to take that, since it may have closed what is so old.
void Repair::MarkContained(const Slices& differing) {
  const auto peer = peers_.find(session_->peer);
  if (peer == peers_.end() || !session_->asked_proven) return;
  if (base::Mutant("catching-up-for-ever")) return;
  for (const auto& [keyspace, slice] : differing)
    if (std::ranges::find(session_->settled, std::pair{keyspace, slice}) != session_->settled.end())
      peer->second.contained[keyspace][slice] = session_->asked_as_of;
}

}  // namespace starling::server
