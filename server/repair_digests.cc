// server/repair_digests.cc: what two nodes tell each other of a comparison: sums, and which differ.
#include <fmt/core.h>

#include "base/hash.h"
#include "merkle/compare.h"
#include "server/repair.h"

namespace starling::server {
namespace {

// No clock shows more: 48 bits of ms.
constexpr merkle::Generation kCutsMax = (1LL << 48) / merkle::kGenerationMs;

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

void Repair::Compare(const Gathered& gathered) {
  if (gathered.unmade > 0) {
    End("this node's tree is being made anew");
    return;
  }
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
                           const std::function<void(base::Result<std::string>)>& answer) {
  const auto question = DecodeQuestion(bytes);
  if (!question) return answer(base::Fail(question.error()));
  if (question->epoch != snapshot_->topology->epoch)
    return answer(base::Fail(
        base::FailedPrecondition(fmt::format("this node is in epoch {}, the asker in {}",
                                             snapshot_->topology->epoch, question->epoch))));
  GatherSums(peer, question->cut, [this, question = *question, answer](const Gathered& gathered) {
    if (gathered.unmade > 0)
      return answer(base::Fail(base::Unavailable("its tree is being made anew")));
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
  base::Status bad = base::InvalidArgument("a comparison's answer is malformed");
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

}  // namespace starling::server
