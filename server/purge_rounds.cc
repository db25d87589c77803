#include "server/purge_rounds.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mutants.h"
#include "server/purge/rules.h"

namespace starling::server {
namespace {

constexpr base::Duration kRoundMax = base::seconds(10);
constexpr std::size_t kPlansMax = 256;  // Of one interval; the next one takes the rest.

}  // namespace

PurgeRounds::PurgeRounds(base::World& world, NodeShared& shared, PeerLinks& links, Repair& repair)
    : world_(world), shared_(shared), links_(links), repair_(repair) {}

std::size_t PurgeRounds::IndexOf(base::NodeNumber number) const {
  const topology::Node* node = snapshot_->topology->FindNumber(number);
  CHECK(node != nullptr);  // Numbers are never dropped.
  return static_cast<std::size_t>(node - snapshot_->topology->nodes.data());
}

// A proof holds in its epoch alone.
void PurgeRounds::Adopt(SnapshotPtr snapshot) {
  const bool changed =
      snapshot_ == nullptr || snapshot_->topology->epoch != snapshot->topology->epoch;
  if (snapshot_ == nullptr) next_ = world_.Now() + shared_.config.purge.interval;
  snapshot_ = std::move(snapshot);
  if (!changed) return;
  round_.reset();
  plans_.clear();
}

// Empty: rounds need not wait for it.
std::string PurgeRounds::Obstacle(std::size_t node) const {
  if (!snapshot_->peers[node].up) return snapshot_->peers[node].WhyNotUp();
  if (!snapshot_->peers[node].ready) return "it is not ready";
  return "";
}

// Rounds go on without a node that was declared absent: it is stale when it returns.
bool PurgeRounds::TakesPart(std::size_t node) const { return snapshot_->node(node).absent == 0; }

// Empty: those that take part are a majority, so that they have all that was ever acknowledged.
std::string PurgeRounds::TooFew(std::span<const std::uint16_t> replicas) const {
  const auto taking = static_cast<std::size_t>(
      std::ranges::count_if(replicas, [this](std::uint16_t node) { return TakesPart(node); }));
  if (taking * 2 > replicas.size()) return "";
  const auto absent =
      std::ranges::find_if(replicas, [this](std::uint16_t node) { return !TakesPart(node); });
  return fmt::format("{}: it is absent, and the others are no majority of the replicas",
                     snapshot_->node(*absent).cluster.IpString());
}

std::vector<std::string> PurgeRounds::Blockers(base::KeyspaceId keyspace) const {
  std::map<std::size_t, std::string> obstacles;
  std::set<std::string> too_few;
  for (const topology::Range& range : snapshot_->ring->ranges(keyspace)) {
    if (std::find(range.replicas.begin(), range.replicas.end(), snapshot_->self) ==
        range.replicas.end())
      continue;
    if (std::string few = TooFew(range.replicas); !few.empty()) too_few.insert(std::move(few));
    for (const std::uint16_t node : range.replicas)
      if (const std::string why = Obstacle(node); TakesPart(node) && !why.empty())
        obstacles[node] = why;
  }
  std::vector<std::string> blockers(too_few.begin(), too_few.end());
  for (const auto& [node, why] : obstacles)
    blockers.push_back(fmt::format("{}: {}", snapshot_->node(node).cluster.IpString(), why));
  const Standing standing = StandingOf(keyspace);
  if (blockers.empty() && !standing.blocked_by.empty()) blockers.push_back(standing.blocked_by);
  return blockers;
}

PurgeRounds::Standing PurgeRounds::StandingOf(base::KeyspaceId keyspace) const {
  const auto it = standings_.find(keyspace);
  return it == standings_.end() ? Standing{} : it->second;
}

// --- beginning rounds ---

void PurgeRounds::OnTick(base::Instant now) {
  if (!shared_.config.purge.enabled) return;
  if (round_) {
    if (now < round_ends_) return;
    for (const base::NodeNumber owner : round_->plan().owners)
      round_->OnRefused(owner, "it does not answer");
    Conclude();
    return;
  }
  if (!plans_.empty()) return BeginNext();
  if (due_missing_ == 0 && now >= next_) AskWhatIsDue();
}

void PurgeRounds::AskWhatIsDue() {
  next_ = world_.Now() + shared_.config.purge.interval;
  horizon_ = purge::HorizonAt(world_.WallMs(), base::ToMs(shared_.config.purge.horizon));
  if (horizon_ == 0) return;
  due_.clear();
  due_serial_ = ++serial_;
  due_missing_ = shared_.workers;
  for (unsigned worker = 0; worker < shared_.workers; ++worker) {
    auto query = std::make_unique<PurgeDueQueryMail>();
    query->serial = due_serial_;
    query->horizon = horizon_;
    world_.Post(WorkerActor(worker), std::move(query));
  }
}

void PurgeRounds::OnDue(PurgeDueAnswerMail& mail) {
  if (mail.serial != due_serial_ || due_missing_ == 0) return;
  for (auto& [keyspace, buckets] : mail.due)
    due_[keyspace].insert(due_[keyspace].end(), buckets.begin(), buckets.end());
  if (--due_missing_ == 0) MakePlans();
}

void PurgeRounds::MakePlans() {
  plans_.clear();
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces) {
    standings_[keyspace.id].blocked_by.clear();
    const auto due = due_.find(keyspace.id);
    if (due == due_.end()) continue;
    std::map<std::vector<base::NodeNumber>, std::vector<std::uint16_t>> by_owners;
    for (const std::uint16_t bucket : due->second) {
      std::vector<base::NodeNumber> owners;
      const auto replicas = snapshot_->ring->Replicas(keyspace.id, bucket);
      std::string obstacle = TooFew(replicas);
      for (const std::uint16_t node : replicas) {
        if (!TakesPart(node)) continue;
        const std::string why = Obstacle(node);
        if (!why.empty() && base::Mutant("purge-skips-the-dead")) continue;
        owners.push_back(snapshot_->node(node).number);
        if (!why.empty())
          obstacle = fmt::format("{}: {}", snapshot_->node(node).cluster.IpString(), why);
      }
      std::sort(owners.begin(), owners.end());
      if (owners.empty() || owners.front() != snapshot_->me().number) continue;
      if (obstacle.empty())
        by_owners[owners].push_back(bucket);
      else
        standings_[keyspace.id].blocked_by = obstacle;
    }
    for (const auto& [owners, buckets] : by_owners)
      for (std::size_t at = 0; at < buckets.size() && plans_.size() < kPlansMax;
           at += purge::kRoundBucketsMax) {
        const auto first = buckets.begin() + static_cast<std::ptrdiff_t>(at);
        const auto count = std::min(purge::kRoundBucketsMax, buckets.size() - at);
        plans_.push_back({keyspace.id,
                          snapshot_->topology->epoch,
                          horizon_,
                          owners,
                          {first, first + static_cast<std::ptrdiff_t>(count)}});
      }
  }
  due_.clear();
  if (!plans_.empty()) BeginNext();
}

void PurgeRounds::BeginNext() {
  round_.emplace(std::move(plans_.front()));
  plans_.pop_front();
  round_serial_ = ++serial_;
  round_ends_ = world_.Now() + kRoundMax;
  for (const base::NodeNumber owner : std::vector(round_->plan().owners)) {
    Send(owner, purge::Step::kProve, round_->plan().buckets);
    if (!round_) return;
  }
}

void PurgeRounds::Send(base::NodeNumber owner, purge::Step step,
                       const std::vector<std::uint16_t>& buckets) {
  const purge::Plan& plan = round_->plan();
  const std::string payload =
      purge::EncodeRequest({step, plan.epoch, plan.keyspace, plan.horizon, buckets});
  const std::uint64_t serial = step == purge::Step::kProve ? round_serial_ : 0;
  if (owner == snapshot_->me().number) {
    Handle(payload, [this, owner, serial](const base::Result<std::string>& answer) {
      if (round_ && serial == round_serial_) OnAnswer(owner, answer);
    });
    return;
  }
  const topology::Node& node = snapshot_->node(IndexOf(owner));
  links_.Send({node.cluster, node.host}, {kTagPurge, owner, serial, 0},
              wire::ControlRequest{wire::ControlTopic::kPurge, base::Hash64(payload)}, payload);
}

void PurgeRounds::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  const auto reply = wire::Decode<wire::ControlReply>(frame.header);
  const bool sound = frame.kind == wire::Kind::kControlReply && reply &&
                     base::Hash64(frame.payload) == reply->payload_digest;
  // Others purge by what it reports, so an owner that loses it has lost what it acknowledged.
  if (sound) shared_.peer_marks.Note(tag.b, {reply->boot, reply->mark});
  if (!round_ || tag.a != round_serial_) return;  // Of a COMMIT, or of a round that is over.
  if (sound) return OnAnswer(static_cast<base::NodeNumber>(tag.b), std::string(frame.payload));
  const auto error = wire::Decode<wire::ErrorReply>(frame.header);
  OnPeerFailed(tag, frame.kind == wire::Kind::kError && error
                        ? base::Status(error->code, error->message)
                        : base::InvalidArgument("its answer is malformed"));
}

void PurgeRounds::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  if (!round_ || tag.a != round_serial_) return;
  OnAnswer(static_cast<base::NodeNumber>(tag.b), base::Fail(status));
}

void PurgeRounds::OnAnswer(base::NodeNumber owner, const base::Result<std::string>& answer) {
  if (answer) {
    auto report = purge::DecodeReport(*answer);
    if (report)
      round_->OnReport(owner, *std::move(report));
    else
      round_->OnRefused(owner, report.error().message());
  } else {
    round_->OnRefused(owner, answer.error().message());
  }
  if (round_->over()) Conclude();
}

void PurgeRounds::Conclude() {
  const purge::Plan& plan = round_->plan();
  Standing& standing = standings_[plan.keyspace];
  if (round_->blocked()) {
    standing.blocked_by =
        fmt::format("{}: {}", snapshot_->node(IndexOf(round_->blocked_by())).cluster.IpString(),
                    round_->reason());
    base::log::Debug("purge", "a round is given up: {}", standing.blocked_by);
    // The others of these owners would fail of the same.
    const auto owners = plan.owners;
    std::erase_if(plans_, [&](const purge::Plan& each) { return each.owners == owners; });
  } else {
    const std::vector<std::uint16_t> proved = round_->Proved();
    standing.unequal = plan.buckets.size() - proved.size();
    if (!proved.empty()) {
      ++standing.rounds;
      standing.proved_ms =
          std::max(standing.proved_ms, static_cast<std::int64_t>(plan.horizon >> 16));
      for (const base::NodeNumber owner : plan.owners) Send(owner, purge::Step::kCommit, proved);
    }
    if (standing.unequal > 0) repair_.CompareSoon({plan.owners.begin(), plan.owners.end()});
  }
  round_.reset();
}

// --- answering them ---

void PurgeRounds::Handle(base::Bytes payload,
                         std::function<void(base::Result<std::string>)> answer) {
  const auto request = purge::DecodeRequest(payload);
  if (!request) return answer(base::Fail(request.error()));
  const purge::OwnerFacts facts{
      .epoch = snapshot_->topology->epoch,
      .ready = snapshot_->ready(),
      .enabled = shared_.config.purge.enabled,
      .syncs_all = shared_.config.storage.durability == Durability::kGroup,
      .wall_ms = world_.WallMs(),
      .write_timeout_ms = base::ToMs(shared_.config.timeouts.write)};
  if (const base::Status may = purge::MayTakePart(facts, *request); !may.ok())
    return answer(base::Fail(may));
  const std::uint64_t serial = ++serial_;
  Gather& gather = gathers_[serial];
  gather.answer = std::move(answer);
  gather.report.epoch = request->epoch;
  gather.report.digests.resize(request->buckets.size());
  std::map<unsigned, std::unique_ptr<PurgeStepMail>> mails;
  for (std::size_t i = 0; i < request->buckets.size(); ++i) {
    auto& mail = mails[base::WorkerOf(request->buckets[i], shared_.workers)];
    if (mail == nullptr) {
      mail = std::make_unique<PurgeStepMail>();
      mail->serial = ++serial_;
      mail->request = {request->step, request->epoch, request->keyspace, request->horizon, {}};
      mails_[mail->serial] = serial;
      ++gather.missing;
    }
    mail->request.buckets.push_back(request->buckets[i]);
    gather.places[mail->serial].push_back(i);
  }
  for (auto& [worker, mail] : mails) world_.Post(WorkerActor(worker), std::move(mail));
}

void PurgeRounds::OnStepDone(PurgeStepDoneMail& mail) {
  const auto owner = mails_.find(mail.serial);
  CHECK(owner != mails_.end());
  const std::uint64_t serial = owner->second;
  mails_.erase(owner);
  Gather& gather = gathers_.at(serial);
  if (!mail.status.ok()) gather.status = mail.status;
  const std::vector<std::size_t>& places = gather.places.at(mail.serial);
  for (std::size_t i = 0; i < mail.digests.size(); ++i)
    gather.report.digests[places[i]] = mail.digests[i];
  if (--gather.missing > 0) return;
  const Gather done = std::move(gather);
  gathers_.erase(serial);
  if (done.status.ok())
    done.answer(purge::EncodeReport(done.report));
  else
    done.answer(base::Fail(done.status));
}

}  // namespace starling::server
