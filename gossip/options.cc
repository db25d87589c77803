// gossip/options.cc: which values of the knobs can work.
#include "gossip/options.h"

#include <fmt/core.h>

#include "gossip/guards.h"
#include "gossip/message.h"

namespace starling::gossip {
namespace {

base::Status AtLeast(const char* knob, base::Duration value, base::Duration min) {
  if (value >= min) return base::Ok();
  return base::InvalidArgument(fmt::format("gossip.{} is {} ms, and must be at least {} ms", knob,
                                           base::ToMs(value), base::ToMs(min)));
}

base::Status AtLeast(const char* knob, std::uint64_t value, std::uint64_t min) {
  if (value >= min) return base::Ok();
  return base::InvalidArgument(
      fmt::format("gossip.{} is {}, and must be at least {}", knob, value, min));
}

base::Status AtMost(const char* knob, std::uint64_t value, std::uint64_t max) {
  if (value <= max) return base::Ok();
  return base::InvalidArgument(
      fmt::format("gossip.{} is {}, and must be at most {}", knob, value, max));
}

constexpr std::uint32_t kPeersAskedMax = 32;

}  // namespace

base::Status GossipOptions::Validate() const {
  const base::Duration tick = base::milliseconds(1);
  RETURN_IF_ERROR(AtLeast("probe_interval", probe_interval, base::milliseconds(10)));
  RETURN_IF_ERROR(AtLeast("ack_timeout", ack_timeout, tick));
  RETURN_IF_ERROR(AtLeast("suspicion_timeout", suspicion_timeout, tick));
  RETURN_IF_ERROR(AtLeast("suspicion_mult", suspicion_mult, 2));
  RETURN_IF_ERROR(AtLeast("suspicion_max_mult", suspicion_max_mult, 1));
  RETURN_IF_ERROR(AtMost("guards", guards, kGuardsMax));
  RETURN_IF_ERROR(AtMost("indirect_helpers", indirect_helpers, kPeersAskedMax));
  RETURN_IF_ERROR(AtMost("confirmers", confirmers, kPeersAskedMax));
  RETURN_IF_ERROR(AtLeast("gossip_interval", gossip_interval, tick));
  RETURN_IF_ERROR(AtLeast("gossip_fanout", gossip_fanout, 1));
  RETURN_IF_ERROR(AtLeast("push_pull_interval", push_pull_interval, base::milliseconds(10)));
  RETURN_IF_ERROR(AtLeast("dead_contact_interval", dead_contact_interval, base::milliseconds(10)));
  RETURN_IF_ERROR(AtLeast("join_interval", join_interval, base::milliseconds(10)));
  RETURN_IF_ERROR(AtLeast("dead_kept", dead_kept, suspicion_timeout));
  RETURN_IF_ERROR(AtLeast("rumor_fanout", rumor_fanout, 1));
  RETURN_IF_ERROR(AtLeast("rumor_counter_k", rumor_counter_k, 1));
  RETURN_IF_ERROR(AtLeast("rumor_digest_lag", rumor_digest_lag, tick));
  RETURN_IF_ERROR(AtLeast("passing_interval", passing_interval, tick));
  RETURN_IF_ERROR(AtLeast("passing_packets_max", passing_packets_max, 1));
  RETURN_IF_ERROR(AtLeast("passing_counter_k", passing_counter_k, 1));
  RETURN_IF_ERROR(AtLeast("passing_rumors_max", passing_rumors_max, 1));
  RETURN_IF_ERROR(AtMost("passing_payload_max", passing_payload_max, rumor_payload_bytes_max));
  RETURN_IF_ERROR(AtLeast("members_max", members_max, 1));
  RETURN_IF_ERROR(AtLeast("rumors_max", rumors_max, 1));
  // One claim and, beside it, one rumor must fit, or they could never be sent.
  RETURN_IF_ERROR(AtLeast("datagram_bytes_max", datagram_bytes_max,
                          kEnvelopeBytesMax + kClaimBytesMax + metadata_bytes_max));
  return AtLeast("datagram_bytes_max", datagram_bytes_max,
                 kEnvelopeBytesMax + kRumorBytesMax + kRumorKeyBytesMax + inline_payload_max);
}

}  // namespace starling::gossip
