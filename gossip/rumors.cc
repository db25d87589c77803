// gossip/rumors.cc: the store of rumors, the telling of the hot ones, and the digests of all.
#include "gossip/rumors.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace starling::gossip {
namespace {

constexpr std::size_t kContactsMax = 256;                  // Feedback later than that is lost.
constexpr base::Duration kPullTimeout = base::seconds(2);  // Then another may be asked.
// Between comparisons: where rumors come all the time, some are always late, and would be pulled.
constexpr base::Duration kCompareGapMin = base::seconds(1);
constexpr std::size_t kBytesPerMessageMax = 4UL << 20;  // The rest comes with the next.

std::size_t BucketOf(const std::string& key) { return base::Hash64(key) % kRumorBuckets; }

}  // namespace

Rumors::Rumors(const GossipOptions& options, Outputs& outputs, Counters& counters)
    : options_(options),
      outputs_(outputs),
      counters_(counters),
      settled_(options.rumor_digest_lag, options.rumors_max),
      compare_gap_(kCompareGapMin) {}

void Rumors::Advance(base::Instant now) {
  now_ = now;
  settled_.Advance(now);
}

void Rumors::Publish(const std::string& key, std::uint64_t version, std::string payload) {
  CHECK(!key.empty());
  CHECK(key.size() <= kRumorKeyBytesMax);
  if (payload.size() > options_.rumor_payload_bytes_max) {
    ++counters_.rejected;
    return;
  }
  Known fresh{{version, base::Hash64(payload)}, std::move(payload), now_};
  const auto found = known_.find(key);
  if (found != known_.end() && fresh.version <= found->second.version) return;
  Store(key, std::move(fresh));
}

Rumors::Offer Rumors::Hear(base::Instant now, const RumorItem& item) {
  if (const auto found = known_.find(item.key); found != known_.end()) {
    if (VersionOf(item) <= found->second.version) return Offer::kKnown;
  } else if (known_.size() >= options_.rumors_max) {
    ++counters_.rejected;
    return Offer::kKnown;
  }
  if (!item.payload) {
    const auto wanted = wanted_.find(item.key);
    const bool asked = wanted != wanted_.end() && VersionOf(item) <= wanted->second.version &&
                       now - wanted->second.asked < kPullTimeout;
    return asked ? Offer::kPulling : Offer::kWanted;
  }
  Store(item.key, {VersionOf(item), *item.payload, now - item.age});
  ++counters_.rumors_taken;
  outputs_.events.push_back({.kind = Event::kRumor,
                             .rumor_key = item.key,
                             .rumor_version = item.version,
                             .rumor_payload = *item.payload,
                             .reason = "heard"});
  return Offer::kTaken;
}

void Rumors::Pulling(base::Instant now, const RumorItem& item) {
  // Bounded as known_ is: an advertiser of endless keys gets no more than that remembered.
  if (wanted_.size() >= options_.rumors_max && !wanted_.contains(item.key)) wanted_.clear();
  wanted_[item.key] = {VersionOf(item), now};
}

void Rumors::Store(const std::string& key, Known known) {
  std::uint64_t& digest = digests_[BucketOf(key)];
  if (const auto found = known_.find(key); found != known_.end())
    digest -= DigestOf(key, found->second.version);
  digest += DigestOf(key, known.version);
  settled_.Add(known.born, key, known.version);
  settled_.Advance(now_);
  compare_gap_ = kCompareGapMin;
  known_.insert_or_assign(key, std::move(known));
  hot_.insert_or_assign(key, Hot{HotRumor(options_.rumor_counter_k)});
  wanted_.erase(key);
}

RumorItem Rumors::Advertisement(const std::string& key, const Known& known) const {
  return {.key = key,
          .version = known.version.version,
          .hash = known.version.hash,
          .age = now_ - known.born};
}

RumorItem Rumors::Item(const std::string& key, const Known& known, std::size_t inline_max) const {
  RumorItem item = Advertisement(key, known);
  if (known.payload.size() <= inline_max) item.payload = known.payload;
  return item;
}

template <typename Take>
void Rumors::WalkHot(Take take) const {
  auto at = hot_.upper_bound(last_told_);
  for (std::size_t left = std::min(hot_.size(), kRumorsPerDatagramMax); left > 0; --left, ++at) {
    if (at == hot_.end()) at = hot_.begin();
    if (!take(at->first, Item(at->first, known_.at(at->first), options_.inline_payload_max)))
      return;
  }
}

std::size_t Rumors::BytesToTell(std::size_t bytes_max) const {
  std::size_t bytes = 0;
  WalkHot([&](const std::string&, const RumorItem& item) {
    if (bytes + BytesBound(item) > bytes_max) return false;
    bytes += BytesBound(item);
    return true;
  });
  return bytes;
}

std::vector<RumorItem> Rumors::Tell(std::uint64_t nonce, std::size_t bytes_max,
                                    std::size_t sends_max) {
  std::vector<RumorItem> items;
  std::size_t bytes = 0;
  WalkHot([&](const std::string&, RumorItem item) {
    if (bytes + BytesBound(item) > bytes_max) return false;
    bytes += BytesBound(item);
    items.push_back(std::move(item));
    return true;
  });
  if (items.empty()) return items;
  Contact contact{nonce, {}};
  for (const RumorItem& item : items) {
    contact.told.push_back({item.key, VersionOf(item)});
    const auto hot = hot_.find(item.key);
    if (++hot->second.sends >= sends_max) hot_.erase(hot);
  }
  last_told_ = items.back().key;
  counters_.rumors_sent += items.size();
  contacts_.push_back(std::move(contact));
  if (contacts_.size() > kContactsMax) contacts_.pop_front();
  return items;
}

void Rumors::OnFeedback(const Feedback& feedback) {
  const auto contact = std::find_if(contacts_.begin(), contacts_.end(),
                                    [&](const Contact& c) { return c.nonce == feedback.nonce; });
  if (contact == contacts_.end()) return;  // Late, repeated, or not an answer to us.
  for (std::size_t i = 0; i < contact->told.size(); ++i) {
    const bool knew = (feedback.known >> i & 1) != 0;
    if (!knew) ++counters_.rumors_useful;
    Had(contact->told[i], knew ? HotRumor::Contact::kUnnecessary : HotRumor::Contact::kUseful);
  }
  contacts_.erase(contact);
}

void Rumors::Had(const Told& told, HotRumor::Contact contact) {
  const auto found = hot_.find(told.key);
  if (found == hot_.end()) return;
  if (known_.at(told.key).version != told.version) return;  // About an older one.
  Hot& hot = found->second;
  hot.interest.Had(contact);
  if (contact == HotRumor::Contact::kUseful) hot.sends = 0;
  if (!hot.interest.hot()) hot_.erase(found);
}

bool Rumors::WantsToCompare(std::uint64_t theirs) {
  if (now_ < next_compare_ || settled_.MayBe(theirs)) return false;
  next_compare_ = now_ + compare_gap_;
  compare_gap_ = std::min(2 * compare_gap_, std::max(kCompareGapMin, options_.push_pull_interval));
  return true;
}

std::vector<RumorItem> Rumors::Differing(const RumorDigests& theirs) const {
  std::vector<RumorItem> items;
  for (const auto& [key, known] : known_) {
    const std::size_t bucket = BucketOf(key);
    if (theirs[bucket] != digests_[bucket]) items.push_back(Advertisement(key, known));
  }
  return items;
}

std::uint64_t Rumors::digest() const {
  return std::accumulate(digests_.begin(), digests_.end(), std::uint64_t{0});
}

std::vector<RumorItem> Rumors::Advertisements() const {
  std::vector<RumorItem> items;
  items.reserve(known_.size());
  for (const auto& [key, known] : known_) items.push_back(Advertisement(key, known));
  return items;
}

std::vector<RumorItem> Rumors::NewerThan(const std::vector<RumorItem>& theirs) const {
  std::map<std::string_view, const RumorItem*> by_key;
  for (const RumorItem& item : theirs) by_key[item.key] = &item;
  std::vector<RumorItem> newer;
  for (const auto& [key, known] : known_) {
    const auto found = by_key.find(key);
    if (found == by_key.end() || known.version > VersionOf(*found->second))
      newer.push_back(Advertisement(key, known));
  }
  return Fetch(newer);
}

std::vector<RumorItem> Rumors::Fetch(const std::vector<RumorItem>& wanted) const {
  std::vector<RumorItem> items;
  std::size_t bytes = 0;
  for (const RumorItem& want : wanted) {
    const auto found = known_.find(want.key);
    if (found == known_.end()) continue;
    RumorItem item = Item(want.key, found->second, options_.rumor_payload_bytes_max);
    // Keys count too: a peer may want the same small one a million times.
    if (!items.empty() && bytes + BytesBound(item) > kBytesPerMessageMax) break;
    bytes += BytesBound(item);
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace starling::gossip
