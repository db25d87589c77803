// server/repair.h: always-on comparison with each peer, and what it has found.
//
// One session at a time: digests of all that we share with one peer, in one exchange, as of a cut
// that is old enough for all writes before it to have come (merkle/recent.h), so that what differs
// is missing. The slices that differ are pulled by the workers that own them, and then compared
// once more. Each peer does the same towards us, so each side fetches what it lacks. A slice that
// compared equal is remembered with its cut: that is what `repairstatus` shows and what makes a new
// node ready.
//
// Thread:    confined to control.
// Read next: server/repair_pull.h, docs/repair.md
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/world.h"
#include "server/mail.h"
#include "server/node_shared.h"
#include "server/peer_links.h"
#include "server/snapshot.h"

namespace starling::server {

inline constexpr std::uint32_t kTagCompare = 16;  // PeerTag::kind of its requests.
inline constexpr std::uint32_t kTagRepairPeer = 17;

// All slices' sums of one keyspace, over the buckets shared with one peer.
using SliceSums = std::array<merkle::Digest, base::kSlices>;

class Repair {
 public:
  Repair(base::World& world, NodeShared& shared, PeerLinks& links);

  void Adopt(SnapshotPtr snapshot);
  void OnTick(base::Instant now);

  // What is done about what differs: both sides pull it, or it is told of.
  enum class Mode : std::uint8_t { kHeal, kLook };
  // What differs from one peer, by range.
  struct Difference {
    base::NodeNumber peer = 0;
    std::vector<RangeDifference> ranges;
  };
  // Compares with every peer now, and has them compare with us. `done` is called once.
  struct Result {
    std::uint64_t compared = 0;  // With so many peers,
    std::uint64_t peers = 0;     // of so many: the others are down, or did not answer.
    std::uint64_t entries_received = 0;
    bool equal = true;
    std::string reason;  // If not.
    // Without the wait until what was written before is old enough to be compared.
    base::Duration took{0};
    std::vector<Difference> differing{};  // Of Mode::kLook.
  };
  using Done = std::function<void(const Result&)>;
  // Of one keyspace, or of all that are shared: ids begin at 1.
  static constexpr base::KeyspaceId kAllKeyspaces = 0;
  void RunNow(base::KeyspaceId keyspace, Mode mode, Done done);
  // The same with one peer, that asked for it by `request`.
  void RunWith(base::NodeNumber peer, base::Bytes request, Done done);

  // Their turn has come: something that one of us has may have been dropped on its way.
  void CompareSoon(const std::set<base::NodeNumber>& peers);

  void OnDigests(const DigestAnswerMail& answer);
  void OnPulled(const PullDoneMail& mail);
  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag, const base::Status& status);
  // A peer wants to compare: `answer` is called with the reply's payload.
  void HandleCompare(base::NodeNumber peer, base::Bytes question,
                     const std::function<void(base::Result<std::string>)>& answer);

  // How a keyspace compares with one peer.
  struct Standing {
    bool equal = false;         // In the last session, every slice, as of when it came up or later.
    std::int64_t equal_ms = 0;  // The cut as of which every slice had compared equal; 0: never.
    std::string problem;        // Why the last session came to nothing, if so.
  };
  Standing StandingWith(std::size_t peer, base::KeyspaceId keyspace) const;
  // Of each of our ranges this node has all that a majority of its other replicas (both, of three)
  // had after `since`: what a node that is catching up needs before it serves reads. What it has
  // beyond that the others may refuse until then (server/purge/rules.h).
  bool CaughtUpSince(base::Instant since) const;
  std::uint64_t comparisons() const { return comparisons_; }
  std::uint64_t bytes_sent() const { return bytes_sent_; }
  // Sessions in which slices differed, and those of them that found nothing to move either way.
  std::uint64_t descents() const { return descents_; }
  std::uint64_t vain_descents() const { return vain_descents_; }

 private:
  using Sums = std::map<base::KeyspaceId, SliceSums>;
  using Slices = std::vector<std::pair<base::KeyspaceId, std::uint8_t>>;

  // Collects the digests of all workers.
  struct Gathered {
    merkle::Generation oldest = INT64_MIN;  // The oldest cut that we can answer.
    std::size_t unmade = 0;                 // Slices whose trees are being made anew: no sums.
    Sums sums;                              // If it is not later than the one asked for.
  };
  struct Gather {
    unsigned missing = 0;
    Gathered all;
    std::function<void(const Gathered&)> then;
  };
  // A slice compared equal.
  struct Mark {
    base::Instant at{base::Duration(-1)};     // When.
    base::Instant until{base::Duration(-1)};  // All that was written before is in it.
    std::int64_t cut_ms = 0;                  // The same by the stamps' clock.
  };
  using Marks = std::array<Mark, base::kSlices>;
  struct Peer {
    base::Instant due;
    bool by_range = false;  // It shares more with us than what is everywhere.
    base::Instant up_since;
    base::Instant recheck{};  // When a cut is later than the last change of owners.
    // Older marks are not of the last session about the keyspace.
    std::map<base::KeyspaceId, base::Instant> proves_from;
    std::string problem;
    std::map<base::KeyspaceId, Marks> marks;
    // Slices of which we have all that the peer has; it may lack something of ours.
    std::map<base::KeyspaceId, Marks> contained;
  };
  static constexpr merkle::Generation kAnyCut = 0;  // Of 1970: older than any.
  struct Session {
    std::uint64_t serial = 0;
    base::NodeNumber peer = 0;
    base::KeyspaceId keyspace = kAllKeyspaces;
    base::Instant began;
    base::Instant ends;
    base::Instant gathered_at;
    int look = 0;  // 1, 2 after a pull.
    merkle::Generation cut = 0;
    merkle::Generation cut_min = kAnyCut;  // It waits until this one is old enough.
    merkle::Generation ahead = 0;          // PullMail::ahead.
    int postponed = 0;
    base::Instant look_at = base::Instant::Never();  // While it waits.
    Sums sums;
    std::uint64_t salt = 0;
    std::uint64_t entries = 0;
    std::uint64_t pulled = 0;   // Of entries, in this session.
    Slices settled;             // PullDoneMail's, of a pull of what differed at the first look,
    Mark asked_as_of;           // which was as of then,
    bool asked_proven = false;  // if that proves anything.
    Mode mode = Mode::kHeal;
    std::map<std::pair<base::KeyspaceId, std::uint16_t>, RangeDifference> differing;
    bool answered = false;      // The peer said what differs, at least once.
    bool may_ask_peer = false;  // To pull from us: only when somebody here asked for a repair.
    Done done;                  // Empty: nobody waits for the outcome.
  };
  struct Wanted {
    base::NodeNumber peer = 0;
    base::KeyspaceId keyspace = kAllKeyspaces;
    // If it still differs once we have pulled, the peer is asked to pull. Not for a peer that asked
    // us, nor for the session after.
    bool may_ask_peer = false;
    std::uint64_t entries = 0;  // That we have pulled already.
    merkle::Generation cut_min = kAnyCut;
    Done done;
    Mode mode = Mode::kHeal;
  };
  // A peer pulls from us because somebody here waits for a repair; then it is compared once more.
  // Meanwhile other sessions go on: the peer may be waiting for us in the same way.
  struct PeerPull {
    Wanted after;
    base::Instant ends;
  };

  void GatherSums(base::NodeNumber peer, merkle::Generation cut,
                  std::function<void(const Gathered&)> then);
  void Begin(Wanted wanted);
  void BeginDue(base::Instant now);
  void AskPeer();
  void OnPeerPulled(std::uint64_t serial, const base::Status& status);
  void Look();
  void Postpone(merkle::Generation oldest, const std::string& whose);
  base::Duration UntilNewest(merkle::Generation cut) const;
  void Compare(const Gathered& gathered);
  void OnCompared(base::Bytes answer);
  base::Status ReadAnswer(base::Bytes answer, merkle::Generation* oldest, Slices* differing);
  void Pull(const Slices& slices);
  void End(const std::string& problem);
  bool Shares(std::size_t peer, bool by_range) const;
  base::Duration IntervalOf(const Peer& peer) const;
  bool CaughtUpOn(base::KeyspaceId keyspace, const topology::Range& range,
                  base::Instant since) const;
  bool ContainedSince(std::size_t replica, base::KeyspaceId keyspace, const topology::Range& range,
                      base::Instant since) const;
  std::size_t IndexOf(base::NodeNumber number) const;
  std::string NameOf(base::NodeNumber number) const;
  Mark MarkOfLook() const;
  void NoteDiffering(const RangeDifference& found);
  static std::vector<Difference> DifferingIn(const Session& session);
  void MarkEqual(base::KeyspaceId keyspace, std::uint8_t slice, bool proven);
  void MarkContained(const Slices& differing);

  base::World& world_;
  NodeShared& shared_;
  PeerLinks& links_;
  SnapshotPtr snapshot_;
  std::map<base::NodeNumber, Peer> peers_;
  std::map<std::uint64_t, Gather> gathers_;
  std::unique_ptr<Session> session_;
  std::deque<Wanted> wanted_;
  std::map<std::uint64_t, PeerPull> peer_pulls_;  // By the serial of the session before.
  std::uint64_t serial_ = 0;
  struct Pulling {
    unsigned open = 0;
    base::Status status;
  } pulling_;
  std::uint64_t comparisons_ = 0;
  std::uint64_t descents_ = 0;
  std::uint64_t vain_descents_ = 0;
  std::uint64_t bytes_sent_ = 0;
};

}  // namespace starling::server
