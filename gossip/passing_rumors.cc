#include "gossip/passing_rumors.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace starling::gossip {
namespace {

constexpr std::size_t kPassingContactsMax = 1024;  // Feedback later than that is lost.
constexpr base::Duration kPassingPullTimeout = base::seconds(2);  // Then another may be asked.
constexpr std::size_t kPassingBytesMax = 4UL << 20;  // The rest may be asked for again.

}  // namespace

bool PassingRumors::Publish(base::Instant now, const std::string& key, std::uint64_t version,
                            std::string payload) {
  CHECK(IsPassing(key));
  CHECK(key.size() <= kRumorKeyBytesMax);
  const RumorVersion fresh{version, base::Hash64(payload)};
  if (const auto found = known_.find(key); found != known_.end() && fresh <= found->second.version)
    return true;
  if (Store(now, key, fresh, std::move(payload), now)) return true;
  ++counters_.passing_refused;
  return false;
}

Rumors::Offer PassingRumors::Hear(base::Instant now, const RumorItem& item) {
  CHECK(IsPassing(item.key));
  if (item.age > kLifetime) return Rumors::Offer::kKnown;
  if (const auto found = known_.find(item.key);
      found != known_.end() && VersionOf(item) <= found->second.version)
    return Rumors::Offer::kKnown;
  if (!item.payload) {
    const auto wanted = wanted_.find(item.key);
    const bool asked = wanted != wanted_.end() && VersionOf(item) <= wanted->second.version &&
                       now - wanted->second.asked < kPassingPullTimeout;
    return asked ? Rumors::Offer::kPulling : Rumors::Offer::kWanted;
  }
  wanted_.erase(item.key);
  // Without room to tell it on it is still news here, and nobody need send it again.
  if (!Store(now, item.key, VersionOf(item), *item.payload, now - item.age))
    ++counters_.passing_refused;
  ++counters_.passing_taken;
  outputs_.events.push_back({.kind = Event::kRumor,
                             .rumor_key = item.key,
                             .rumor_version = item.version,
                             .rumor_payload = *item.payload,
                             .reason = "heard"});
  return Rumors::Offer::kTaken;
}

void PassingRumors::Pulling(base::Instant now, const RumorItem& item) {
  if (wanted_.size() >= options_.passing_rumors_max) wanted_.clear();
  wanted_[item.key] = {VersionOf(item), now};
}

// From the oldest on: what is too old goes, and what is told no more when its room is needed.
bool PassingRumors::MakeRoom(base::Instant now, std::size_t bytes) {
  const auto fits = [&] {
    return known_.size() < options_.passing_rumors_max &&
           bytes_ + bytes <= options_.passing_bytes_max;
  };
  while (!order_.empty()) {
    Place& oldest = order_.front();
    Known& known = known_.at(oldest.key);
    if (oldest.until <= now && known.born + kLifetime > now) {  // A newer version came meanwhile.
      order_.push_back({std::move(oldest.key), known.born + kLifetime});
    } else {
      if (oldest.until > now && fits()) return true;
      if (oldest.until > now && known.hot) return false;
      Cool(known);
      bytes_ -= known.payload.size();
      known_.erase(oldest.key);
    }
    order_.pop_front();
  }
  return fits();
}

void PassingRumors::Cool(Known& known) {
  if (std::exchange(known.hot, false)) --hot_count_;
}

bool PassingRumors::Store(base::Instant now, const std::string& key, RumorVersion version,
                          std::string payload, base::Instant born) {
  if (payload.size() > options_.passing_payload_max || !MakeRoom(now, payload.size())) return false;
  Known& known = known_[key];
  if (known.serial == 0) {
    known.serial = ++serial_;
    order_.push_back({key, born + kLifetime});
  }
  bytes_ += payload.size();
  bytes_ -= known.payload.size();
  known.version = version;
  known.payload = std::move(payload);
  known.born = born;
  known.interest = HotRumor(options_.passing_counter_k);
  known.unnecessary = 0;
  known.sends = 0;
  if (!std::exchange(known.hot, true)) ++hot_count_;
  if (!std::exchange(known.in_turn, true)) turn_.push_back({key, known.serial});
  return true;
}

RumorItem PassingRumors::Item(base::Instant now, const std::string& key, const Known& known) const {
  RumorItem item{.key = key,
                 .version = known.version.version,
                 .hash = known.version.hash,
                 .age = now - known.born};
  if (known.payload.size() <= options_.inline_payload_max) item.payload = known.payload;
  return item;
}

std::vector<RumorItem> PassingRumors::Tell(base::Instant now, std::uint64_t nonce,
                                           const Allowance& allowed) {
  std::vector<RumorItem> items;
  std::size_t bytes = 0;
  Contact contact{nonce, allowed.others, {}};
  const std::size_t items_max = std::min(allowed.items_max, kRumorsPerDatagramMax);
  for (std::size_t left = turn_.size(); left > 0 && items.size() < items_max; --left) {
    Turn turn = std::move(turn_.front());
    turn_.pop_front();
    const auto found = known_.find(turn.key);
    if (found == known_.end() || found->second.serial != turn.serial) continue;
    Known& known = found->second;
    if (now - known.born > kLifetime) Cool(known);  // Nobody would take it.
    known.in_turn = known.hot;
    if (!known.hot) continue;
    RumorItem item = Item(now, turn.key, known);
    if (bytes + BytesBound(item) > allowed.bytes_max) {
      turn_.push_front(std::move(turn));
      break;
    }
    bytes += BytesBound(item);
    contact.told.push_back({item.key, known.version});
    items.push_back(std::move(item));
    if (++known.sends >= allowed.sends_max) Cool(known);
    known.in_turn = known.hot;
    if (known.hot) turn_.push_back(std::move(turn));
  }
  if (items.empty()) return items;
  counters_.passing_sent += items.size();
  contacts_.push_back(std::move(contact));
  if (contacts_.size() > kPassingContactsMax) contacts_.pop_front();
  return items;
}

bool PassingRumors::OnFeedback(const Feedback& feedback) {
  const auto contact = std::find_if(contacts_.begin(), contacts_.end(),
                                    [&](const Contact& c) { return c.nonce == feedback.nonce; });
  if (contact == contacts_.end()) return false;
  for (std::size_t i = 0; i < contact->told.size(); ++i)
    Had(contact->told[i], (feedback.known >> i & 1) != 0, contact->others);
  contacts_.erase(contact);
  return true;
}

void PassingRumors::Had(const Told& told, bool knew, std::size_t others) {
  const auto found = known_.find(told.key);
  if (found == known_.end() || found->second.version != told.version || !found->second.hot) return;
  Known& known = found->second;
  known.interest.Had(knew ? HotRumor::Contact::kUnnecessary : HotRumor::Contact::kUseful);
  known.unnecessary = knew ? known.unnecessary + 1 : 0;
  if (!knew) known.sends = 0;
  // Members are told in turn: so many contacts in a row have been all of them.
  if (known.interest.hot() && known.unnecessary < others) return;
  Cool(known);
}

std::vector<RumorItem> PassingRumors::Fetch(const std::vector<RumorItem>& wanted) const {
  std::vector<RumorItem> items;
  std::size_t bytes = 0;
  for (const RumorItem& want : wanted) {
    const auto found = known_.find(want.key);
    if (found == known_.end()) continue;
    RumorItem item{.key = want.key,
                   .version = found->second.version.version,
                   .hash = found->second.version.hash,
                   .age = want.age};
    item.payload = found->second.payload;
    if (!items.empty() && bytes + BytesBound(item) > kPassingBytesMax) break;
    bytes += BytesBound(item);
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace starling::gossip
