// server/repair_session.cc: one comparison with one peer, from its first look to its outcome.
#include <fmt/core.h>

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "server/repair.h"

namespace starling::server {
namespace {

// Of looks at digests. Pulling takes as long as there is data, and ends when answers stay away.
constexpr base::Duration kSessionMax = base::seconds(120);
constexpr base::Duration kPeerPullMax = base::seconds(3600);
// A cut that will be old enough within so many seconds is waited for. More, and the clocks are far
// apart: then each side answers as of what it can.
constexpr merkle::Generation kWaitMax = 10;
constexpr int kPostponedMax = 4;  // Times in one session.

}  // namespace

void Repair::Begin(Wanted wanted) {
  session_ = std::make_unique<Session>();
  session_->serial = ++serial_;
  session_->peer = wanted.peer;
  session_->keyspace = wanted.keyspace;
  session_->began = world_.Now();
  session_->ends = session_->began + kSessionMax;
  session_->may_ask_peer = wanted.may_ask_peer;
  session_->entries = wanted.entries;
  session_->cut_min = wanted.cut_min;
  session_->done = std::move(wanted.done);
  session_->mode = wanted.mode;
  if (!peers_.contains(wanted.peer)) {
    End("it shares no range with this node");
    return;
  }
  if (!snapshot_->peers[IndexOf(wanted.peer)].up) {
    End("it is down");
    return;
  }
  Look();
}

// How long it takes until a cut is old enough to be compared; not more than 0: it is.
base::Duration Repair::UntilNewest(merkle::Generation cut) const {
  return base::milliseconds(merkle::EndOf(cut) + merkle::kCutAgeMs - world_.WallMs());
}

void Repair::Look() {
  session_->look_at = base::Instant::Never();
  if (const base::Duration wait = UntilNewest(session_->cut_min); wait > base::Duration(0)) {
    session_->look_at = world_.Now() + wait;
    return;
  }
  session_->cut = merkle::NewestCut(world_.WallMs()) + session_->ahead;
  const std::uint64_t serial = session_->serial;
  GatherSums(session_->peer, session_->cut, [this, serial](const Gathered& gathered) {
    if (session_ != nullptr && session_->serial == serial) Compare(gathered);
  });
}

// One of us can answer for cuts from `oldest` on only, as it has not run for longer.
void Repair::Postpone(merkle::Generation oldest, const std::string& whose) {
  const merkle::Generation later = oldest - session_->cut;
  if (++session_->postponed > kPostponedMax) {
    End(fmt::format("{} oldest cut that can be compared is {} s too late", whose, later));
  } else if (later > kWaitMax) {
    session_->ahead += later;
    Look();
  } else {
    session_->cut_min = oldest - session_->ahead;
    Look();
  }
}

void Repair::GatherSums(base::NodeNumber peer, merkle::Generation cut,
                        std::function<void(const Gathered&)> then) {
  const std::uint64_t serial = ++serial_;
  gathers_[serial] = {shared_.workers, {}, std::move(then)};
  for (unsigned worker = 0; worker < shared_.workers; ++worker) {
    auto query = std::make_unique<DigestQueryMail>();
    query->serial = serial;
    query->peer = peer;
    query->cut = cut;
    world_.Post(WorkerActor(worker), std::move(query));
  }
}

void Repair::OnDigests(const DigestAnswerMail& answer) {
  const auto it = gathers_.find(answer.serial);
  if (it == gathers_.end()) return;
  Gathered& all = it->second.all;
  all.oldest = std::max(all.oldest, answer.oldest);
  all.unmade += answer.unmade;
  for (const auto& [keyspace, slices] : answer.slices)
    for (const auto& [slice, digest] : slices) all.sums[keyspace][slice] = digest;
  if (--it->second.missing > 0) return;
  const Gather done = std::move(it->second);
  gathers_.erase(it);
  done.then(done.all);
}

void Repair::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  const auto reply = wire::Decode<wire::ControlReply>(frame.header);
  if (frame.kind != wire::Kind::kControlReply || !reply ||
      base::Hash64(frame.payload) != reply->payload_digest) {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    OnPeerFailed(tag, frame.kind == wire::Kind::kError && error
                          ? base::Status(error->code, error->message)
                          : base::InvalidArgument("its answer is malformed"));
    return;
  }
  if (tag.kind == kTagRepairPeer)
    OnPeerPulled(tag.a, base::Ok());
  else if (session_ != nullptr && tag.a == session_->serial)
    OnCompared(frame.payload);
}

void Repair::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  if (tag.kind == kTagRepairPeer)
    OnPeerPulled(tag.a, status);
  else if (session_ != nullptr && tag.a == session_->serial)
    End(status.message());
}

void Repair::OnCompared(base::Bytes answer) {
  Slices differing;
  merkle::Generation oldest = 0;
  if (const base::Status status = ReadAnswer(answer, &oldest, &differing); !status.ok()) {
    End(status.message());
    return;
  }
  if (oldest > session_->cut) {
    --session_->look;
    Postpone(oldest, "its");
    return;
  }
  session_->answered = true;
  if (differing.empty()) {
    if (session_->look > 1 && session_->pulled == 0) ++vain_descents_;
    End("");
    return;
  }
  if (session_->look == 1) {
    if (session_->mode == Mode::kHeal) ++descents_;
    Pull(differing);
    return;
  }
  MarkContained(differing);
  // We have what it has.
  if (session_->may_ask_peer)
    AskPeer();
  else
    End("it has yet to pull from us");
}

void Repair::AskPeer() {
  const topology::Node& peer = snapshot_->node(IndexOf(session_->peer));
  std::string request;
  base::AppendLittle(request, session_->keyspace);
  links_.Send({peer.cluster, peer.host}, {kTagRepairPeer, 0, session_->serial, 0},
              wire::ControlRequest{wire::ControlTopic::kForward, base::Hash64(request)}, request);
  peer_pulls_[session_->serial] = {{session_->peer, session_->keyspace, false, session_->entries,
                                    session_->cut_min, std::move(session_->done), Mode::kHeal},
                                   world_.Now() + kPeerPullMax};
  session_->done = {};
  End("it has yet to pull from us");
}

void Repair::OnPeerPulled(std::uint64_t serial, const base::Status& status) {
  const auto it = peer_pulls_.find(serial);
  if (it == peer_pulls_.end()) return;
  Wanted after = std::move(it->second.after);
  peer_pulls_.erase(it);
  if (status.ok())
    wanted_.push_front(std::move(after));
  else
    after.done({1,
                1,
                after.entries,
                false,
                fmt::format("{} did not pull from us: {}", NameOf(after.peer), status.message()),
                {},
                {}});
}

void Repair::Pull(const Slices& slices) {
  base::log::Debug("repair", "{} slices differ from node {}", slices.size(), session_->peer);
  pulling_ = {};
  session_->ends = base::Instant::Never();  // It takes as long as it takes, or the link is lost.
  std::map<unsigned, std::unique_ptr<PullMail>> orders;
  for (const auto& [keyspace, slice] : slices) {
    auto& order = orders[base::WorkerOf(slice, shared_.workers)];
    if (order == nullptr) order = std::make_unique<PullMail>();
    order->slices.emplace_back(keyspace, slice);
  }
  for (auto& [worker, order] : orders) {
    order->serial = session_->serial;
    order->peer = session_->peer;
    order->ahead = session_->ahead;
    order->only_look = session_->mode == Mode::kLook;
    ++pulling_.open;
    world_.Post(WorkerActor(worker), std::move(order));
  }
}

void Repair::OnPulled(const PullDoneMail& mail) {
  if (session_ == nullptr || mail.serial != session_->serial) return;
  session_->entries += mail.entries;
  session_->pulled += mail.entries;
  session_->settled.insert(session_->settled.end(), mail.settled.begin(), mail.settled.end());
  for (const RangeDifference& found : mail.differing) NoteDiffering(found);
  if (!mail.status.ok()) pulling_.status = mail.status;
  if (--pulling_.open > 0) return;
  if (!pulling_.status.ok()) {
    End(pulling_.status.message());
    return;
  }
  // What differed at the first look may be equal as of the later cut of the leaves.
  if (session_->mode == Mode::kLook) return End(session_->differing.empty() ? "" : "it differs");
  session_->ends = world_.Now() + kSessionMax;
  if (session_->entries > 0)
    base::log::Info("repair", "pulled {} entries from node {}", session_->entries, session_->peer);
  Look();
}

void Repair::End(const std::string& problem) {
  const std::unique_ptr<Session> session = std::move(session_);
  // A peer that shares nothing with us any more is not remembered again.
  // Nor does a look put off the comparison that heals.
  if (const auto it = peers_.find(session->peer);
      it != peers_.end() && session->mode == Mode::kHeal) {
    Peer& peer = it->second;
    peer.problem = problem;
    for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces)
      if (session->keyspace == kAllKeyspaces || session->keyspace == keyspace.id)
        peer.proves_from[keyspace.id] = std::max(peer.proves_from[keyspace.id], session->began);
    peer.due = world_.Now() + IntervalOf(peer);
    if (peer.recheck > world_.Now()) peer.due = std::min(peer.due, peer.recheck);
  }
  ++comparisons_;
  if (session->done)
    session->done({session->answered ? 1U : 0U,
                   1,
                   session->entries,
                   problem.empty(),
                   problem.empty() ? "" : fmt::format("{}: {}", NameOf(session->peer), problem),
                   {},
                   DifferingIn(*session)});
  // Who waits goes on at once, while peers answer; else with the next tick. So does a node that
  // catches up: in a large cluster it compares with many, and until it is ready nobody else can
  // join.
  if (session_ != nullptr || !session->answered) return;
  if (wanted_.empty()) {
    if (snapshot_->catching_up) BeginDue(world_.Now());
    return;
  }
  Wanted next = std::move(wanted_.front());
  wanted_.pop_front();
  Begin(std::move(next));
}

}  // namespace starling::server
