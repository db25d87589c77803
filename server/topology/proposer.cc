// server/topology/proposer.cc: the proposer's side of Paxos.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/topology/codec.h"
#include "server/topology/paxos.h"

namespace starling::topology {
namespace {

constexpr std::uint32_t kBackoffDoublingsMax = 4;

std::vector<base::HostId> SortedHosts(const std::vector<Voter>& voters) {
  std::vector<base::HostId> hosts;
  for (const Voter& voter : voters) hosts.push_back(voter.host);
  std::sort(hosts.begin(), hosts.end());
  return hosts;
}

}  // namespace

Proposer::Proposer(ProposerOptions options, base::Instant now)
    : options_(std::move(options)),
      voter_hosts_(SortedHosts(options_.voters)),
      deadline_(now + options_.deadline),
      random_(options_.random_seed) {
  CHECK(!voter_hosts_.empty());
  CHECK(voter_hosts_.size() <= kSeedsMax);
  CHECK(std::adjacent_find(voter_hosts_.begin(), voter_hosts_.end()) == voter_hosts_.end());
  CHECK(options_.epoch > 0);
  const base::Result<Topology> own = DecodeTopology(options_.value);
  CHECK(own.has_value());
  cluster_name_ = own->cluster_name;
  if (options_.epoch > 1) cluster_id_ = own->cluster_id;
  StartAttempt(now);
}

Proposer::Outputs Proposer::TakeOutputs() {
  outputs_.next_tick =
      phase_ == Phase::kDone ? base::Instant::Never() : std::min(phase_end_, deadline_);
  return std::exchange(outputs_, {});
}

void Proposer::OnTick(base::Instant now) {
  if (phase_ == Phase::kDone) return;
  if (now >= deadline_) return Fail();
  if (now < phase_end_) return;
  phase_ == Phase::kBackoff ? StartAttempt(now) : BackOff(now);
}

void Proposer::OnReply(base::Instant now, const PaxosReply& reply) {
  const Voter* voter = FindVoter(reply.from);
  if (phase_ == Phase::kDone || voter == nullptr) return;
  // Knowledge is welcome at any time; votes count in their own attempt only.
  if (reply.kind == PaxosReply::Kind::kKnown) return OnKnown(reply);
  if (reply.epoch != options_.epoch || reply.ballot != ballot_) return;
  answered_[reply.from] = attempts_;
  if (!IsInPlace(*voter, reply)) return;
  switch (reply.kind) {
    case PaxosReply::Kind::kPromise: return OnPromise(now, reply);
    case PaxosReply::Kind::kAccepted: return OnAccepted(reply);
    case PaxosReply::Kind::kRefused: return OnRefused(now, reply);
    case PaxosReply::Kind::kRejected: return OnRejected(reply);
    case PaxosReply::Kind::kBehind: return OnBehind(reply, *voter);
    case PaxosReply::Kind::kKnown: return;
  }
}

const Voter* Proposer::FindVoter(base::HostId host) const {
  const auto at = std::find_if(options_.voters.begin(), options_.voters.end(),
                               [&](const Voter& voter) { return voter.host == host; });
  return at == options_.voters.end() ? nullptr : &*at;
}

// Else a copy of the voter and the voter could each be half of a majority.
bool Proposer::IsInPlace(const Voter& voter, const PaxosReply& reply) {
  const bool in_place = reply.place == voter.noted || reply.left == voter.noted;
  if (voter.noted.port == 0 || in_place) return true;
  elsewhere_[voter.host] = reply.place;
  return false;
}

// What a voter of another cluster accepted or knows is nothing to us, whatever its epoch says.
bool Proposer::OfOurCluster(const Topology& topology) const {
  return topology.cluster_name == cluster_name_ &&
         (cluster_id_.empty() || topology.cluster_id == cluster_id_);
}

void Proposer::StartAttempt(base::Instant now) {
  ++attempts_;
  const std::uint64_t number = std::max(round_seen_, ballot_.round) >> 32;
  ballot_ = {.round = (number + 1) << 32 | random_.Below(1ULL << 32), .proposer = options_.self};
  value_ = options_.value;
  value_ballot_ = {};
  caught_up_.clear();
  phase_ = Phase::kPrepare;
  phase_end_ = now + options_.attempt_timeout;
  Broadcast();
}

// One message of the present phase. A lost one is not sent again: the next attempt has a ballot of
// its own, since a voter never promises the same one twice.
void Proposer::SendPhase(const Voter& to) {
  if (to.address.port == 0) return;
  const bool accept = phase_ == Phase::kAccept;
  outputs_.messages.push_back(
      {.to = to,
       .request = {.kind = accept ? PaxosRequest::Kind::kAccept : PaxosRequest::Kind::kPrepare,
                   .epoch = options_.epoch,
                   .ballot = ballot_,
                   .voters = voter_hosts_,
                   .value = accept ? value_ : std::string()}});
}

void Proposer::Broadcast() {
  agreed_.clear();
  refused_.clear();
  for (const Voter& voter : options_.voters) SendPhase(voter);
}

// The rule that makes Paxos safe: whatever a majority may have accepted is proposed again, instead
// of the own value.
void Proposer::OnPromise(base::Instant now, const PaxosReply& reply) {
  if (phase_ != Phase::kPrepare) return;
  if (reply.accepted > value_ballot_) {
    const base::Result<Topology> accepted = DecodeTopology(reply.value);
    if (!accepted.has_value() || !OfOurCluster(*accepted))
      return;  // A sick voter's promise counts for none.
    value_ballot_ = reply.accepted;
    value_ = reply.value;
  }
  agreed_.insert(reply.from);
  if (agreed_.size() < majority()) return;
  phase_ = Phase::kAccept;
  phase_end_ = now + options_.attempt_timeout;
  own_value_sent_ |= value_ == options_.value;
  Broadcast();
}

void Proposer::OnAccepted(const PaxosReply& reply) {
  if (phase_ != Phase::kAccept) return;
  agreed_.insert(reply.from);
  if (agreed_.size() >= majority()) Choose(value_);
}

void Proposer::OnRefused(base::Instant now, const PaxosReply& reply) {
  round_seen_ = std::max(round_seen_, reply.promised.round);
  // Our own prepare, doubled on the way: the promise was given, and counts or was lost.
  if (reply.promised == ballot_ || phase_ == Phase::kBackoff) return;
  if (agreed_.contains(reply.from)) return;  // An agreement that was given stays given.
  refused_.insert(reply.from);
  if (refused_.size() + majority() > options_.voters.size()) BackOff(now);
}

void Proposer::OnRejected(const PaxosReply& reply) {
  rejected_[reply.from] = reply.reason;
  if (rejected_.size() + majority() > options_.voters.size()) Fail();
}

void Proposer::OnBehind(const PaxosReply& reply, const Voter& voter) {
  if (reply.known_epoch + 1 >= options_.epoch || options_.predecessor.empty()) return;
  if (phase_ == Phase::kBackoff || !caught_up_.insert(reply.from).second) return;
  outputs_.messages.push_back({.to = voter,
                               .request = {.kind = PaxosRequest::Kind::kLearn,
                                           .epoch = options_.epoch - 1,
                                           .ballot = {},
                                           .voters = {},
                                           .value = options_.predecessor}});
  SendPhase(voter);
}

void Proposer::OnKnown(const PaxosReply& reply) {
  if (reply.known_epoch < options_.epoch || reply.value.empty()) return;
  const base::Result<Topology> topology = DecodeTopology(reply.value);
  if (topology.has_value() && topology->epoch == reply.known_epoch && OfOurCluster(*topology))
    Choose(reply.value);
}

void Proposer::BackOff(base::Instant now) {
  const std::uint32_t doublings = std::min(attempts_ - 1, kBackoffDoublingsMax);
  const std::int64_t mean = options_.backoff.count() << doublings;
  phase_ = Phase::kBackoff;
  phase_end_ = now + base::Duration(random_.Between(mean / 2, mean + mean / 2));
}

void Proposer::Choose(std::string value) {
  base::Result<Topology> topology = DecodeTopology(value);
  // It is our own, or OnPromise or OnKnown decoded it.
  CHECK(topology.has_value());
  outputs_.messages.clear();
  for (const Voter& voter : options_.voters)
    if (voter.address.port != 0)
      outputs_.messages.push_back({.to = voter,
                                   .request = {.kind = PaxosRequest::Kind::kLearn,
                                               .epoch = topology->epoch,
                                               .ballot = {},
                                               .voters = {},
                                               .value = value}});
  const bool mine = value == options_.value;
  outcome_ = {.status = base::Ok(),
              .chosen = std::move(value),
              .topology = std::make_shared<const Topology>(*std::move(topology)),
              .mine = mine};
  phase_ = Phase::kDone;
}

void Proposer::Fail() {
  std::string why = fmt::format("epoch {} needs {} of {} voters", options_.epoch, majority(),
                                options_.voters.size());
  const std::string silent = Silent();
  if (!silent.empty()) why += "; no answer from " + silent;
  for (const auto& [host, reason] : rejected_) why += "; " + reason;
  for (const auto& [host, place] : elsewhere_)
    why += fmt::format(
        "; host {} votes from {}, which no epoch has noted, and may still run where it was",
        host.ToString(), place.ToString());
  if (silent.empty() && rejected_.empty() && elsewhere_.empty())
    why += "; all answered, but other proposals kept getting in the way";
  const bool rejected = rejected_.size() + majority() > options_.voters.size();
  base::Status status =
      rejected          ? base::FailedPrecondition(why + ". Nothing was changed")
      : own_value_sent_ ? base::Timeout(why + ". The outcome is unknown: it may take effect yet")
                        : base::Unavailable(why + ". Nothing was changed");
  outcome_ = {.status = std::move(status), .chosen = {}, .topology = nullptr, .mine = false};
  outputs_.messages.clear();
  phase_ = Phase::kDone;
}

std::string Proposer::Silent() const {
  std::string names;
  for (const Voter& voter : options_.voters) {
    // The present attempt may have only just begun, so the one before counts too.
    const auto answered = answered_.find(voter.host);
    if (answered != answered_.end() && answered->second + 1 >= attempts_) continue;
    if (rejected_.contains(voter.host)) continue;
    const std::string at =
        voter.address.port == 0 ? "an unknown address" : voter.address.ToString();
    names += fmt::format("{}{} (host {})", names.empty() ? "" : ", ", at, voter.host.ToString());
  }
  return names;
}

}  // namespace starling::topology
