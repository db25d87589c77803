// base/mutants.h: planted mistakes, which the simulator must catch (tests/sim/mutants_test.cc).
//
//   if (base::Mutant("skip-hint")) return;
//
// Only a build with STARLING_MUTANTS has them, one at a time and chosen by name at run time; in
// all others the test is `false` to the compiler. The names are in kMutants, each with its mistake.
//
// Thread: SetMutant before any thread that asks; Mutant from any.
#pragma once

#include <array>
#include <string_view>

#include "base/check.h"

namespace starling::base {

struct MutantName {
  std::string_view name;
  std::string_view mistake;
};

inline constexpr std::array<MutantName, 24> kMutants{{
    {"skip-hint", "no hint is kept for a replica that is down"},
    {"drop-restamp", "a superseded write is acknowledged instead of being stamped again"},
    {"forget-leaf", "a write does not change its leaf of the tree"},
    {"accept-older", "an older version replaces a newer one"},
    {"ack-before-wal", "a write is acknowledged before the sync that covers it"},
    {"repair-superseded-ok", "a read repair counts `superseded` as ok"},
    {"retry-restamped", "a retry that came with its stamp is stamped again"},
    {"never-held-after-restart", "`never held` is answered of what was before a restart"},
    {"watermark-early", "a write counts as handled when its client is answered"},
    {"orphan-restamped", "a write of a dead coordinator is passed on under a new version"},
    {"everywhere-untold", "a write to a keyspace that is everywhere is not told to the others"},
    {"purge-skips-the-dead", "a purge round goes on without the owners that are down"},
    {"purge-commits-unequal", "a bucket is purged although the owners' digests differ"},
    {"purge-takes-late-writes", "a direct write is taken that is older than what was purged"},
    {"purge-takes-late-hints", "a hint is taken that is older than what was purged"},
    {"purge-no-adoption", "a replica that missed a COMMIT does not take over what its peers have"},
    {"purge-keeps-the-leaf", "what is purged stays in the hash tree"},
    {"purge-by-the-clock", "an entry is purged that has expired by the replica's own clock"},
    {"scan-counts-no-marks", "a page of a scan shows what some of its replicas have purged"},
    {"absent-not-stale", "a node that was declared absent counts again as it is"},
    {"catching-up-open", "a node that catches up takes writes that the others have purged"},
    {"catching-up-for-ever", "a node that catches up waits for others to take what they refuse"},
    {"absence-guard-ignored", "a start does not look at what the guard file says was synced"},
    {"absence-memory-ignored", "what others remember of a node is not looked at"},
}};

// Of gossip, which tests of its own must catch (tests/gossip/mutants.py).
inline constexpr std::array<MutantName, 20> kGossipMutants{{
    {"gossip-no-refutation", "an accused node does not raise its incarnation"},
    {"gossip-left-revived", "who left comes back with the generation that left"},
    {"gossip-stale-taken", "an older claim takes the place of a newer one"},
    {"gossip-sync-believed", "a table that accuses a live member is believed"},
    {"gossip-one-accuser", "one node's opinion makes a member unreachable"},
    {"gossip-one-rack", "accusers of one rack are enough where there are others"},
    {"gossip-strangers-heard", "news in a datagram is heard though no member is where it is from"},
    {"gossip-no-vouch", "who answered a ping is declared dead all the same"},
    {"gossip-sleeper-accuses", "a process that was late does not doubt itself"},
    {"gossip-any-ack", "an ack to anything ends a probe"},
    {"gossip-dead-uncalled", "the dead are never called again"},
    {"gossip-few-sends", "news of small clusters is sent log N times only"},
    {"gossip-stream-only-kept", "who answered by stream alone is shown so for ever"},
    {"gossip-stream-unasked", "a member whose datagrams are lost is not asked by stream"},
    {"gossip-both-yield", "of two nodes with one identity both give way"},
    {"gossip-no-goodbye", "who leaves tells one member, and does not wait for its ack"},
    {"gossip-nonce-repeats", "a restarted process seals with the nonces of the one before"},
    {"gossip-seal-unchecked", "a packet with a broken seal is parsed all the same"},
    {"gossip-primary-only", "the old key opens nothing any more once another is used"},
    {"gossip-large-reply", "an answer is filled up with news, however small the question was"},
}};

// Of comparisons at cuts, narrowing, proofs and damage, likewise (tests/sim/repair_mutants.py).
inline constexpr std::array<MutantName, 24> kRepairMutants{{
    {"repair-cut-is-now", "leaves are compared as they are, whatever the cut"},
    {"repair-cut-keeps-replaced", "what a later write replaced is left out of a cut's digest"},
    {"repair-far-stamps-wait", "a stamp far in the future is compared once clocks are there"},
    {"repair-sends-under-way", "writes later than the cut are sent as if they were missing"},
    {"repair-part-passed-over", "the last part of a bucket never differs"},
    {"repair-damage-served", "a value is answered without a look at its digest"},
    {"repair-damage-left", "damage that is found is not repaired"},
    {"repair-marks-outlive-loss", "who lost data still vouches for what it had purged"},
    {"repair-proof-by-two", "a range is proved once one other replica has the same"},
    {"repair-anew-sees-commits-only", "a tree made anew trusts its page, whatever is under way"},
    {"repair-anew-stays-at-damage", "a slice that cannot be read holds up those after it"},
    {"repair-anew-forgets-cuts", "what is written ahead of a tree's making is in no cut"},
    {"repair-anew-compared", "a tree is compared before it has been made anew"},
    {"repair-journal-reused-early", "a record of the journal goes before its pages are put"},
    {"repair-journal-forgotten-early", "a start is told of no record but the last"},
    {"repair-pieces-mixed", "pieces are put together whatever their version, and the whole taken"},
    {"repair-broken-value-forgotten", "a value whose transfer breaks off is not asked for again"},
    {"repair-fresh-out-of-order", "of a bucket that is filled, no key counts as stored already"},
    {"repair-adopts-early", "a bucket's mark rises before all that was pulled for it is stored"},
    {"repair-run-covers-newer", "a run that becomes tables passes over no key that is stored"},
    {"repair-run-beside-writes", "writes go on in buckets of which a run becomes tables"},
    {"repair-run-crash-unnoticed", "a crash between tables and trees leaves no trace"},
    {"repair-run-unsynced", "the record of a run that becomes tables is not synced"},
    {"repair-run-proved-early", "a bucket is proved while a run of it becomes tables"},
}};

#ifdef STARLING_MUTANTS

namespace internal {
inline std::string_view chosen_mutant;
}  // namespace internal

// Chooses one of these; none with an empty name. REQUIRES: one of them, or empty.
inline void SetMutant(std::string_view name) {
  internal::chosen_mutant = {};
  for (const MutantName& known : kMutants) {
    if (known.name == name) internal::chosen_mutant = known.name;
  }
  for (const MutantName& known : kGossipMutants) {
    if (known.name == name) internal::chosen_mutant = known.name;
  }
  for (const MutantName& known : kRepairMutants) {
    if (known.name == name) internal::chosen_mutant = known.name;
  }
  CHECK(internal::chosen_mutant == name);
}

inline bool Mutant(std::string_view name) { return name == internal::chosen_mutant; }

#else

constexpr bool Mutant(std::string_view) { return false; }

#endif

}  // namespace starling::base
