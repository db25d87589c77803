// gossip/deadlines.h: many keys, each with a time; which is due first.
//
// Thread: confined to its owner.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/time.h"

namespace starling::gossip {

template <typename Key>
class Deadlines {
 public:
  void Set(const Key& key, base::Instant at) {
    Clear(key);
    at_[key] = at;
    order_.emplace(at, key);
  }

  void Clear(const Key& key) {
    const auto found = at_.find(key);
    if (found == at_.end()) return;
    order_.erase({found->second, key});
    at_.erase(found);
  }

  // One that is due by `now`, which is then no longer set.
  std::optional<Key> TakeDue(base::Instant now) {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    const Key key = order_.begin()->second;
    Clear(key);
    return key;
  }

  void SetAll(base::Instant at) {
    order_.clear();
    for (auto& [key, when] : at_) {
      when = at;
      order_.emplace(at, key);
    }
  }

  std::optional<base::Instant> Of(const Key& key) const {
    const auto found = at_.find(key);
    return found == at_.end() ? std::nullopt : std::optional(found->second);
  }

  // Never() if none is set.
  base::Instant earliest() const {
    return order_.empty() ? base::Instant::Never() : order_.begin()->first;
  }
  std::size_t size() const { return order_.size(); }

 private:
  std::map<Key, base::Instant> at_;
  std::set<std::pair<base::Instant, Key>> order_;
};

}  // namespace starling::gossip
