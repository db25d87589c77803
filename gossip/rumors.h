// gossip/rumors.h: what this node knows under each key, and what it is still telling.
//
// Rumors are few and matter to all: topology, schema. Each has a key and a version; the higher
// version replaces. A hot one is pushed to members until enough of them knew it already; large
// payloads are advertised and pulled. Whom push leaves out is found by digests: every packet has
// its sender's, and where they differ, rumors are compared and pulled (gossip/comparer.h).
// Sends nothing: the callers carry items in and out.
//
// Thread:    confined to one thread.
// Ownership: keeps copies.
// Read next: gossip/hot_rumor.h, gossip/settled_digest.h
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/hot_rumor.h"
#include "gossip/message.h"
#include "gossip/options.h"
#include "gossip/outputs.h"
#include "gossip/settled_digest.h"

namespace starling::gossip {

inline RumorVersion VersionOf(const RumorItem& item) { return {item.version, item.hash}; }

// How often a digest that changed is told, to rumor_fanout members each: a node that lacks a rumor
// is not among those of the first time in e^-2, one of seven cases.
inline constexpr std::uint32_t kDigestTellings = 2;

class Rumors {
 public:
  // All three outlive this.
  Rumors(const GossipOptions& options, Outputs& outputs, Counters& counters);

  // Time goes on. Called before anything else at `now`.
  void Advance(base::Instant now);

  // Starts to tell. An older or equal version than what is known changes nothing; a payload over
  // its limit is rejected and counted, since nobody would take it. Our own keys always find room.
  // REQUIRES: the key within its limit.
  void Publish(const std::string& key, std::uint64_t version, std::string payload);

  enum class Offer : std::uint8_t {
    kKnown,    // Or refused for want of room.
    kTaken,    // News with its payload: told on from here, and an Event.
    kWanted,   // News without: the caller pulls it, and says so by Pulling().
    kPulling,  // Being pulled already.
  };
  Offer Hear(base::Instant now, const RumorItem& item);
  void Pulling(base::Instant now, const RumorItem& item);

  // Hot rumors for one contact, in turn, within `bytes_max`; remembered under `nonce` until the
  // feedback comes. After `sends_max` sends without a useful one a rumor cools down unheard.
  std::vector<RumorItem> Tell(std::uint64_t nonce, std::size_t bytes_max, std::size_t sends_max);
  void OnFeedback(const Feedback& feedback);
  bool hot() const { return !hot_.empty(); }
  std::size_t hot_count() const { return hot_.size(); }
  // How many bytes, of at most `bytes_max`, the rumors take whose turn to be told it is.
  std::size_t BytesToTell(std::size_t bytes_max) const;

  // Of what is old enough: what each packet says.
  std::uint64_t settled_digest() const { return settled_.value(); }
  base::Instant next_settled() const { return settled_.next(); }  // When it may change.
  // Whether it is another than when DigestTold() was called.
  bool digest_is_news() const { return settled_.value() != told_digest_; }
  void DigestTold() { told_digest_ = settled_.value(); }
  // A packet had `theirs`: whether that shows a difference, and it is time to look for it. What
  // stays different although it was compared, because a limit keeps it out, is looked for ever
  // more seldom, until something new comes.
  bool WantsToCompare(std::uint64_t theirs);
  const RumorDigests& digests() const { return digests_; }
  // What we have in buckets where `theirs` differ, without payload.
  std::vector<RumorItem> Differing(const RumorDigests& theirs) const;

  // For push-pull with another node.
  std::uint64_t digest() const;
  std::vector<RumorItem> Advertisements() const;
  // What we have that is newer than `theirs` (or not among them), with payload.
  std::vector<RumorItem> NewerThan(const std::vector<RumorItem>& theirs) const;
  // What of `wanted` we have, in our version, with payload.
  std::vector<RumorItem> Fetch(const std::vector<RumorItem>& wanted) const;

 private:
  struct Known {
    RumorVersion version;
    std::string payload;
    base::Instant born;  // Published, as far as is known here.
  };
  struct Hot {
    HotRumor interest;
    std::size_t sends = 0;  // Since the last useful contact.
  };
  struct Told {
    std::string key;
    RumorVersion version;
  };
  struct Contact {
    std::uint64_t nonce;
    std::vector<Told> told;
  };
  struct Wanted {
    RumorVersion version;
    base::Instant asked;
  };

  void Store(const std::string& key, Known known);
  RumorItem Item(const std::string& key, const Known& known, std::size_t inline_max) const;
  RumorItem Advertisement(const std::string& key, const Known& known) const;
  // Calls take(key, item), from the one whose turn it is, until it is false.
  template <typename Take>
  void WalkHot(Take take) const;
  void Had(const Told& told, HotRumor::Contact contact);

  const GossipOptions& options_;
  Outputs& outputs_;
  Counters& counters_;
  std::map<std::string, Known> known_;
  std::map<std::string, Hot> hot_;  // Keys of known_.
  std::map<std::string, Wanted> wanted_;
  std::deque<Contact> contacts_;  // Oldest first.
  std::string last_told_;         // Telling goes on behind it.
  RumorDigests digests_{};        // By bucket: sums over known_, so that one change costs one step.
  SettledDigest settled_;
  std::uint64_t told_digest_ = 0;

  base::Instant now_;
  base::Instant next_compare_;
  base::Duration compare_gap_;
};

}  // namespace starling::gossip
