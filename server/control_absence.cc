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
    if (member->cluster != self_.cluster) may_remember_.insert(member->cluster);
  remember_by_ = world_.Now() + kRememberMax;
}

void Control::NobodyRemembers(base::Address address) {
  if (may_remember_.erase(address) == 0 || !may_remember_.empty()) return;
  RefreshMetadata();
  Publish();
}

void Control::OnRemembered(const PeerAddress& peer, const wire::HelloReply& reply) {
  const Mark mark{reply.remembered_boot, reply.remembered_mark};
  const std::string loss = LossAgainst(mark, shared_.identity.boot, shared_.identity.recovered,
                                       shared_.guard.mark(), snapshot_->me().back);
  // One that is known already is told again, unless it shows that the boot number was used before.
  if (!loss.empty() && (!loss_.any() || mark.boot >= shared_.identity.boot) &&
      !base::Mutant("absence-memory-ignored"))
    return FoundLoss(mark, fmt::format("{}: {}", peer.address.ToString(), loss));
  NobodyRemembers(peer.address);
}

// The boot number is in every packet and cannot change in a life: the node begins another.
void Control::FoundLoss(const Mark& remembered, const std::string& reason) {
  if (found_loss_ || retired_) return;
  found_loss_ = true;
  ready_ = false;
  Publish();
  const std::uint64_t last = std::max(remembered.boot, shared_.identity.boot);
  auto batch = std::make_unique<storage::Batch>();
  SaveLoss(*batch, {last + 1, reason});
  storage::SaveBoot(*batch, last);
  Persist(std::move(batch), [this, reason] {
    if (retired_) return;
    shared_.begins_again = true;
    world_.Exit(base::Unavailable(
        fmt::format("data are lost ({}): starting again, to rebuild them", reason)));
  });
}

// What an acceptor promised may be lost with the rest, and that was of epochs up to the one that
// names it back. It learns that one as others chose it, and votes on those that follow.
bool Control::MayVote(const topology::PaxosRequest& request) const {
  return request.kind == topology::PaxosRequest::Kind::kLearn ||
         (IsBack() && may_remember_.empty());
}

bool Control::IsBack() const {
  if (!loss_.any()) return true;
  return snapshot_ != nullptr && snapshot_->me().back >= loss_.boot;
}

void Control::ReturnAfterLoss() {
  if (!may_remember_.empty() && world_.Now() >= remember_by_) {
    may_remember_.erase(may_remember_.begin(), std::prev(may_remember_.end()));
    NobodyRemembers(*may_remember_.begin());
  }
  if (IsBack() || joining_ || found_loss_) return;
  StartJoining({}, *snapshot_->topology);
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
