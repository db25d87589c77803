// gossip/prober.h: finds out which members are silent.
//
// One probe: a ping; after ack_timeout it is pinged again, three times an ack_timeout, k helpers
// are asked to ping in our place, and a ping goes over a stream, in case only datagrams are lost;
// at 3 * ack_timeout, or once every helper said that it heard nothing either, the member is
// accused. A refused stream shortens that: its host answers and no process listens. Credit is given
// for acks to our own nonce only, never for what others believe. Whoever accuses first asks others
// to probe now (Confirm), so that a true suspicion is confirmed within a round trip, and a false
// one refuted.
//
// Thread:    confined to one thread.
// Read next: docs/gossip.md, "A probe".
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/courier.h"
#include "gossip/guards.h"
#include "gossip/membership.h"
#include "gossip/message.h"
#include "gossip/options.h"
#include "gossip/outputs.h"
#include "gossip/probes.h"
#include "gossip/relays.h"
#include "gossip/round_trips.h"
#include "gossip/vitals.h"

namespace starling::gossip {

class Prober {
 public:
  // The references outlive this. The first probe comes at a random time within an interval.
  Prober(const GossipOptions& options, Membership& membership, Courier& courier,
         base::Random& random, Counters& counters, base::Instant now);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // Probes at once, by datagram and stream: its connections broke. Nothing for a member that is
  // gone, or on its way already.
  void ProbeNow(base::Instant now, base::HostId host);

  // Asks a member at once whether `accusation` of it is true; telling it makes it refute.
  void Ask(base::Instant now, const Claim& accusation);

  // A ping outside of the rounds, to a member that is gone: it may be back.
  void Greet(base::Instant now, const Member& member);

  void OnPing(base::Instant now, Asked& asked, const Header& header, const Ping& ping);
  // The answer to a ping over a stream; "" if it is meant for another node.
  std::string OnStreamPing(const Header& header, const Ping& ping);
  enum class Way : std::uint8_t { kDatagram, kStream };
  // The member that answered, if it is reachable by stream only.
  std::optional<base::HostId> OnAck(base::Instant now, const Header& header, const Ack& ack,
                                    Way way);
  void OnNack(base::Instant now, const Header& header, const Nack& nack);
  void OnPingRequest(base::Instant now, const Asked& asked, const PingRequest& request) {
    relays_.OnPingRequest(now, asked, request);
  }
  void OnConfirm(base::Instant now, Asked asked, const Confirm& confirm);
  void OnStreamRefused(base::Instant now, base::Address address);
  // Without a word from the address. When a connection breaks, what is asked for at once goes the
  // way of that connection or comes before its link may connect anew; so the stream of a probe is
  // asked for once more, when its helpers are.
  void OnStreamLost(base::Address address);

  void OnTick(base::Instant now);
  base::Instant next_tick() const;
  // When the next round is due: a tick much later than that means that the process was asleep.
  base::Instant next_round() const { return next_round_; }
  // What is outstanding waits anew: the answers may lie in a socket that nobody read.
  void Late(base::Instant now);
  void Slept(base::Instant now);

  const RoundTrips& round_trips() const { return round_trips_; }

  // What this node's acks say of it. REQUIRES: at most kVitalsBytesMax bytes.
  void SetVitals(std::string vitals);
  // As an ack of its present generation said them. nullptr: none did, or it is no member.
  const Vitals* VitalsOf(base::HostId host) const;

 private:
  enum class Urgency : std::uint8_t {
    kRound,
    kAtOnce,   // By stream too.
    kConfirm,  // And judged after one ack_timeout: the accuser has waited already.
  };
  // A probe that failed. Whoever answers it all the same lives, and is not declared dead for it.
  struct Failed {
    std::uint64_t nonce;
    base::HostId host;
    base::Instant forgotten_at;
  };

  // `by`, if there is one, is what makes this node probe: all that it sends is not larger.
  void Start(base::Instant now, const Member& member, Urgency urgency,
             const std::optional<Claim>& accusation, std::optional<Asked> by = std::nullopt);
  void StartRounds(base::Instant now);
  void StartRound(base::Instant now, const std::optional<Member>& member);
  void AskStream(Probe& probe);
  void AskHelpers(base::Instant now, Probe& probe);
  void AskToConfirm(base::Instant now, base::HostId host);
  void Fail(base::Instant now, const Probe& probe);
  void PingAgain(base::Instant now, Probe& probe);
  void StartWaiting(base::Instant now);
  void NoteAnswer(base::Instant now, const Probe& probe, Way way);
  void NoteVitals(base::Instant now, const Header& header, base::Bytes vitals);
  Ack AckTo(const Header& sender, std::uint64_t nonce) const;
  bool eager() const { return options_.features().eager_probes; }
  bool confirms() const { return options_.features().confirmation; }

  const GossipOptions& options_;
  Membership& membership_;
  Courier& courier_;
  base::Random& random_;
  Counters& counters_;

  base::Instant next_round_;
  std::array<base::Instant, kGuardsMax> next_guard_;  // By circle; Never() beyond options_.guards.
  RoundTrips round_trips_;
  std::string own_vitals_;
  VitalsBook vitals_;  // Of members, and at most kFormerMax others.
  Probes probes_;
  std::vector<Failed> failed_;             // At most Probes::kMax, oldest first.
  std::map<base::HostId, Claim> waiting_;  // Accused whose turn comes when probes end.
  Relays relays_;
};

}  // namespace starling::gossip
