// Goal:   knobs that can't work are refused by name, and the defaults are accepted.
// Method: one knob out of range at a time.
#include "gossip/options.h"

#include "tests/test.h"

namespace starling::gossip {
namespace {

void ExpectRefused(const GossipOptions& options, std::string_view knob) {
  const base::Status status = options.Validate();
  EXPECT(status.code() == base::Code::kInvalidArgument);
  EXPECT(status.message().find(knob) != std::string::npos);
}

TEST_SUITE("gossip/options") {
  TEST_CASE("the defaults are valid") { EXPECT(GossipOptions{}.Validate().ok()); }

  TEST_CASE("an interval, count or size that can't work is refused by its name") {
    ExpectRefused({.probe_interval = base::Duration(0)}, "probe_interval");
    ExpectRefused({.ack_timeout = base::Duration(-1)}, "ack_timeout");
    ExpectRefused({.suspicion_timeout = base::Duration(0)}, "suspicion_timeout");
    ExpectRefused({.gossip_interval = base::Duration(0)}, "gossip_interval");
    ExpectRefused({.gossip_fanout = 0}, "gossip_fanout");
    ExpectRefused({.push_pull_interval = base::Duration(0)}, "push_pull_interval");
    ExpectRefused({.dead_kept = base::milliseconds(1)}, "dead_kept");
    ExpectRefused({.rumor_fanout = 0}, "rumor_fanout");
    ExpectRefused({.rumor_counter_k = 0}, "rumor_counter_k");
    ExpectRefused({.rumor_digest_lag = base::Duration(0)}, "rumor_digest_lag");
    ExpectRefused({.members_max = 0}, "members_max");
  }

  TEST_CASE("a datagram must have room for the largest claim and the largest inline rumor") {
    ExpectRefused({.metadata_bytes_max = 1100}, "datagram_bytes_max");
    ExpectRefused({.inline_payload_max = 1100}, "datagram_bytes_max");
    ExpectRefused({.datagram_bytes_max = 500}, "datagram_bytes_max");
  }
}

}  // namespace
}  // namespace starling::gossip
