// gossip/features.h: what each mode has of the literature, and what of our own: a switch each.
//
// The modes are there to be measured on the same course of events, so each must be what its name
// says: Lifeguard with one of our defences in it would show nothing about ours. The core asks for a
// feature by its name, never for a mode, and tests/gossip/features_test.cc holds who has which.
//
// Common to all modes is what is no part of finding out who lives: how packets are filled and
// targets drawn, push-pull and its interval, calls to the dead, goodbyes.
//
// Thread: values.
#pragma once

#include <cstdint>

namespace starling::gossip {

// A node runs kStarling; the others are for gossip-sim.
enum class Mode : std::uint8_t {
  kSwim,       // The paper, with memberlist's numbers: a probe in turn, a fixed suspicion time.
  kLifeguard,  // And what Lifeguard adds (Dadgar et al., 2018), as memberlist has it.
  kStarling,   // And ours.
};

struct Features {
  // Lifeguard's.
  bool local_health = false;  // Intervals and timeouts grow with what speaks against this node.
  bool nacks = false;         // A helper that heard nothing says so.
  bool dogpile = false;       // Further accusers shorten the time to refute.
  bool buddy_notice = false;  // The accused is told with the next ping.

  // Ours, for early and certain verdicts.
  bool guards = false;               // Each member has some that probe it every interval.
  bool eager_probes = false;         // A probe pings again, and ends as soon as all ways are tried.
  bool confirmation = false;         // Others are asked to probe now; none dies of one's opinion;
                                     // unreachable; a time to refute that N does not lengthen.
  bool connection_evidence = false;  // A broken data connection starts a probe.

  // Ours, for the accused.
  bool lateness = false;         // Late timers and sleep speak against this node alone.
  bool late_answers = false;     // An answer to a failed probe gives the accused its time again.
  bool acks_tell = false;        // An ack tells the asker how it is seen.
  bool news_in_headers = false;  // A packet of a newer incarnation has its sender asked for news.
  bool tables_doubted = false;   // Whom another's table accuses is asked, and not accused.

  bool ages_credited = false;      // A suspicion's age travels: verdicts fall at the same time.
  bool strangers_unheard = false;  // News in datagrams are taken of members only.

  bool operator==(const Features&) const = default;
};

constexpr Features FeaturesOf(Mode mode) {
  Features has;
  if (mode == Mode::kSwim) return has;
  has.local_health = has.nacks = has.dogpile = has.buddy_notice = true;
  if (mode == Mode::kLifeguard) return has;
  has.guards = has.eager_probes = has.confirmation = has.connection_evidence = true;
  has.lateness = has.late_answers = has.acks_tell = true;
  has.news_in_headers = has.tables_doubted = true;
  has.ages_credited = has.strangers_unheard = true;
  return has;
}

}  // namespace starling::gossip
