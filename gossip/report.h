// gossip/report.h: all that this node's failure detector knows, at one moment, for operators.
//
// Thread: values.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gossip/member.h"
#include "gossip/outputs.h"
#include "gossip/round_trips.h"

namespace starling::gossip {

struct AccuserReport {
  std::uint64_t short_id = 0;        // ShortId of the host.
  std::optional<base::HostId> host;  // Absent: a host that this node has never heard of.
  base::Instant heard;               // When this node first heard of the accusation.
};

struct MemberReport {
  MemberInfo member;
  std::vector<AccuserReport> accusers{};   // While it is suspect or unreachable.
  std::optional<base::Instant> verdict{};  // Likewise: when its time to refute is over.
  std::optional<RoundTrip> round_trip{};   // Absent: not lately.
};

struct Report {
  MemberInfo self;
  std::int64_t health_score = 0;    // 0: sound. Its timeouts are multiplied by this + 1.
  base::Duration probe_interval{};  // As multiplied.
  base::Duration ack_timeout{};
  std::size_t stream_only = 0;
  std::size_t unanswered = 0;  // Streams of this node in a row that brought no answer.
  std::size_t pending_claims = 0;
  std::size_t hot_rumors = 0;
  Counters counters;
  std::vector<MemberReport> members;  // All known, the dead and left included; by host id.
};

}  // namespace starling::gossip
