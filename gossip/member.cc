// gossip/member.cc: the order of claims.
#include "gossip/member.h"

#include <tuple>

#include "base/mutants.h"

namespace starling::gossip {
namespace {

// Within a generation.
template <typename T>
auto Rank(const T& said) {
  const bool ended = said.liveness == Liveness::kLeft && !base::Mutant("gossip-left-revived");
  return std::tuple(ended, said.incarnation, said.liveness);
}

template <typename Known>
bool IsNews(const Claim& claim, const Known& known) {
  if (claim.generation != known.generation)
    return IsNewerGeneration(claim.generation, known.generation);
  return Rank(claim) > Rank(known);
}

template <typename To, typename From>
To Same(const From& member) {
  return {.host = member.host,
          .generation = member.generation,
          .incarnation = member.incarnation,
          .address = member.address,
          .domain = member.domain,
          .metadata = decltype(To::metadata)(member.metadata),
          .liveness = member.liveness,
          .since = member.since};
}

}  // namespace

bool Supersedes(const Claim& claim, const Member& known) { return IsNews(claim, known); }
bool Supersedes(const Claim& claim, const Claim& known) { return IsNews(claim, known); }
bool Supersedes(const Claim& claim, const Standing& known) { return IsNews(claim, known); }

Member ViewOf(const MemberInfo& member) { return Same<Member>(member); }
MemberInfo CopyOf(const Member& member) { return Same<MemberInfo>(member); }

Claim ClaimOf(const Member& member, base::Instant now) {
  return {.host = member.host,
          .generation = member.generation,
          .incarnation = member.incarnation,
          .liveness = member.liveness,
          .address = member.address,
          .domain = member.domain,
          .metadata = member.metadata,
          .age = member.liveness == Liveness::kAlive ? base::Duration(0) : now - member.since};
}

const char* Name(Liveness liveness) {
  switch (liveness) {
    case Liveness::kAlive: return "alive";
    case Liveness::kSuspect: return "suspect";
    case Liveness::kUnreachable: return "unreachable";
    case Liveness::kDead: return "dead";
    case Liveness::kLeft: return "left";
  }
  return "?";
}

}  // namespace starling::gossip
