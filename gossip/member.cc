// gossip/member.cc: the order of claims.
#include "gossip/member.h"

#include <tuple>

namespace starling::gossip {
namespace {

template <typename T>
auto Rank(const T& said) {
  return std::tuple(said.generation, said.liveness == Liveness::kLeft, said.incarnation,
                    said.liveness);
}

}  // namespace

bool Supersedes(const Claim& claim, const MemberInfo& known) { return Rank(claim) > Rank(known); }
bool Supersedes(const Claim& claim, const Claim& known) { return Rank(claim) > Rank(known); }

Claim ClaimOf(const MemberInfo& member, base::Instant now) {
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
