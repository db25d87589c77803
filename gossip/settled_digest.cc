// gossip/settled_digest.cc: rumors grow old, and what the digest was and will be.
#include "gossip/settled_digest.h"

#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/random.h"

namespace starling::gossip {
namespace {

// How far a difference in time is allowed for, in rumors. Past it a digest is another one, which
// costs a comparison and nothing else.
constexpr std::size_t kStepsMax = 64;

// By how much the digest changes when `version` comes to count, after `before`.
std::uint64_t Step(const std::string& key, const RumorVersion* before, RumorVersion version) {
  if (before == nullptr) return DigestOf(key, version);
  if (version <= *before) return 0;
  return DigestOf(key, version) - DigestOf(key, *before);
}

}  // namespace

std::uint64_t DigestOf(const std::string& key, RumorVersion version) {
  return base::Mix64(base::Hash64(key) ^ base::Mix64(version.version ^ base::Mix64(version.hash)));
}

void SettledDigest::Add(base::Instant born, const std::string& key, RumorVersion version) {
  young_.emplace(born, Young{key, version});
}

void SettledDigest::Advance(base::Instant now) {
  while (!before_.empty() && before_.front().until + lag_ < now) before_.pop_front();
  while (!young_.empty() && (young_.begin()->first + lag_ <= now || young_.size() > young_max_))
    SettleOldest(now);
}

void SettledDigest::SettleOldest(base::Instant now) {
  const auto [key, version] = std::move(young_.begin()->second);
  young_.erase(young_.begin());
  const auto [settled, is_new] = settled_.try_emplace(key, version);
  const std::uint64_t step = Step(key, is_new ? nullptr : &settled->second, version);
  if (step == 0) return;
  settled->second = version;
  before_.push_back({now, value_});
  if (before_.size() > kStepsMax) before_.pop_front();
  value_ += step;
}

bool SettledDigest::MayBe(std::uint64_t theirs) const {
  if (theirs == value_) return true;
  for (const Before& before : before_) {
    if (theirs == before.value) return true;
  }
  std::uint64_t ahead = value_;
  std::map<std::string_view, RumorVersion> settled_ahead;
  std::size_t steps = 0;
  for (const auto& [born, young] : young_) {
    if (++steps > kStepsMax) break;
    const auto passed = settled_ahead.find(young.key);
    const auto settled = settled_.find(young.key);
    const RumorVersion* before = passed != settled_ahead.end() ? &passed->second
                                 : settled != settled_.end()   ? &settled->second
                                                               : nullptr;
    const std::uint64_t step = Step(young.key, before, young.version);
    if (step == 0) continue;
    ahead += step;
    settled_ahead[young.key] = young.version;
    if (theirs == ahead) return true;
  }
  return false;
}

}  // namespace starling::gossip
