// gossip/exchange.h: what two nodes tell each other over a stream: tables, and large rumors.
//
// Push-pull, digest first: Sync says "all that I know has this digest"; State answers "equal", or
// with a digest for each of 256 buckets of members; Compare lists what the asker has in those that
// differ, 12 bytes a member; Difference answers with the claims that it lacks, and asks for those
// that it has (Push). An idle cluster exchanges digests only, and else bytes follow what differs.
// This is the backstop of all that datagrams carry: a node that was away, a rumor that died out
// before it reached everybody, a partition that healed.
//
// Thread:    confined to one thread.
// Read next: gossip/contacts.h, which starts exchanges with those that are no members (yet).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/courier.h"
#include "gossip/membership.h"
#include "gossip/message.h"
#include "gossip/options.h"
#include "gossip/passing_rumors.h"
#include "gossip/prober.h"
#include "gossip/rumors.h"

namespace starling::gossip {

class Exchange {
 public:
  // The references outlive this.
  Exchange(const GossipOptions& options, Membership& membership, Rumors& rumors,
           PassingRumors& passing, Prober& prober, Courier& courier, base::Random& random,
           base::Instant now);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Starts an exchange. `host` is absent where anybody may answer.
  void SyncWith(base::Address to, std::optional<base::HostId> host);

  // The header of a packet shows its sender newer than it is known here. If gossip does not bring
  // the rest within a second, this asks for it.
  void MissNewsOf(base::Instant now, base::Address from, const Header& header);

  // A member that was dead here spoke: its whole side may be back. At most one sync a second.
  void Reunite(base::Instant now, base::Address from, base::HostId host);

  void SyncSoon(base::Instant now) { next_sync_ = now; }

  // Requests, with their answers.
  std::string OnSync(base::Instant now, const Message& message, const Sync& sync);
  std::string OnCompare(base::Instant now, const Message& message, const Compare& compare);
  std::string OnPush(base::Instant now, const Message& message);
  std::string OnPull(const Message& message);
  // Answers.
  void OnState(base::Instant now, const Message& message, const State& state);
  void OnDifference(base::Instant now, const Message& message, const Difference& difference);
  void OnPayloads(base::Instant now, const Message& message);

  // Takes rumors of both kinds from `header`'s sender, and pulls what it only advertised. Bit i of
  // the result says that the i-th was known.
  std::uint64_t HearRumors(base::Instant now, const Header& header,
                           const std::vector<RumorItem>& items);

  void OnTick(base::Instant now);
  base::Instant next_tick() const;

 private:
  struct Missing {
    base::Address from;
    Header header;
    base::Instant due;
  };

  // An exchange that answers of ours keep open.
  struct Session {
    base::HostId host;
    base::Instant expires;
    bool compared = false;  // Its differences went out: once a session.
  };
  bool OpenSession(base::Instant now, base::HostId host);
  bool MayCompare(base::Instant now, base::HostId host);
  std::string Refuse(base::Instant now, const Message& message, State state);
  void CloseSession(base::HostId host);

  void HearTable(base::Instant now, const std::vector<Claim>& claims);
  void Hear(base::Instant now, const std::vector<Claim>& claims, Membership::Source source);
  void AskToCompare(const State& state, const Member& peer);
  std::vector<Claim> ClaimsOf(base::Instant now, const Message& message, base::Bytes wanted) const;
  void AskForMissing(base::Instant now);

  const GossipOptions& options_;
  Membership& membership_;
  Rumors& rumors_;
  PassingRumors& passing_;
  Prober& prober_;
  Courier& courier_;
  base::Random& random_;

  base::Instant next_sync_;
  base::Instant last_sync_;
  std::optional<base::Instant> last_reunion_;
  std::vector<Missing> missing_;   // At most kMissingMax, one a host.
  std::vector<Session> sessions_;  // At most kSessionsMax, one a host.
  // When what was answered to Compare would be sent, at kTableBytesPerS.
  base::Instant served_until_;
};

}  // namespace starling::gossip
