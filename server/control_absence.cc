// server/control_absence.cc: what others remember of this node, and its way back after a loss.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "base/mutants.h"
#include "server/control.h"
#include "server/control_jobs.h"
#include "storage/identity.h"

namespace starling::server {
namespace {

// Who is up says what it remembers within milliseconds, and who is down refuses at once.
constexpr base::Duration kRememberMax = base::seconds(2);
constexpr base::Duration kSeatingGap = base::seconds(5);

}  // namespace

// Until each has said so, or cannot, this node serves no read. A member that is down now tells it
// later, in whichever hello comes first.
void Control::AskWhatOthersRemember() {
  for (const topology::Node* member : snapshot_->topology->members())
    if (member->host != shared_.identity.host) may_remember_[member->host] = {member->cluster};
  remember_by_ = world_.Now() + kRememberMax;
}

// It has said what it does, or never can.
void Control::HasRemembered(base::HostId host) {
  if (may_remember_.erase(host) == 0 || !may_remember_.empty()) return;
  RefreshMetadata();
  Publish();
}

void Control::NobodyAnswersAt(base::Address address) {
  for (auto& [host, asked] : may_remember_)
    if (asked.at == address) asked.in_vain = true;
}

// Who is not where it was asked may have moved since this node's topology was chosen, and be up. So
// its silence says nothing until somebody was heard who would know, or nobody was in time.
void Control::LookWhoRemembers() {
  if (may_remember_.empty()) return;
  if (world_.Now() >= remember_by_) {
    may_remember_.erase(may_remember_.begin(), std::prev(may_remember_.end()));
    return HasRemembered(may_remember_.begin()->first);
  }
  std::vector<base::HostId> silent;
  for (auto& [host, asked] : may_remember_) {
    const topology::Node* member = snapshot_->topology->Find(host);
    const base::Address at = member == nullptr ? asked.at : WhereIs(*member);
    if (at != asked.at) {
      asked = {at};
      SendControl({at, {}}, {kTagTopology, 0, PackAddress(at), 0}, wire::ControlTopic::kTopology,
                  {});
    } else if (member == nullptr || (asked.in_vain && !heard_.empty())) {
      silent.push_back(host);
    }
  }
  for (const base::HostId& host : silent) HasRemembered(host);
}

void Control::OnRemembered(const PeerAddress& peer, const wire::HelloReply& reply) {
  const Mark mark{reply.remembered_boot, reply.remembered_mark};
  const std::string loss = LossAgainst(mark, shared_.identity.boot, shared_.identity.recovered,
                                       shared_.guard.mark(), snapshot_->me().back);
  // One that is known already is told again, unless it shows that the boot number was used before.
  if (!loss.empty() && (!loss_.any() || mark.boot >= shared_.identity.boot) &&
      !base::Mutant("absence-memory-ignored"))
    return FoundLoss(mark, fmt::format("{}: {}", peer.address.ToString(), loss));
  HasRemembered(reply.host);
}

void Control::FoundLoss(const Mark& remembered, const std::string& reason) {
  BeginAgain(remembered.boot, reason, "data are lost");
}

// What it has is to be taken for what is left after a loss: what the others have deleted meanwhile
// may be among it, and purge's marks of before say nothing any more.
void Control::FoundAbsent() {
  BeginAgain(0,
             fmt::format("epoch {} declared this node absent, as it was away for too long",
                         snapshot_->me().absent),
             "this node was absent");
}

// What the next start has to count from. Where others hold of a later life of this node than its
// directory knows, as when an older one was put back, gossip outbids them with a number that this
// boot never had. A start below it would outbid again, and what it writes would seem to be of a
// life that is over (server/orphans.h).
std::uint64_t Control::BootToKeep() const {
  const std::uint64_t boot = shared_.identity.boot;
  if (gossip_ == nullptr) return boot;
  const std::uint64_t spoken = gossip_->self().generation;
  // Without keys anybody can forge a claim: it must not use up the numbers.
  constexpr std::uint64_t kAheadMax = 1 << 20;
  return spoken > boot && spoken - boot <= kAheadMax ? spoken : boot;
}

// The boot number is in every packet and cannot change in a life: the node begins another.
void Control::BeginAgain(std::uint64_t boot, const std::string& reason, std::string_view what) {
  if (found_loss_ || retired_) return;
  found_loss_ = true;
  ready_ = false;
  Publish();
  const std::uint64_t last = std::max(boot, BootToKeep());
  auto batch = std::make_unique<storage::Batch>();
  SaveLoss(*batch, {last + 1, reason});
  storage::SaveBoot(*batch, last);
  Persist(std::move(batch), [this, reason, what = std::string(what)] {
    if (retired_) return;
    shared_.begins_again = true;
    world_.Exit(base::Unavailable(
        fmt::format("{} ({}): starting again, to catch up with the others", what, reason)));
  });
}

// What an acceptor promised may be lost with the rest, and that was of epochs up to the one that
// names it back. It learns that one as others chose it, and votes on those that follow.
bool Control::MayVote(const topology::PaxosRequest& request) {
  // While it may be a copy of a node that runs, it is nobody.
  if (moving_.looks_at_start()) return false;
  if (request.kind == topology::PaxosRequest::Kind::kLearn) return true;
  return moving_.MayVote(world_.Now()) && IsBack() && may_remember_.empty();
}

bool Control::IsBack() const {
  if (snapshot_ != nullptr && snapshot_->me().absent != 0) return false;
  if (!loss_.any()) return true;
  return snapshot_ != nullptr && snapshot_->me().back >= loss_.boot;
}

void Control::ReturnAfterLoss() {
  if (IsBack() || joining_ || found_loss_) return;
  if (!loss_.any() && !base::Mutant("absent-not-stale")) return;  // It is about to begin again.
  StartJoining({}, *snapshot_->topology);
}

// Who has been away for purge.max_outage is declared absent, so that the others' deleted data can
// go (design section 8). By the first member that is there alone.
void Control::DeclareAbsent() {
  const base::Instant now = world_.Now();
  for (const topology::Node* member : snapshot_->topology->members())
    if (SeemsAlive(*member))
      away_since_.erase(member->host);
    else
      away_since_.try_emplace(member->host, now);
  const base::Duration outage_max = shared_.config.purge.outage_max;
  if (outage_max == base::Duration(0) || !shared_.config.purge.enabled) return;
  if (now < next_declaring_) return;
  const topology::Node* away = nullptr;
  const topology::Node* first = nullptr;
  for (const topology::Node* member : snapshot_->topology->members()) {
    const auto since = away_since_.find(member->host);
    if (since == away_since_.end())
      first = first == nullptr ? member : first;
    else if (now - since->second >= outage_max)
      away = member;
  }
  if (away == nullptr || first->host != shared_.identity.host) return;
  if (!MayDeclareAbsent(away->host).ok()) return;
  next_declaring_ = now + kSeatingGap;
  base::log::Warn("topology",
                  "{} has been away for {} s, purge.max_outage: it is declared absent, and purge "
                  "goes on without it",
                  away->cluster.ToString(), base::ToMs(outage_max) / 1000);
  ProposeAbsence(away->host, [](const base::Status& status, const topology::TopologyPtr&) {
    if (!status.ok())
      base::log::Info("topology", "no member was declared absent: {}", status.message());
  });
}

// Only while all others are there, ready and in one epoch: so whoever was declared before has come
// back, and a round can end without this one.
base::Status Control::MayDeclareAbsent(const base::HostId& host) const {
  if (!serves()) return base::Unavailable("this node has not caught up: ask another one");
  if (!changes_.empty()) return base::Unavailable("the cluster is changing: try again");
  const topology::Node* away = snapshot_->topology->Find(host);
  if (away == nullptr || !away->member()) return base::NotFound("it is no member of this cluster");
  if (SeemsAlive(*away))
    return base::FailedPrecondition(fmt::format("{} is up", away->cluster.ToString()));
  if (away->absent != 0)
    return base::AlreadyExists(
        fmt::format("{} was declared absent in epoch {}", away->cluster.ToString(), away->absent));
  for (const topology::Node* member : snapshot_->topology->members()) {
    if (member == away) continue;
    const std::string name = member->cluster.ToString();
    if (!SeemsAlive(*member))
      return base::FailedPrecondition(fmt::format(
          "{} is down, too, and one at most may be absent: bring it back, or replace it", name));
    if (!LookOf(*member).ready || EpochOf(*member) != snapshot_->topology->epoch)
      return base::FailedPrecondition(
          fmt::format("{} has not caught up, or has not heard of epoch {}: try again once it has",
                      name, snapshot_->topology->epoch));
  }
  return base::Ok();
}

void Control::ProposeAbsence(const base::HostId& host, ChangeDone done) {
  Propose(
      [host](const topology::Topology& before) { return topology::DeclareAbsent(before, host); },
      std::move(done));
}

// Founders may be fewer than could vote, and who was replaced votes no more: seats are taken by
// members that are ready, one an epoch, at the word of the first of these.
void Control::SeatVoters() {
  const base::Instant now = world_.Now();
  if (now < next_seating_ || !serves() || !changes_.empty()) return;
  next_seating_ = now + kSeatingGap;
  std::vector<base::HostId> ready;
  for (const topology::Node* member : snapshot_->topology->members())
    if (member->host == shared_.identity.host || (LookOf(*member).ready && SeemsAlive(*member)))
      ready.push_back(member->host);
  if (ready.front() != shared_.identity.host) return;
  const auto seat = [ready](const topology::Topology& before) {
    return topology::SeatVoter(before, ready);
  };
  const auto next = seat(*acceptor_->known());
  if (!next || next->epoch == acceptor_->known()->epoch) return;
  Propose(seat, [](const base::Status& status, const topology::TopologyPtr& topology) {
    if (status.ok())
      base::log::Info("topology", "{} nodes vote on it now", topology->voters.size());
    else
      base::log::Info("topology", "no further voter was seated: {}", status.message());
  });
}

}  // namespace starling::server
