// gossip/member.h: what is said about a member, and which of two such sayings is newer.
//
// A member is a host and its generation (how often it booted); the address is an attribute. Only
// the member itself raises its incarnation, so that nobody else can clear an accusation.
// Thread:    values.
// Read next: gossip/membership.h
#pragma once

#include <cstdint>
#include <string>

#include "base/address.h"
#include "base/bytes.h"
#include "base/host_id.h"
#include "base/random.h"
#include "base/time.h"
#include "gossip/suspicion.h"

namespace starling::gossip {

// Generations count round a circle: of two, the newer is the one that the other comes to in less
// than half a turn. So none is the last: to whatever is claimed of it, by mistake or by a forger,
// a member has something newer to say that all others take (RFC 1982 does so for DNS serials).
inline constexpr std::uint64_t kGenerations = 1ULL << 63;  // And nine bytes each on the wire.
constexpr std::uint64_t NextGeneration(std::uint64_t generation) {
  return generation % (kGenerations - 1) + 1;  // 0 is left out: in an Ack it says nothing.
}
constexpr bool IsNewerGeneration(std::uint64_t generation, std::uint64_t than) {
  const std::uint64_t ahead = (generation - than) % kGenerations;
  if (ahead == kGenerations / 2) return generation > than;  // Either would do, for all the same.
  return ahead != 0 && ahead < kGenerations / 2;
}
// Of two that have a generation and an incarnation.
template <typename Said, typename Known>
constexpr bool IsNewer(const Said& said, const Known& known) {
  if (said.generation != known.generation)
    return IsNewerGeneration(said.generation, known.generation);
  return said.incarnation > known.incarnation;
}

// In the order in which one takes the place of another at the same incarnation.
enum class Liveness : std::uint8_t {
  kAlive,
  kSuspect,      // Somebody found it silent.
  kUnreachable,  // So did enough others (gossip/suspicion.h). Advice for routing; it may refute.
  kDead,         // And it did not refute in its time.
  kLeft,
};

// A member as this node sees it now.
template <typename Metadata>
struct MemberOf {
  base::HostId host;
  std::uint64_t generation = 0;   // Counts boots; from a new one on, all older claims are void.
  std::uint32_t incarnation = 0;  // Within the generation; raised to refute, or to say new things.
  base::Address address{};
  std::uint32_t domain = 0;  // Its failure domain (rack), opaque here. 0: not said.
  Metadata metadata{};       // The owner's bytes; gossip carries them and does not look inside.
  Liveness liveness = Liveness::kAlive;
  base::Instant since{};  // When it came to be in this state, as far as this node knows.
};
using MemberInfo = MemberOf<std::string>;  // To keep.
using Member = MemberOf<base::Bytes>;      // Without a copy: valid until the member changes.
Member ViewOf(const MemberInfo& member);
MemberInfo CopyOf(const Member& member);

// The same, as it travels. Complete: whoever takes a claim needs to know nothing from before.
struct Claim {
  base::HostId host;
  std::uint64_t generation = 0;
  std::uint32_t incarnation = 0;
  Liveness liveness = Liveness::kAlive;
  base::Address address{};
  std::uint32_t domain = 0;
  base::Bytes metadata{};  // Of the packet that it came in, or of the table that it is about.
  base::Duration age{0};   // How long it has been in a state other than alive. Else 0.
  Accusers accusers{};     // Of a suspect.
};

// Of a member, what decides whether a claim about it is news.
struct Standing {
  std::uint64_t generation = 0;
  std::uint32_t incarnation = 0;
  Liveness liveness = Liveness::kAlive;
};

// Dead or left: not probed, no target of gossip, forgotten after GossipOptions::dead_kept.
constexpr bool IsGone(Liveness liveness) {
  return liveness == Liveness::kDead || liveness == Liveness::kLeft;
}

// What its subject may refute.
constexpr bool IsAccusation(Liveness liveness) {
  return liveness == Liveness::kSuspect || liveness == Liveness::kUnreachable ||
         liveness == Liveness::kDead;
}

// Suspect or unreachable: it is running out of time to refute.
constexpr bool IsOnTrial(Liveness liveness) {
  return liveness == Liveness::kSuspect || liveness == Liveness::kUnreachable;
}

// True if `claim` is news to one who holds `known` of the same host: generation first; left ends a
// generation for good; then incarnation; then liveness, the worse one winning. Of generations
// within half a turn, as are all but a forger's, a total order, so that all nodes end with the same
// state whatever the order of arrival; beyond that the member itself has the last word.
bool Supersedes(const Claim& claim, const Member& known);
bool Supersedes(const Claim& claim, const Claim& known);
bool Supersedes(const Claim& claim, const Standing& known);

Claim ClaimOf(const Member& member, base::Instant now);

inline constexpr unsigned kBucketShift = 56;  // Of a ShortId: its top eight bits are its bucket.

// A member's part in the digest of a table, in two steps: what stays from boot to boot, and the
// rest. Liveness counts, so that a table that has heard of a death is not equal to one that has
// not.
inline std::uint64_t DigestOfBoot(std::uint64_t short_id, std::uint64_t generation) {
  return base::Mix64(short_id ^ generation);
}
inline std::uint64_t DigestOfState(std::uint64_t boot_digest, std::uint32_t incarnation,
                                   Liveness liveness) {
  return base::Mix64(boot_digest ^
                     (std::uint64_t{incarnation} << 8 | static_cast<std::uint64_t>(liveness)));
}

// "alive", "suspect", "unreachable", "dead", "left"
const char* Name(Liveness liveness);

}  // namespace starling::gossip
