// gossip/rumors.cc: the store of rumors, and the telling of the hot ones.
#include "gossip/rumors.h"

#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace starling::gossip {
namespace {

constexpr std::size_t kContactsMax = 256;                  // Feedback later than that is lost.
constexpr base::Duration kPullTimeout = base::seconds(2);  // Then another may be asked.
constexpr std::size_t kBytesPerMessageMax = 4UL << 20;     // The rest comes with the next.

std::uint64_t DigestOf(const std::string& key, std::uint64_t version, std::uint64_t hash) {
  return base::Mix64(base::Hash64(key) ^ base::Mix64(version ^ base::Mix64(hash)));
}

// The order of two payloads of a key.
template <typename A, typename B>
bool Newer(const A& a, const B& b) {
  return std::tie(a.version, a.hash) > std::tie(b.version, b.hash);
}

}  // namespace

Rumors::Rumors(const GossipOptions& options, Outputs& outputs, Counters& counters)
    : options_(options), outputs_(outputs), counters_(counters) {}

void Rumors::Publish(std::string key, std::uint64_t version, std::string payload) {
  CHECK(!key.empty());
  CHECK(key.size() <= kRumorKeyBytesMax);
  if (payload.size() > options_.rumor_payload_bytes_max) {
    ++counters_.rejected;
    return;
  }
  Known fresh{version, base::Hash64(payload), std::move(payload)};
  if (const auto found = known_.find(key); found != known_.end() && !Newer(fresh, found->second))
    return;
  Store(key, std::move(fresh));
}

Rumors::Offer Rumors::Hear(base::Instant now, const RumorItem& item) {
  if (const auto found = known_.find(item.key); found != known_.end()) {
    if (!Newer(item, found->second)) return Offer::kKnown;
  } else if (known_.size() >= options_.rumors_max) {
    ++counters_.rejected;
    return Offer::kKnown;
  }
  if (!item.payload) {
    const auto wanted = wanted_.find(item.key);
    const bool asked = wanted != wanted_.end() && !Newer(item, wanted->second) &&
                       now - wanted->second.asked < kPullTimeout;
    return asked ? Offer::kPulling : Offer::kWanted;
  }
  Store(item.key, {item.version, item.hash, *item.payload});
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
  wanted_[item.key] = {item.version, item.hash, now};
}

void Rumors::Store(const std::string& key, Known known) {
  if (const auto found = known_.find(key); found != known_.end())
    digest_ -= DigestOf(key, found->second.version, found->second.hash);
  digest_ += DigestOf(key, known.version, known.hash);
  known_.insert_or_assign(key, std::move(known));
  hot_.insert_or_assign(key, Hot{HotRumor(options_.rumor_counter_k)});
  wanted_.erase(key);
}

RumorItem Rumors::Item(const std::string& key, const Known& known, std::size_t inline_max) const {
  RumorItem item{.key = key, .version = known.version, .hash = known.hash};
  if (known.payload.size() <= inline_max) item.payload = known.payload;
  return item;
}

std::vector<RumorItem> Rumors::Tell(std::uint64_t nonce, std::size_t bytes_max,
                                    std::size_t sends_max) {
  std::vector<RumorItem> items;
  Contact contact{nonce, {}};
  std::size_t bytes = 0;
  auto at = hot_.upper_bound(last_told_);
  for (std::size_t left = hot_.size(); left > 0 && items.size() < kRumorsPerDatagramMax; --left) {
    if (at == hot_.end()) at = hot_.begin();
    const auto& [key, hot] = *at;
    RumorItem item = Item(key, known_.at(key), options_.inline_payload_max);
    if (bytes + BytesBound(item) > bytes_max) break;
    bytes += BytesBound(item);
    contact.told.push_back({key, item.version, item.hash});
    items.push_back(std::move(item));
    last_told_ = key;
    ++counters_.rumors_sent;
    at = ++at->second.sends >= sends_max ? hot_.erase(at) : std::next(at);
  }
  if (items.empty()) return items;
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
  const Known& known = known_.at(told.key);
  if (known.version != told.version || known.hash != told.hash) return;  // About an older one.
  Hot& hot = found->second;
  hot.interest.Had(contact);
  if (contact == HotRumor::Contact::kUseful) hot.sends = 0;
  if (!hot.interest.hot()) hot_.erase(found);
}

std::vector<RumorItem> Rumors::Advertisements() const {
  std::vector<RumorItem> items;
  items.reserve(known_.size());
  for (const auto& [key, known] : known_)
    items.push_back({.key = key, .version = known.version, .hash = known.hash});
  return items;
}

std::vector<RumorItem> Rumors::NewerThan(const std::vector<RumorItem>& theirs) const {
  std::map<std::string_view, const RumorItem*> by_key;
  for (const RumorItem& item : theirs) by_key[item.key] = &item;
  std::vector<RumorItem> newer;
  for (const auto& [key, known] : known_) {
    const auto found = by_key.find(key);
    if (found == by_key.end() || Newer(known, *found->second))
      newer.push_back({.key = key, .version = known.version, .hash = known.hash});
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
