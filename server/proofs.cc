#include "server/proofs.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mutants.h"

namespace starling::server {
namespace {

// RangeQuestion: epoch u64 | cut i64 | count u32 | each: keyspace u32, first u16, last u16,
// digest 24. Answer:   epoch u64 | count u32 | each u8 1: equal.
struct RangeQuestion {
  std::uint64_t epoch = 0;
  merkle::Generation cut = 0;
  struct One {
    base::KeyspaceId keyspace = 0;
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    merkle::Digest digest;
  };
  std::vector<One> ranges;
};
constexpr std::size_t kRangeQuestionHead = 20;
constexpr std::size_t kRangeQuestionRecord = 8 + merkle::Digest::kSize;
constexpr std::size_t kRangeAnswerHead = 12;

std::string EncodeRangeQuestion(const RangeQuestion& question) {
  std::string out;
  base::AppendLittle(out, question.epoch);
  base::AppendLittle(out, static_cast<std::uint64_t>(question.cut));
  base::AppendLittle(out, static_cast<std::uint32_t>(question.ranges.size()));
  for (const RangeQuestion::One& one : question.ranges) {
    base::AppendLittle(out, one.keyspace);
    base::AppendLittle(out, one.first);
    base::AppendLittle(out, one.last);
    out.resize(out.size() + merkle::Digest::kSize);
    one.digest.StoreTo(out.data() + out.size() - merkle::Digest::kSize);
  }
  return out;
}

base::Result<RangeQuestion> DecodeRangeQuestion(base::Bytes in) {
  const base::Status bad = base::InvalidArgument("a proof's question is malformed");
  if (in.size() < kRangeQuestionHead) return base::Fail(bad);
  RangeQuestion question;
  question.epoch = base::LoadLittle<std::uint64_t>(in.data());
  question.cut = static_cast<merkle::Generation>(base::LoadLittle<std::uint64_t>(in.data() + 8));
  const auto count = base::LoadLittle<std::uint32_t>(in.data() + 16);
  if (in.size() != kRangeQuestionHead + std::size_t{count} * kRangeQuestionRecord)
    return base::Fail(bad);
  for (std::size_t at = kRangeQuestionHead; at < in.size(); at += kRangeQuestionRecord)
    question.ranges.push_back({base::LoadLittle<std::uint32_t>(in.data() + at),
                               base::LoadLittle<std::uint16_t>(in.data() + at + 4),
                               base::LoadLittle<std::uint16_t>(in.data() + at + 6),
                               merkle::Digest::LoadFrom(in.data() + at + 8)});
  return question;
}

}  // namespace

Proofs::Proofs(base::World& world, NodeShared& shared, PeerLinks& links, Persist persist)
    : world_(world), shared_(shared), links_(links), persist_(std::move(persist)) {}

base::Status Proofs::Load() {
  const auto cursor = shared_.engine.Scan(storage::Family::kMeta, kProofsBegin, kProofsEnd);
  for (cursor->Seek(kProofsBegin); cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(RangeProof proof, DecodeProof(cursor->key(), cursor->value()));
    const Place place{proof.keyspace, proof.first_bucket};
    proofs_[place] = std::move(proof);
  }
  return cursor->status();
}

template <typename Visit>
void Proofs::ForEachRange(Visit&& visit) const {
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces)
    for (const topology::Range& range : snapshot_->ring->ranges(keyspace.id))
      if (std::ranges::find(range.replicas, snapshot_->self) != range.replicas.end())
        visit(keyspace.id, range);
}

std::vector<base::NodeNumber> Proofs::NumbersOf(const topology::Range& range) const {
  std::vector<base::NodeNumber> numbers;
  for (const std::uint16_t node : range.replicas) numbers.push_back(snapshot_->node(node).number);
  std::ranges::sort(numbers);
  return numbers;
}

std::string Proofs::NameOf(base::NodeNumber number) const {
  const topology::Node* node = snapshot_->topology->FindNumber(number);
  return node == nullptr ? fmt::format("node {}", number) : node->cluster.IpString();
}

void Proofs::OnTick(base::Instant now) {
  if (snapshot_ == nullptr) return;
  if (round_ != nullptr) {
    if (now < round_->ends) return;
    const auto asked = round_->asked;
    for (const auto& [peer, places] : asked) NoAnswer(peer, "it does not answer");
    if (round_ != nullptr) EndRound();  // Our own workers did not answer.
    return;
  }
  if (!shared_.config.repair.enabled || now < due_) return;
  due_ = now + shared_.config.repair.interval;
  Begin();
}

void Proofs::GatherSums(merkle::Generation cut, std::function<void(const Gathered&)> then) {
  const std::uint64_t serial = ++serial_;
  gathers_[serial] = {shared_.workers, snapshot_->topology->epoch, {}, std::move(then)};
  for (unsigned worker = 0; worker < shared_.workers; ++worker) {
    auto query = std::make_unique<RangeSumsQueryMail>();
    query->serial = serial;
    query->cut = cut;
    world_.Post(WorkerActor(worker), std::move(query));
  }
}

void Proofs::OnSums(const RangeSumsMail& mail) {
  const auto it = gathers_.find(mail.serial);
  if (it == gathers_.end()) return;
  Gathered& all = it->second.all;
  all.oldest = std::max(all.oldest, mail.oldest);
  all.unmade += mail.unmade;
  all.one_epoch = all.one_epoch && mail.epoch == it->second.epoch;
  for (const auto& [place, digest] : mail.sums) all.sums[place] += digest;
  if (--it->second.missing > 0) return;
  const Gather done = std::move(it->second);
  gathers_.erase(it);
  done.then(done.all);
}

// --- a round ---

void Proofs::Begin() {
  round_ = std::make_unique<Round>();
  round_->serial = ++serial_;
  round_->epoch = snapshot_->topology->epoch;
  round_->cut = merkle::NewestCut(world_.WallMs());
  round_->ends = world_.Now() + kRoundMax;
  GatherSums(round_->cut, [this, serial = round_->serial](const Gathered& gathered) {
    if (round_ != nullptr && round_->serial == serial) Ask(gathered);
  });
}

void Proofs::Ask(const Gathered& gathered) {
  if (!gathered.one_epoch || gathered.oldest > round_->cut ||
      round_->epoch != snapshot_->topology->epoch) {
    round_.reset();  // Too young, or ownership is changing: the next one will do.
    return;
  }
  if (gathered.unmade > 0) {
    ForEachRange([&](base::KeyspaceId keyspace, const topology::Range& range) {
      round_->blocked[{keyspace, range.first_bucket}].emplace_back(
          "this node's tree is being made anew");
    });
    return EndRound();
  }
  round_->sums = gathered.sums;
  std::map<base::NodeNumber, RangeQuestion> questions;
  ForEachRange([&](base::KeyspaceId keyspace, const topology::Range& range) {
    const Place place{keyspace, range.first_bucket};
    const auto sum = gathered.sums.find(place);
    if (sum == gathered.sums.end()) return;
    if (range.replicas.size() > kReplicasMax) {
      round_->blocked[place].push_back(
          fmt::format("it has {} replicas, and proofs are made with {} at most",
                      range.replicas.size(), kReplicasMax));
      return;
    }
    for (const std::uint16_t node : range.replicas) {
      const base::NodeNumber number = snapshot_->node(node).number;
      if (node == snapshot_->self) {
        round_->equal[place].insert(number);
      } else if (!snapshot_->peers[node].up) {
        round_->blocked[place].push_back(NameOf(number) + ": " + snapshot_->peers[node].WhyNotUp());
      } else {
        questions[number].ranges.push_back(
            {keyspace, range.first_bucket, range.last_bucket, sum->second});
        round_->asked[number].push_back(place);
      }
    }
  });
  for (auto& [number, question] : questions) {
    question.epoch = round_->epoch;
    question.cut = round_->cut;
    const topology::Node& peer = *snapshot_->topology->FindNumber(number);
    const std::string payload = EncodeRangeQuestion(question);
    links_.Send({peer.cluster, peer.host}, {kTagProve, number, round_->serial, 0},
                wire::ControlRequest{wire::ControlTopic::kProve, base::Hash64(payload)}, payload);
  }
  if (round_->asked.empty()) EndRound();
}

void Proofs::HandleQuestion(base::NodeNumber, base::Bytes bytes,
                            const std::function<void(base::Result<std::string>)>& answer) {
  const auto question = DecodeRangeQuestion(bytes);
  if (!question) return answer(base::Fail(question.error()));
  if (question->cut > merkle::NewestCut(world_.WallMs()) + 1)
    return answer(base::Fail(base::FailedPrecondition("the cut is too new by this node's clock")));
  GatherSums(question->cut, [this, question = *question, answer](const Gathered& gathered) {
    if (!gathered.one_epoch || question.epoch != snapshot_->topology->epoch)
      return answer(base::Fail(base::FailedPrecondition("this node is not in the asker's epoch")));
    if (gathered.unmade > 0)
      return answer(base::Fail(base::Unavailable("its tree is being made anew")));
    if (gathered.oldest > question.cut)
      return answer(
          base::Fail(base::FailedPrecondition("this node has not run for long enough yet")));
    std::string out;
    base::AppendLittle(out, question.epoch);
    base::AppendLittle(out, static_cast<std::uint32_t>(question.ranges.size()));
    for (const RangeQuestion::One& one : question.ranges) {
      const auto mine = gathered.sums.find({one.keyspace, one.first});
      const bool equal = mine != gathered.sums.end() && mine->second == one.digest;
      base::AppendLittle(out, static_cast<std::uint8_t>(equal ? 1 : 0));
    }
    answer(std::move(out));
  });
}

void Proofs::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  if (round_ == nullptr || tag.a != round_->serial) return;
  const base::NodeNumber peer = tag.b;
  const auto reply = wire::Decode<wire::ControlReply>(frame.header);
  if (frame.kind == wire::Kind::kControlReply && reply &&
      base::Hash64(frame.payload) == reply->payload_digest) {
    // It vouches for what it has pulled, too, which no answer to a write ever told of.
    shared_.peer_marks.Note(peer, {reply->boot, reply->mark});
    return OnAnswer(peer, frame.payload);
  }
  const auto error = wire::Decode<wire::ErrorReply>(frame.header);
  NoAnswer(peer, frame.kind == wire::Kind::kError && error ? std::string(error->message)
                                                           : "its answer is malformed");
}

void Proofs::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  if (round_ != nullptr && tag.a == round_->serial) NoAnswer(tag.b, status.message());
}

void Proofs::OnAnswer(base::NodeNumber peer, base::Bytes answer) {
  const auto it = round_->asked.find(peer);
  if (it == round_->asked.end()) return;
  const std::vector<Place>& places = it->second;
  if (answer.size() != kRangeAnswerHead + places.size() ||
      base::LoadLittle<std::uint64_t>(answer.data()) != round_->epoch)
    return NoAnswer(peer, "its answer is malformed");
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (answer[kRangeAnswerHead + i] == 1)
      round_->equal[places[i]].insert(peer);
    else
      round_->blocked[places[i]].push_back(NameOf(peer) + ": it differs");
  }
  round_->asked.erase(it);
  if (round_->asked.empty()) EndRound();
}

void Proofs::NoAnswer(base::NodeNumber peer, const std::string& why) {
  const auto it = round_->asked.find(peer);
  if (it == round_->asked.end()) return;
  for (const Place& place : it->second)
    round_->blocked[place].push_back(fmt::format("{}: {}", NameOf(peer), why));
  round_->asked.erase(it);
  if (round_->asked.empty()) EndRound();
}

void Proofs::EndRound() {
  const std::unique_ptr<Round> round = std::move(round_);
  blocked_ = round->blocked;
  if (round->epoch != snapshot_->topology->epoch) return;
  auto batch = std::make_unique<storage::Batch>();
  auto proved = std::make_shared<std::vector<RangeProof>>();
  std::set<Place> ours;
  ForEachRange([&](base::KeyspaceId keyspace, const topology::Range& range) {
    const Place place{keyspace, range.first_bucket};
    ours.insert(place);
    const auto equal = round->equal.find(place);
    const std::vector<base::NodeNumber> replicas = NumbersOf(range);
    const std::size_t needed = base::Mutant("repair-proof-by-two") ? 2 : replicas.size();
    if (equal == round->equal.end() || equal->second.size() < std::min(needed, replicas.size()))
      return;
    proved->push_back({keyspace, range.first_bucket, range.last_bucket, replicas, round->epoch,
                       round->cut, round->sums.at(place), world_.WallMs()});
    batch->Put(storage::Family::kMeta, ProofKey(keyspace, range.first_bucket),
               EncodeProof(proved->back()));
  });
  for (const auto& [place, proof] : proofs_)
    if (!ours.contains(place))
      batch->Delete(storage::Family::kMeta, ProofKey(place.first, place.second));
  std::erase_if(proofs_, [&](const auto& each) { return !ours.contains(each.first); });
  if (batch->empty()) return;
  persist_(std::move(batch), [this, proved] {
    for (const RangeProof& proof : *proved) proofs_[{proof.keyspace, proof.first_bucket}] = proof;
  });
}

// --- what is proved ---

const RangeProof* Proofs::Find(base::KeyspaceId keyspace, const topology::Range& range) const {
  const auto it = proofs_.find({keyspace, range.first_bucket});
  if (it == proofs_.end() || it->second.last_bucket != range.last_bucket) return nullptr;
  return it->second.replicas == NumbersOf(range) ? &it->second : nullptr;
}

std::vector<std::string> Proofs::BlockedBy(base::KeyspaceId keyspace,
                                           const topology::Range& range) const {
  const auto it = blocked_.find({keyspace, range.first_bucket});
  return it == blocked_.end() ? std::vector<std::string>() : it->second;
}

const RangeProof* Proofs::Oldest() const {
  const RangeProof* oldest = nullptr;
  bool all = true;
  ForEachRange([&](base::KeyspaceId keyspace, const topology::Range& range) {
    const RangeProof* proof = Find(keyspace, range);
    all = all && proof != nullptr;
    if (proof != nullptr && (oldest == nullptr || proof->through < oldest->through)) oldest = proof;
  });
  return all ? oldest : nullptr;
}

}  // namespace starling::server
