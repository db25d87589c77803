// tools/gossip_sim/swim_options.cc: what is refused, and by which name.
#include "tools/gossip_sim/swim_options.h"

#include <fmt/core.h>

namespace starling::gossip_sim {
namespace {

constexpr std::uint32_t kNodesMax = 10000;  // Each has a row for each: 12 bytes times N * N.

}  // namespace

base::Status Check(const SwimOptions& options) {
  if (options.nodes < 2 || options.nodes > kNodesMax) {
    return base::InvalidArgument(
        fmt::format("--nodes is {}, and must be 2 to {}", options.nodes, kNodesMax));
  }
  if (std::uint64_t{options.kill} + options.pause >= options.nodes) {
    return base::InvalidArgument(
        fmt::format("--kill {} and --pause {} leave none of {} nodes to observe", options.kill,
                    options.pause, options.nodes));
  }
  if (!(options.loss >= 0 && options.loss < 1))  // NaN too.
    return base::InvalidArgument(fmt::format("--loss is {}, and must be in [0, 1)", options.loss));
  if (options.pause > 0 && options.pause_for <= base::Duration(0))
    return base::InvalidArgument("--pause-for must be above 0");
  if (options.duration < base::seconds(1))
    return base::InvalidArgument("--duration must be at least 1s");
  const std::uint64_t ways = std::uint64_t{options.nodes} * (options.nodes - 1);
  if (options.one_way > ways / 2) {
    return base::InvalidArgument(
        fmt::format("--one-way is {}, and must be at most {}, half of all ways between {} nodes",
                    options.one_way, ways / 2, options.nodes));
  }
  if (options.elsewhere >= options.nodes) {
    return base::InvalidArgument(fmt::format("--elsewhere is {}, and must be below --nodes ({})",
                                             options.elsewhere, options.nodes));
  }
  if (options.data_peers >= options.nodes) {
    return base::InvalidArgument(fmt::format("--data-peers is {}, and must be below --nodes ({})",
                                             options.data_peers, options.nodes));
  }
  // As starlingd refuses them.
  const gossip::GossipOptions& gossip = options.gossip;
  if (gossip.ack_timeout >= gossip.probe_interval) {
    return base::InvalidArgument(
        fmt::format("--ack-timeout ({} ms) must be below --probe-interval ({} ms)",
                    base::ToMs(gossip.ack_timeout), base::ToMs(gossip.probe_interval)));
  }
  const bool ours = gossip.mode == gossip::Mode::kStarling;  // The others have a formula.
  if (ours && gossip.suspicion_timeout < gossip.probe_interval) {
    return base::InvalidArgument(
        fmt::format("--suspicion-timeout ({} ms) must be at least --probe-interval ({} ms)",
                    base::ToMs(gossip.suspicion_timeout), base::ToMs(gossip.probe_interval)));
  }
  return gossip.Validate();
}

}  // namespace starling::gossip_sim
