// tools/gossip_sim/rumor_sim.h: one rumor in synchronous rounds, as the papers count them.
//
// A round: every node that is telling (push), or that wants to hear (pull), or both, picks its
// partners uniformly and independently of each other, itself and repeats allowed, and whoever
// heard the rumor knows it at the round's end. The variants are those of Demers et al., "Epidemic
// algorithms for replicated database maintenance" (CSL-89-1), section 1.4. What nodes really run is
// RumorVariant::kStarling: real cores on virtual time, in tools/gossip_sim/rumor_core_sim.h.
//
// Thread:    free functions.
// Read next: tools/gossip_sim/rumor_tally.h
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace starling::gossip_sim {

// When a node stops telling. "Blind": by itself. "Feedback": by contacts that knew already.
enum class RumorVariant : std::uint8_t {
  kNaive,            // Never: until all know.
  kFeedbackCounter,  // After k such contacts in a row (gossip::HotRumor).
  kFeedbackCoin,     // With probability 1/k after each such contact.
  kBlindCounter,     // After k contacts.
  kBlindCoin,        // With probability 1/k after each contact.
  kStarling,         // What nodes run: feedback and counter, digests, and pull where they differ.
};

enum class RumorDirection : std::uint8_t {
  kPush,      // Who knows calls others.
  kPull,      // All call others, and get the rumor from those that still tell it.
  kPushPull,  // All call others; both ways.
};

inline constexpr std::uint32_t kRumorNodesMax = 1'000'000;
inline constexpr std::uint32_t kRumorFanoutMax = 1000;

struct RumorOptions {
  std::uint32_t nodes = 50;
  std::uint32_t fanout = 2;     // Calls of a node in a round.
  std::uint32_t counter_k = 2;  // k above; not of kNaive.
  RumorVariant variant = RumorVariant::kNaive;
  RumorDirection direction = RumorDirection::kPush;
  double loss = 0;  // Of each message: the rumor, the request for it, the feedback to it.

  // InvalidArgument naming the flag whose value can't be, and why.
  base::Status Validate() const;
};

struct RumorRound {
  std::uint32_t round = 0;
  std::uint32_t infected = 0;  // At its end. Round 0: the one node that starts.
  std::uint64_t messages = 0;  // Rumors sent in it, those that are lost included.
};

struct RumorRun {
  std::vector<RumorRound> rounds{};  // From 0 on; the last is the one that changed something.
  std::uint32_t infected = 0;
  std::uint64_t messages = 0;     // Of all rounds, those after the last change included.
  std::uint64_t pulled = 0;       // Of these, sent because another asked.
  double rounds_to_hear = 0;      // Mean over all that heard, the first excluded.
  base::Duration round_length{};  // Zero: rounds are no time.
  base::Duration last_heard{};    // Of kStarling, whose rounds are: when the last one heard.

  std::uint32_t round_count() const { return rounds.back().round; }
};

// The same seed, the same run. REQUIRES: options.Validate().ok().
RumorRun SpreadRumor(const RumorOptions& options, std::uint64_t seed);

}  // namespace starling::gossip_sim
