#include "server/repair.h"

#include <algorithm>

#include "base/check.h"

namespace starling::server {
namespace {

constexpr std::int64_t kEverywherePeersEachInterval = 4;
constexpr std::size_t kWantedMax = 64;  // Repairs on demand that wait for their turn.
// So late that the cut is later than the peer's start: 3 s and the skew of clocks.
constexpr base::Duration kFirstCompareAfter = base::milliseconds(3600);

}  // namespace

Repair::Repair(base::World& world, NodeShared& shared, PeerLinks& links)
    : world_(world), shared_(shared), links_(links) {}

std::size_t Repair::IndexOf(base::NodeNumber number) const {
  const topology::Node* node = snapshot_->topology->FindNumber(number);
  CHECK(node != nullptr);  // Numbers are never dropped.
  return static_cast<std::size_t>(node - snapshot_->topology->nodes.data());
}

std::string Repair::NameOf(base::NodeNumber number) const {
  return snapshot_->node(IndexOf(number)).cluster.IpString();
}

// With `by_range` not what is everywhere, which all share with all.
bool Repair::Shares(std::size_t peer, bool by_range) const {
  if (peer == snapshot_->self || !snapshot_->node(peer).member()) return false;
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces) {
    if (by_range && keyspace.replication.everywhere()) continue;
    for (const topology::Range& range : snapshot_->ring->ranges(keyspace.id))
      if (std::find(range.replicas.begin(), range.replicas.end(), peer) != range.replicas.end() &&
          std::find(range.replicas.begin(), range.replicas.end(), snapshot_->self) !=
              range.replicas.end())
        return true;
  }
  return false;
}

// Those with which nothing but keyspaces is shared that are everywhere are compared in turn, a few
// each interval: as with rumors, what one has got from one the next gets from it.
base::Duration Repair::IntervalOf(const Peer& peer) const {
  const base::Duration interval = shared_.config.repair.interval;
  if (peer.by_range) return interval;
  const auto many = std::count_if(peers_.begin(), peers_.end(),
                                  [](const auto& each) { return !each.second.by_range; });
  return interval * std::max<std::int64_t>(1, many / kEverywherePeersEachInterval);
}

void Repair::Adopt(SnapshotPtr snapshot) {
  const SnapshotPtr before = std::move(snapshot_);
  snapshot_ = std::move(snapshot);
  for (std::size_t i = 0; i < snapshot_->topology->nodes.size(); ++i) {
    const base::NodeNumber number = snapshot_->node(i).number;
    if (!Shares(i, false)) {
      peers_.erase(number);
      continue;
    }
    Peer& peer = peers_[number];
    peer.by_range = Shares(i, true);
    const bool was_up = before != nullptr && i < before->peers.size() && before->peers[i].up;
    if (snapshot_->peers[i].up && !was_up) {
      peer.due = world_.Now() + kFirstCompareAfter;
      peer.up_since = world_.Now();
    }
    if (before == nullptr || before->ring_epoch == snapshot_->ring_epoch) continue;
    peer.marks.clear();
    peer.contained.clear();
    peer.recheck = world_.Now() + kFirstCompareAfter;
    peer.due = std::min(peer.due, peer.recheck);
  }
}

void Repair::OnTick(base::Instant now) {
  if (!peer_pulls_.empty() && now >= peer_pulls_.begin()->second.ends)
    OnPeerPulled(peer_pulls_.begin()->first, base::Timeout("it took too long"));
  if (session_ != nullptr) {
    if (now >= session_->ends)
      End("the comparison took too long");
    else if (now >= session_->look_at)
      Look();
    return;
  }
  if (!wanted_.empty()) {
    Wanted wanted = std::move(wanted_.front());
    wanted_.pop_front();
    Begin(std::move(wanted));
    return;
  }
  BeginDue(now);
}

void Repair::BeginDue(base::Instant now) {
  if (!shared_.config.repair.enabled) return;
  const auto due =
      std::min_element(peers_.begin(), peers_.end(),
                       [&](const auto& a, const auto& b) { return a.second.due < b.second.due; });
  if (due == peers_.end() || now < due->second.due) return;
  if (!snapshot_->peers[IndexOf(due->first)].up) {
    due->second.due = now + IntervalOf(due->second);
    due->second.problem = "it is down";
    return;
  }
  Begin({due->first, kAllKeyspaces, false, 0, kAnyCut, {}, Mode::kHeal});
}

void Repair::RunNow(base::KeyspaceId keyspace, Mode mode, Done done) {
  struct All {
    std::size_t open = 0;
    base::Instant began;
    Result result;
    Done done;
  };
  auto all = std::make_shared<All>();
  all->done = std::move(done);
  all->open = peers_.size();
  if (all->open == 0) return all->done(all->result);
  if (wanted_.size() > kWantedMax)
    return all->done({0, all->open, 0, false, "too many repairs wait already", {}, {}});
  // All that was written until now.
  const merkle::Generation cut_min = merkle::GenerationOf(world_.WallMs());
  all->began = world_.Now() + std::max(UntilNewest(cut_min), base::Duration(0));
  for (const auto& [number, peer] : peers_)
    wanted_.push_back({number, keyspace, mode == Mode::kHeal, 0, cut_min,
                       [this, all](const Result& one) {
                         Result& result = all->result;
                         result.compared += one.compared;
                         result.peers += one.peers;
                         result.entries_received += one.entries_received;
                         result.equal = result.equal && one.equal;
                         if (!one.equal && result.reason.empty()) result.reason = one.reason;
                         result.differing.insert(result.differing.end(), one.differing.begin(),
                                                 one.differing.end());
                         if (--all->open > 0) return;
                         result.took = std::max(world_.Now() - all->began, base::Duration(0));
                         all->done(result);
                       },
                       mode});
}

void Repair::RunWith(base::NodeNumber peer, base::Bytes request, Done done) {
  if (!peers_.contains(peer))
    return done({0, 1, 0, false, "it shares no range with this node", {}, {}});
  if (request.size() != sizeof(base::KeyspaceId))
    return done({0, 1, 0, false, "the request for a repair is malformed", {}, {}});
  if (wanted_.size() >= kWantedMax)
    return done({0, 1, 0, false, "too many repairs wait already", {}, {}});
  wanted_.push_back({peer, base::LoadLittle<base::KeyspaceId>(request.data()), false, 0,
                     merkle::GenerationOf(world_.WallMs()), std::move(done), Mode::kHeal});
}

void Repair::CompareSoon(const std::set<base::NodeNumber>& peers) {
  for (const base::NodeNumber number : peers)
    if (const auto found = peers_.find(number); found != peers_.end())
      found->second.due = std::min(found->second.due, world_.Now());
}

}  // namespace starling::server
