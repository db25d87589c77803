// gossip/rumors.h: what this node knows under each key, and what it is still telling.
//
// Rumors are few and matter to all: topology, schema. Each has a key and a version; the higher
// version replaces. A hot one is pushed to members until enough of them knew it already; large
// payloads are advertised and pulled. Comparing digests (gossip/exchange.h) is the backstop.
// Sends nothing: the callers carry items in and out.
//
// Thread:    confined to one thread.
// Ownership: keeps copies.
// Read next: gossip/hot_rumor.h
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

namespace starling::gossip {

class Rumors {
 public:
  // All three outlive this.
  Rumors(const GossipOptions& options, Outputs& outputs, Counters& counters);

  // Starts to tell. An older or equal version than what is known changes nothing; a payload over
  // its limit is rejected and counted, since nobody would take it. Our own keys always find room.
  // REQUIRES: the key within its limit.
  void Publish(std::string key, std::uint64_t version, std::string payload);

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

  // For comparing with another node.
  std::uint64_t digest() const { return digest_; }
  std::vector<RumorItem> Advertisements() const;
  // What we have that is newer than `theirs` (or not among them), with payload.
  std::vector<RumorItem> NewerThan(const std::vector<RumorItem>& theirs) const;
  // What of `wanted` we have, in our version, with payload.
  std::vector<RumorItem> Fetch(const std::vector<RumorItem>& wanted) const;

 private:
  struct Known {
    std::uint64_t version = 0;
    std::uint64_t hash = 0;
    std::string payload;
  };
  struct Hot {
    HotRumor interest;
    std::size_t sends = 0;  // Since the last useful contact.
  };
  struct Told {
    std::string key;
    std::uint64_t version;
    std::uint64_t hash;
  };
  struct Contact {
    std::uint64_t nonce;
    std::vector<Told> told;
  };
  struct Wanted {
    std::uint64_t version = 0;
    std::uint64_t hash = 0;
    base::Instant asked;
  };

  void Store(const std::string& key, Known known);
  RumorItem Item(const std::string& key, const Known& known, std::size_t inline_max) const;
  void Had(const Told& told, HotRumor::Contact contact);

  const GossipOptions& options_;
  Outputs& outputs_;
  Counters& counters_;
  std::map<std::string, Known> known_;
  std::map<std::string, Hot> hot_;  // Keys of known_.
  std::map<std::string, Wanted> wanted_;
  std::deque<Contact> contacts_;  // Oldest first.
  std::string last_told_;         // Telling goes on behind it.
  std::uint64_t digest_ = 0;      // Sum over known_, so that one change costs one step.
};

}  // namespace starling::gossip
