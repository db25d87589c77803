// server/topology/tokens.h: which bucket borders a new node gets, so that load stays balanced.
//
// Random tokens give nodes shares that differ by half with 16 vnodes each; these are chosen. The
// epoch that admits a node gives it its tokens, so no two nodes ever collide, and every bucket has
// exactly one replica set. Both functions are deterministic: the same arguments, the same tokens.
//
// Thread:    free functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "server/topology/topology.h"

namespace starling::topology {

// Tokens for the nodes of a new cluster: `vnodes` has one count a node. The space is cut evenly and
// the pieces are dealt out in shuffled rounds, so that each node has many different neighbours and
// its load, should it die, spreads over all. `seed` turns and jitters the cuts.
// Fails with InvalidArgument when a count is not 1 to kVnodesMax, or all together are too many.
base::Result<std::vector<std::vector<std::uint16_t>>> FoundingTokens(
    std::span<const std::uint32_t> vnodes, std::uint64_t seed);

// Tokens for one more node: each cuts the tail off the largest range of whichever member bears the
// most, until the new node has its fair share. No token of a member changes.
// Fails with InvalidArgument for a bad count, FailedPrecondition when no range can be split.
base::Result<std::vector<std::uint16_t>> JoiningTokens(const Topology& topology,
                                                       std::uint32_t vnodes);

}  // namespace starling::topology
