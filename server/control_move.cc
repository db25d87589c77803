// server/control_move.cc: members that come back at another address, this one too.
//
// A member is its host id, from its data directory. Where it listens is told by its claim in
// gossip, under a higher generation than any of its earlier lives, and so all members learn it
// within a moment; requests follow it there at once. The topology has the addresses too, those for
// clients among them: an epoch notes them, which the moved node proposes itself.
//
// A copy of a data directory has the identity, too. So this node first asks at the address that the
// cluster knows whether somebody is there under its own host id, and ends if so.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "server/control.h"
#include "server/control_jobs.h"

namespace starling::server {
namespace {

// How long somebody of our own cluster has to answer, once one of another cluster did.
constexpr base::Duration kMisfitMax = base::seconds(2);
constexpr base::Duration kAloneMax = base::seconds(10);
constexpr base::Duration kAloneGap = base::seconds(30);

}  // namespace

// --- this node ---

// Whether another node has this one's identity, at an address where this one should be. Then this
// one ends; else, or if nobody says so in time, it goes on.
void Control::LookForTwin(base::Address at, Moving::Look why) {
  moving_.LookAt(world_.Now(), at, why);
  SendControl({at, {}}, {kTagTwin, 0, PackAddress(at), 0}, wire::ControlTopic::kTopology, {});
}

// It answered, failed to, or is late.
void Control::OnTwinAnswer(base::Address at) {
  const base::HostId there = links_.HostAt(at);
  const std::optional<Moving::Look> why =
      moving_.TakeAnswer(world_.Now(), at,
                         there.empty()                    ? Moving::There::kNobody
                         : there == shared_.identity.host ? Moving::There::kTwin
                                                          : Moving::There::kAnother);
  if (!why) return;
  if (there == shared_.identity.host)
    return world_.Exit(base::FailedPrecondition(fmt::format(
        "host {} is alive at {}, where its cluster knows it, and this node has the same identity: "
        "is its data directory '{}' a copy? Stop the other one to go on here, or give this one an "
        "empty data directory",
        shared_.identity.host.ToString(), at.ToString(), shared_.config.node.data_dir)));
  if (*why == Moving::Look::kAtStart) return Adopt(acceptor_->known());
  if (const topology::Node* noted = acceptor_->known()->Find(shared_.identity.host);
      noted != nullptr && moving_.MayPropose(world_.Now(), FactsOfMove(*noted)))
    ProposeMove();
}

// Another node speaks as this one, from `rival`. Which of the two gives way goes by where their
// cluster has noted them (gossip/rivalry.h), and either may have missed the epoch that did. So each
// asks the other one, and both go by the newer of the two: else both could give way, or neither.
void Control::OnConflict(base::Address rival) {
  moving_.OnConflict(world_.Now());
  if (rival == self_.cluster) return;
  SendControl({rival, {}}, {kTagTopology, 0, 0, 0}, wire::ControlTopic::kTopology, {});
}

// Has the topology note where this node is, if it says otherwise.
void Control::MoveSoon() {
  const topology::Node* noted = acceptor_->known()->Find(shared_.identity.host);
  if (noted == nullptr || retired_) return;
  const Moving::Step step = moving_.Next(world_.Now(), FactsOfMove(*noted));
  if (moving_.TakeSay()) base::log::Error("topology", "{}", moving_.problem());
  if (step == Moving::Step::kLook) LookForTwin(noted->cluster, Moving::Look::kBeforeMove);
  if (step == Moving::Step::kPropose) ProposeMove();
}

Moving::Facts Control::FactsOfMove(const topology::Node& noted) const {
  const bool moved = !topology::IsReachedAt(noted, self_);
  return {.noted = noted,
          .self = self_,
          .alone = snapshot_->topology->members().size() == 1,
          .met_ours = met_ours(),
          .hears_others = moved && HearsOthers(),
          .hears_since = gossip_since_,
          .holder = moved ? HolderOfAddress() : std::string()};
}

bool Control::HearsOthers() const {
  const auto members = snapshot_->topology->members();
  return std::any_of(members.begin(), members.end(), [this](const topology::Node* member) {
    return member->host != shared_.identity.host && SeemsAlive(*member);
  });
}

// Another host that lives where this one listens, as gossip hears it.
std::string Control::HolderOfAddress() const {
  std::string holder;
  if (gossip_ == nullptr) return holder;
  gossip_->ForEach([&](const gossip::Member& member) {
    if (member.host == shared_.identity.host || member.address != self_.cluster) return;
    if (gossip::IsGone(member.liveness) || !holder.empty()) return;
    holder = fmt::format("{} ({})", member.host.ToString(), gossip::Name(member.liveness));
  });
  return holder;
}

void Control::ProposeMove() {
  moving_.Propose();
  Propose(
      [self = self_](const topology::Topology& before) { return topology::MoveNode(before, self); },
      [this](const base::Status& status, const topology::TopologyPtr& topology) {
        moving_.OnProposed(world_.Now(), status.ok());
        if (status.ok())
          base::log::Info("topology", "epoch {} has this node at {}", topology->epoch,
                          self_.cluster.ToString());
        else
          base::log::Warn("topology", "that this node is at {} now is not noted yet: {}",
                          self_.cluster.ToString(), status.message());
      });
}

// --- all members ---

// Where gossip hears it; one that it does not hear: where the topology has it.
base::Address Control::WhereIs(const topology::Node& node) const {
  if (node.host == shared_.identity.host) return self_.cluster;
  if (gossip_ == nullptr || !node.member()) return node.cluster;
  const std::optional<gossip::Member> heard = gossip_->View(node.host);
  return heard && !gossip::IsGone(heard->liveness) ? heard->address : node.cluster;
}

bool Control::AnyoneMoved() const {
  for (std::size_t i = 0; i < snapshot_->peers.size(); ++i)
    if (snapshot_->node(i).cluster != WhereIs(adopted_->nodes[i])) return true;
  return false;
}

// What was chosen, with the members where they are now: so requests go there before an epoch says
// so, and also if a majority of the voters moved at once. The ports for clients come by the epoch.
topology::TopologyPtr Control::AsReached(const topology::TopologyPtr& chosen) const {
  std::shared_ptr<topology::Topology> reached;
  for (std::size_t i = 0; i < chosen->nodes.size(); ++i) {
    const topology::Node& node = chosen->nodes[i];
    const bool is_self = node.host == shared_.identity.host;
    if (is_self ? topology::IsReachedAt(node, self_) : WhereIs(node) == node.cluster) continue;
    if (reached == nullptr) reached = std::make_shared<topology::Topology>(*chosen);
    topology::Node& moved = reached->nodes[i];
    moved.cluster = WhereIs(node);
    if (!is_self) continue;
    moved.client = self_.client;
    moved.resp = self_.resp;
  }
  return reached == nullptr ? chosen : reached;
}

// --- nobody of ours is there ---

// A node that meets nobody of its own cluster, and somebody of another one, is the one that is
// wrong. But an address that a member left may be another cluster's by now.
void Control::FitsNobody(const base::Status& why) {
  if (met_ours() || misfit_) return;
  misfit_ = {why, world_.Now() + kMisfitMax};
}

// It goes on looking: the others may be down.
void Control::SayIfAlone() {
  const base::Instant now = world_.Now();
  if (met_ours() || now - gossip_since_ < kAloneMax || now < next_alone_word_) return;
  std::string members, seeds;
  for (const topology::Node* member : adopted_->members()) {
    if (member->host == shared_.identity.host) continue;
    if (SeemsAlive(*member)) return;
    members += (members.empty() ? "" : ", ") + member->cluster.ToString();
  }
  if (members.empty()) return;
  for (const base::Address seed : seed_book_.addresses())
    if (seed != self_.cluster) seeds += (seeds.empty() ? "" : ", ") + seed.ToString();
  next_alone_word_ = now + kAloneGap;
  base::log::Error(
      "control",
      "no other member answers, neither where this node knew them ({}) nor at "
      "cluster.seeds ({}): if they are up, they are elsewhere: name one of them, where "
      "it is now, in cluster.seeds",
      members, seeds.empty() ? "which names nobody else" : seeds);
}

}  // namespace starling::server
