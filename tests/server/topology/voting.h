// tests/server/topology/voting.h: three voters, and what is asked of one.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/topology/codec.h"
#include "server/topology/paxos.h"
#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {

inline constexpr base::HostId kA{0, 1}, kB{0, 2}, kC{0, 3}, kStranger{0, 9};
inline const std::vector<base::HostId> kAbc{kA, kB, kC};

inline PaxosRequest Prepare(std::uint64_t epoch, std::uint64_t round, base::HostId proposer = kA) {
  return {.kind = PaxosRequest::Kind::kPrepare,
          .epoch = epoch,
          .ballot = {.round = round, .proposer = proposer},
          .voters = kAbc,
          .value = {}};
}

inline PaxosRequest Accept(const Topology& value, std::uint64_t round, base::HostId proposer = kA) {
  PaxosRequest request = Prepare(value.epoch, round, proposer);
  request.kind = PaxosRequest::Kind::kAccept;
  request.value = EncodeTopology(value);
  return request;
}

inline PaxosRequest Learn(const Topology& value) {
  return {.kind = PaxosRequest::Kind::kLearn,
          .epoch = value.epoch,
          .ballot = {},
          .voters = {},
          .value = EncodeTopology(value)};
}

inline Topology Next(const Topology& topology, const std::string& keyspace = "users") {
  base::Result<Topology> next = AddKeyspace(topology, keyspace, Parsed("simple:3"));
  REQUIRE(next.has_value());
  return *std::move(next);
}

}  // namespace starling::topology
