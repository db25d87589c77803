// server/moving.h: when this node has its cluster note where it is, and when it looks for a twin.
//
// The topology says where each member is; a node that is started elsewhere has an epoch say so.
// Before it does, it asks at the old address whether somebody is there under its own host id: a
// copy of a data directory has the identity, too. This is the part that decides, and asks and
// proposes nothing itself (server/control_move.cc).
//
// A vote from a new place counts once nobody is left at the old one (topology/paxos.h). That is
// sure where connections are refused or another node answers. A machine that is switched off says
// nothing at all, as one that is frozen; so silence counts as well, once looks in a row had no
// answer for as long as takes gossip to call a silent member dead. The looks go on until an epoch
// notes the new place: whoever wakes up there is found.
//
// The one that wakes up has a say in that, too: after such a sleep a node votes on nothing until it
// had the time to hear of a copy, which may have voted in its name in the meantime.
//
// Two hosts that are configured with one address would each have it noted as theirs, in turn, an
// epoch each time. So nobody moves to where gossip knows another member that lives, and whoever was
// moved away nevertheless waits twice as long for its next epoch as for the one before.
//
// Thread:    confined to control.
// Read next: server/control_move.cc, topology/changes.h (MoveNode)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/address.h"
#include "base/time.h"
#include "server/topology/changes.h"
#include "server/topology/topology.h"

namespace starling::server {

class Moving {
 public:
  // Whoever answers does so within milliseconds, and a port that is closed refuses. Longer: a node
  // whose old host is switched off comes up later. Shorter: a slow twin is not seen, but by gossip.
  static constexpr base::Duration kLookMax = base::seconds(1);
  // A twin that does not answer us may be heard of by gossip in a second: each outbids the other.
  static constexpr base::Duration kMoveAfter = base::seconds(2);
  static constexpr base::Duration kConflictOver = base::seconds(15);  // Told again every 10 s.
  static constexpr base::Duration kGap = base::seconds(1);            // Between two tries at first.
  // A look is in a row with one that ended so long before: a try's gap, and two looks' time. And so
  // long what they found holds.
  static constexpr base::Duration kSilenceHolds = kGap + 2 * kLookMax;
  // A sleep: well below the silence after which a copy's vote counts.
  static constexpr base::Duration kSleepMin = base::seconds(2);
  // And how long it then listens: gossip asks a member each second, and its twin's news come back.
  static constexpr base::Duration kListens = base::seconds(2);
  // Of tries that found the address in use: shorter, a member that was down is replaced there
  // sooner.
  static constexpr base::Duration kHeldGapMax = base::seconds(16);
  static constexpr base::Duration kMoveGapMax = std::chrono::minutes(10);  // Of epochs.
  static constexpr base::Duration kSettled = std::chrono::minutes(10);  // And all begins at kGap.

  // What a try goes by.
  struct Facts {
    const topology::Node& noted;  // This node, in the newest topology.
    const topology::NodeInfo& self;
    bool alone = false;         // It is the only member.
    bool met_ours = false;      // Somebody of our cluster was heard.
    bool hears_others = false;  // Some other member seems alive.
    base::Instant hears_since;  // When gossip began.
    std::string holder;         // Another that lives at our address, in words; empty: nobody.
  };
  enum class Step : std::uint8_t { kNone, kLook, kPropose };

  // --- the move ---
  // Asked once a tick. kLook: at `noted.cluster`, and then MayPropose. What hinders is in
  // problem().
  Step Next(base::Instant now, const Facts& facts);
  bool MayPropose(base::Instant now, const Facts& facts);
  void Propose() { proposing_ = true; }
  // An epoch that says so is chosen, or not.
  void OnProposed(base::Instant now, bool chosen);
  // Another node spoke as this one.
  void OnConflict(base::Instant now) {
    last_conflict_ = now;
    silence_.reset();
  }

  // For the operator: why the topology does not say where this node is. Empty: nothing hinders.
  const std::string& problem() const { return problem_; }
  // True once for each try that found a problem: then it is to be said.
  bool TakeSay() { return std::exchange(say_, false); }

  // --- a twin ---
  enum class Look : std::uint8_t { kAtStart, kBeforeMove };
  void LookAt(base::Instant now, base::Address at, Look why) {
    search_ = {.at = at, .began = now, .why = why};
  }
  // A connection to an address was refused: no process is there.
  void OnRefused(base::Address at) {
    if (search_ && search_->at == at) search_->refused = true;
  }
  // While it may be a copy of a node that runs, it is nobody.
  bool looks_at_start() const { return search_ && search_->why == Look::kAtStart; }
  // Whoever is there answered, failed to or is late: what the look was for, if one was there.
  enum class There : std::uint8_t { kNobody, kAnother, kTwin };
  std::optional<Look> TakeAnswer(base::Instant now, base::Address at, There there);
  std::optional<base::Address> late(base::Instant now) const {
    return search_ && now >= search_->ends() ? std::optional(search_->at) : std::nullopt;
  }
  // This process runs now: asked at each tick and by MayVote, and so it notices when it did not.
  void NoteAwake(base::Instant now) {
    if (awake_ && now - *awake_ >= kSleepMin) listens_until_ = now + kListens;
    awake_ = now;
  }
  bool MayVote(base::Instant now) {
    NoteAwake(now);
    return now >= listens_until_;
  }
  // Where nobody of this identity is left. Port 0: nowhere, as far as it knows.
  base::Address Left(base::Instant now, base::Duration silence_to_dead) const;

 private:
  struct Search {
    base::Address at;
    base::Instant began;
    Look why = Look::kAtStart;
    bool refused = false;
    base::Instant ends() const { return began + kLookMax; }
  };
  // Of looks in a row.
  struct Silence {
    base::Address at;
    base::Instant since, until;
  };

  void NoteSilence(base::Instant now, const Search& look);
  bool IsHeld(base::Instant now, const Facts& facts);

  std::optional<Search> search_;
  std::optional<Silence> silence_;
  base::Address left_;  // Found closed, or another's.
  std::optional<base::Instant> awake_;
  base::Instant listens_until_;
  bool proposing_ = false;
  base::Instant next_;
  base::Duration move_gap_ = kGap;  // After the next epoch of ours.
  base::Duration held_gap_ = kGap;
  std::optional<base::Instant> last_move_;
  std::optional<base::Instant> last_conflict_;
  std::string problem_;
  bool say_ = false;
};

}  // namespace starling::server
