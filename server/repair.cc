#include "server/repair.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mutants.h"
#include "merkle/compare.h"

namespace starling::server {
namespace {

// Of looks at digests. Pulling takes as long as there is data, and ends when answers stay away.
constexpr base::Duration kSessionMax = base::seconds(120);
constexpr base::Duration kPeerPullMax = base::seconds(3600);
constexpr std::int64_t kEverywherePeersEachInterval = 4;
constexpr std::size_t kWantedMax = 64;  // Repairs on demand that wait for their turn.
// So late that the cut is later than the peer's start: 3 s and the skew of clocks.
constexpr base::Duration kFirstCompareAfter = base::milliseconds(3600);
// A cut that will be old enough within so many seconds is waited for. More, and the clocks are far
// apart: then each side answers as of what it can.
constexpr merkle::Generation kWaitMax = 10;
// No clock shows more: 48 bits of ms.
constexpr merkle::Generation kCutsMax = (1LL << 48) / merkle::kGenerationMs;
constexpr int kPostponedMax = 4;  // Times in one session.

merkle::Digest TotalOf(const SliceSums& sums) {
  merkle::Digest total;
  for (const merkle::Digest& sum : sums) total += sum;
  return total;
}

// Question: epoch u64 | salt u64 | cut i64 | asker u32 | keyspaces u32 | each: id u32, total digest
//           24 bytes.
// Answer:   epoch u64 | oldest cut i64 | newest cut i64 | keyspaces u32 | each: id u32, equal u8,
//           and if not: 256 slice hashes u64. No keyspaces if the oldest is later than the cut.
struct Question {
  std::uint64_t epoch = 0;
  std::uint64_t salt = 0;
  merkle::Generation cut = 0;
  base::NodeNumber asker = 0;
  std::vector<std::pair<base::KeyspaceId, merkle::Digest>> totals;
};

constexpr std::size_t kQuestionHead = 32;
constexpr std::size_t kAnswerHead = 28;
constexpr std::size_t kQuestionRecord = 4 + merkle::Digest::kSize;

std::string EncodeQuestion(const Question& question) {
  std::string out;
  base::AppendLittle(out, question.epoch);
  base::AppendLittle(out, question.salt);
  base::AppendLittle(out, static_cast<std::uint64_t>(question.cut));
  base::AppendLittle(out, question.asker);
  base::AppendLittle(out, static_cast<std::uint32_t>(question.totals.size()));
  for (const auto& [keyspace, total] : question.totals) {
    base::AppendLittle(out, keyspace);
    const std::size_t at = out.size();
    out.resize(at + merkle::Digest::kSize);
    total.StoreTo(out.data() + at);
  }
  return out;
}

base::Result<Question> DecodeQuestion(base::Bytes in) {
  const base::Status bad = base::InvalidArgument("a comparison's question is malformed");
  if (in.size() < kQuestionHead) return base::Fail(bad);
  Question question;
  question.epoch = base::LoadLittle<std::uint64_t>(in.data());
  question.salt = base::LoadLittle<std::uint64_t>(in.data() + 8);
  question.cut = static_cast<merkle::Generation>(base::LoadLittle<std::uint64_t>(in.data() + 16));
  question.asker = base::LoadLittle<std::uint32_t>(in.data() + 24);
  const auto count = base::LoadLittle<std::uint32_t>(in.data() + 28);
  if (count > topology::kKeyspacesMax) return base::Fail(bad);  // The answer may be far larger.
  if (in.size() != kQuestionHead + std::size_t{count} * kQuestionRecord) return base::Fail(bad);
  for (std::size_t at = kQuestionHead; at < in.size(); at += kQuestionRecord)
    question.totals.emplace_back(base::LoadLittle<std::uint32_t>(in.data() + at),
                                 merkle::Digest::LoadFrom(in.data() + at + 4));
  return question;
}

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
  Begin({due->first, kAllKeyspaces, false, 0, kAnyCut, {}});
}

void Repair::RunNow(base::KeyspaceId keyspace, Done done) {
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
    return all->done({0, all->open, 0, false, "too many repairs wait already", {}});
  // All that was written until now.
  const merkle::Generation cut_min = merkle::GenerationOf(world_.WallMs());
  all->began = world_.Now() + std::max(UntilNewest(cut_min), base::Duration(0));
  for (const auto& [number, peer] : peers_)
    wanted_.push_back({number, keyspace, true, 0, cut_min, [this, all](const Result& one) {
                         all->result.compared += one.compared;
                         all->result.peers += one.peers;
                         all->result.entries_received += one.entries_received;
                         all->result.equal = all->result.equal && one.equal;
                         if (!one.equal && all->result.reason.empty())
                           all->result.reason = one.reason;
                         if (--all->open > 0) return;
                         all->result.took = std::max(world_.Now() - all->began, base::Duration(0));
                         all->done(all->result);
                       }});
}

void Repair::RunWith(base::NodeNumber peer, base::Bytes request, Done done) {
  if (!peers_.contains(peer))
    return done({0, 1, 0, false, "it shares no range with this node", {}});
  if (request.size() != sizeof(base::KeyspaceId))
    return done({0, 1, 0, false, "the request for a repair is malformed", {}});
  if (wanted_.size() >= kWantedMax)
    return done({0, 1, 0, false, "too many repairs wait already", {}});
  wanted_.push_back({peer, base::LoadLittle<base::KeyspaceId>(request.data()), false, 0,
                     merkle::GenerationOf(world_.WallMs()), std::move(done)});
}

void Repair::CompareSoon(const std::set<base::NodeNumber>& peers) {
  for (const base::NodeNumber number : peers)
    if (const auto found = peers_.find(number); found != peers_.end())
      found->second.due = std::min(found->second.due, world_.Now());
}

// --- a session ---

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
  for (const auto& [keyspace, slices] : answer.slices)
    for (const auto& [slice, digest] : slices) all.sums[keyspace][slice] = digest;
  if (--it->second.missing > 0) return;
  const Gather done = std::move(it->second);
  gathers_.erase(it);
  done.then(done.all);
}

void Repair::Compare(const Gathered& gathered) {
  if (gathered.oldest > session_->cut) {
    Postpone(gathered.oldest, "this node's");
    return;
  }
  ++session_->look;
  session_->gathered_at = world_.Now();
  session_->sums = gathered.sums;
  if (session_->keyspace != kAllKeyspaces)
    std::erase_if(session_->sums,
                  [&](const auto& each) { return each.first != session_->keyspace; });
  session_->salt = world_.random().Next();
  Question question{
      snapshot_->topology->epoch, session_->salt, session_->cut, snapshot_->me().number, {}};
  for (const auto& [keyspace, slices] : session_->sums)
    question.totals.emplace_back(keyspace, TotalOf(slices));
  const std::string payload = EncodeQuestion(question);
  bytes_sent_ += payload.size();
  const topology::Node& peer = snapshot_->node(IndexOf(session_->peer));
  links_.Send({peer.cluster, peer.host}, {kTagCompare, 0, session_->serial, 0},
              wire::ControlRequest{wire::ControlTopic::kCompare, base::Hash64(payload)}, payload);
}

void Repair::HandleCompare(base::NodeNumber peer, base::Bytes bytes,
                           std::function<void(base::Result<std::string>)> answer) {
  const auto question = DecodeQuestion(bytes);
  if (!question) return answer(base::Fail(question.error()));
  if (question->epoch != snapshot_->topology->epoch)
    return answer(base::Fail(
        base::FailedPrecondition(fmt::format("this node is in epoch {}, the asker in {}",
                                             snapshot_->topology->epoch, question->epoch))));
  GatherSums(peer, question->cut, [this, question = *question, answer](const Gathered& gathered) {
    const bool answered = gathered.oldest <= question.cut;
    std::string out;
    base::AppendLittle(out, question.epoch);
    base::AppendLittle(out, static_cast<std::uint64_t>(gathered.oldest));
    base::AppendLittle(out, static_cast<std::uint64_t>(merkle::NewestCut(world_.WallMs())));
    base::AppendLittle(out, answered ? static_cast<std::uint32_t>(question.totals.size()) : 0U);
    for (const auto& [keyspace, total] : question.totals) {
      if (!answered) break;
      const auto it = gathered.sums.find(keyspace);
      const SliceSums none{};
      const SliceSums& mine = it == gathered.sums.end() ? none : it->second;
      const bool equal = TotalOf(mine) == total;
      base::AppendLittle(out, keyspace);
      base::AppendLittle(out, static_cast<std::uint8_t>(equal ? 1 : 0));
      if (equal) continue;
      for (const merkle::Digest& slice : mine)
        base::AppendLittle(out, merkle::ShortHash(slice, question.salt));
    }
    bytes_sent_ += out.size();
    answer(std::move(out));
  });
}

base::Status Repair::ReadAnswer(base::Bytes in, merkle::Generation* oldest, Slices* differing) {
  const base::Status bad = base::InvalidArgument("a comparison's answer is malformed");
  if (in.size() < kAnswerHead) return bad;
  if (base::LoadLittle<std::uint64_t>(in.data()) != snapshot_->topology->epoch)
    return base::FailedPrecondition("the epoch has changed meanwhile");
  *oldest = static_cast<merkle::Generation>(base::LoadLittle<std::uint64_t>(in.data() + 8));
  const auto sane = [](merkle::Generation cut) { return cut > -kCutsMax && cut < kCutsMax; };
  // A cut that is still to come for the peer is what it has now: no later writes are left out.
  const auto newest =
      static_cast<merkle::Generation>(base::LoadLittle<std::uint64_t>(in.data() + 16));
  if (!sane(*oldest) || !sane(newest)) return bad;
  if (*oldest > session_->cut) return base::Ok();
  const bool proven = session_->ahead == 0 && session_->cut <= newest + 1;
  if (session_->look == 1) {
    session_->asked_as_of = MarkOfLook();
    session_->asked_proven = proven;
  }
  const auto count = base::LoadLittle<std::uint32_t>(in.data() + 24);
  in.remove_prefix(kAnswerHead);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (in.size() < 5) return bad;
    const auto keyspace = base::LoadLittle<base::KeyspaceId>(in.data());
    const bool equal = in[4] == 1;
    in.remove_prefix(5);
    const auto it = session_->sums.find(keyspace);
    if (it == session_->sums.end() || (!equal && in.size() < base::kSlices * 8)) return bad;
    for (std::uint32_t slice = 0; slice < base::kSlices; ++slice) {
      const auto number = static_cast<std::uint8_t>(slice);
      if (equal || base::LoadLittle<std::uint64_t>(in.data() + 8 * slice) ==
                       merkle::ShortHash(it->second[slice], session_->salt))
        MarkEqual(keyspace, number, proven);
      else
        differing->emplace_back(keyspace, number);
    }
    if (!equal) in.remove_prefix(base::kSlices * 8);
  }
  return base::Ok();
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
    ++descents_;
    Pull(std::move(differing));
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
                                    session_->cut_min, std::move(session_->done)},
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
                {}});
}

void Repair::Pull(Slices slices) {
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
    ++pulling_.open;
    world_.Post(WorkerActor(worker), std::move(order));
  }
}

void Repair::OnPulled(const PullDoneMail& mail) {
  if (session_ == nullptr || mail.serial != session_->serial) return;
  session_->entries += mail.entries;
  session_->pulled += mail.entries;
  session_->settled.insert(session_->settled.end(), mail.settled.begin(), mail.settled.end());
  if (!mail.status.ok()) pulling_.status = mail.status;
  if (--pulling_.open > 0) return;
  if (!pulling_.status.ok()) {
    End(pulling_.status.message());
    return;
  }
  session_->ends = world_.Now() + kSessionMax;
  if (session_->entries > 0)
    base::log::Info("repair", "pulled {} entries from node {}", session_->entries, session_->peer);
  Look();
}

void Repair::End(const std::string& problem) {
  const std::unique_ptr<Session> session = std::move(session_);
  // A peer that shares nothing with us any more is not remembered again.
  if (const auto it = peers_.find(session->peer); it != peers_.end()) {
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
                   {}});
  // Who waits goes on at once, while peers answer; else with the next tick.
  if (session_ != nullptr || wanted_.empty() || !session->answered) return;
  Wanted next = std::move(wanted_.front());
  wanted_.pop_front();
  Begin(std::move(next));
}

}  // namespace starling::server
