// gossip/passing_rumors.h: news that nodes tell each other and then forget: writes.
//
// Rumors (gossip/rumors.h) are few and kept for ever; these are many and each matters for seconds.
// Their keys begin with kPassingMark, so that the two never meet: these have room, packets and
// limits of their own, and can neither evict nor delay a topology. They are told by push with
// feedback and counter; large payloads are advertised and pulled. What push leaves out is for
// another mechanism to find (a node's is Merkle repair): there is no digest of them.
//
// A record stays as long as there is room, at most kLifetime: so that a node does not begin anew to
// tell what it has told, and can answer who pulls. Who hears an older one takes it for known.
//
// Thread:    confined to one thread.
// Ownership: keeps copies.
// Read next: gossip/hot_rumor.h, gossip/passing_spreader.h
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "gossip/hot_rumor.h"
#include "gossip/message.h"
#include "gossip/options.h"
#include "gossip/outputs.h"
#include "gossip/rumors.h"

namespace starling::gossip {

inline constexpr char kPassingMark = '\0';
inline bool IsPassing(std::string_view key) { return !key.empty() && key.front() == kPassingMark; }

class PassingRumors {
 public:
  static constexpr base::Duration kLifetime = base::seconds(10);

  // All three outlive this.
  PassingRumors(const GossipOptions& options, Outputs& outputs, Counters& counters)
      : options_(options), outputs_(outputs), counters_(counters) {}

  // Starts to tell. False: refused, all room being taken by rumors that are still told, or the
  // payload being over its limit. What is known already, or older than that, changes nothing.
  // REQUIRES: IsPassing(key), within its limit.
  bool Publish(base::Instant now, const std::string& key, std::uint64_t version,
               std::string payload);

  // As of Rumors. REQUIRES: IsPassing(item.key).
  Rumors::Offer Hear(base::Instant now, const RumorItem& item);
  void Pulling(base::Instant now, const RumorItem& item);

  struct Allowance {
    std::size_t bytes_max = 0;
    std::size_t items_max = 0;
    std::size_t sends_max = 0;  // After so many without a useful one a rumor cools down unheard.
    // How many members there are to tell: so many contacts in a row that knew it are enough, if
    // they are fewer than the counter.
    std::size_t others = 0;
  };
  // Hot ones for one contact, in turn.
  std::vector<RumorItem> Tell(base::Instant now, std::uint64_t nonce, const Allowance& allowed);
  // False: the nonce is none of ours.
  bool OnFeedback(const Feedback& feedback);
  bool hot() const { return hot_count_ > 0; }
  std::size_t hot_count() const { return hot_count_; }

  // Of `wanted`, what is still here, with payload; as much as a message may take.
  std::vector<RumorItem> Fetch(const std::vector<RumorItem>& wanted) const;

  std::size_t size() const { return known_.size(); }
  std::size_t payload_bytes() const { return bytes_; }

 private:
  struct Known {
    RumorVersion version;
    std::string payload;
    base::Instant born;
    std::uint64_t serial = 0;
    HotRumor interest{1};
    std::uint32_t unnecessary = 0;  // Contacts in a row that knew it.
    std::size_t sends = 0;          // Since the last useful contact.
    bool hot = false;
    bool in_turn = false;
  };
  struct Place {
    std::string key;
    base::Instant until;
  };
  struct Turn {
    std::string key;
    std::uint64_t serial = 0;  // Another than the record's: it is of one that has gone.
  };
  struct Told {
    std::string key;
    RumorVersion version;
  };
  struct Contact {
    std::uint64_t nonce = 0;
    std::size_t others = 0;
    std::vector<Told> told;
  };
  struct Wanted {
    RumorVersion version;
    base::Instant asked;
  };

  bool MakeRoom(base::Instant now, std::size_t bytes);
  void Cool(Known& known);
  bool Store(base::Instant now, const std::string& key, RumorVersion version, std::string payload,
             base::Instant born);
  void Had(const Told& told, bool knew, std::size_t others);
  RumorItem Item(base::Instant now, const std::string& key, const Known& known) const;

  const GossipOptions& options_;
  Outputs& outputs_;
  Counters& counters_;
  std::unordered_map<std::string, Known> known_;  // Never iterated.
  std::deque<Place> order_;                       // Of all known, oldest first.
  std::deque<Turn> turn_;                         // All hot ones, and some that have cooled.
  std::size_t hot_count_ = 0;
  std::deque<Contact> contacts_;  // Oldest first.
  std::unordered_map<std::string, Wanted> wanted_;
  std::size_t bytes_ = 0;  // Of payloads.
  std::uint64_t serial_ = 0;
};

}  // namespace starling::gossip
