// tools/gossip_sim/swim_options.h: what a course of events is made of, and which make sense.
//
// Thread:    values.
// Read next: tools/gossip_sim/swim_sim.h, which plays it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "gossip/options.h"
#include "tools/gossip_sim/network.h"
#include "tools/gossip_sim/story.h"

namespace starling::gossip_sim {

// Of all processes, in random order.
enum class Restart : std::uint8_t {
  kNone,
  kOneByOne,  // Each is down for 50 ms while all others are up.
  kAll,       // All are down at once, and boot at random times within boot_within.
};

enum class Death : std::uint8_t {
  kProcess,  // kill -9: its host refuses connections.
  kHost,     // Power off: nothing answers.
};

struct SwimOptions {
  std::uint32_t nodes = 100;
  double loss = 0;
  std::uint32_t kill = 1;
  std::uint32_t pause = 0;
  base::Duration pause_for = base::seconds(5);
  base::Duration duration = base::seconds(60);
  std::uint64_t seed = 1;
  Death death = Death::kProcess;
  // So many nodes are in a failure domain of their own, all others in another. 0: three alike.
  std::uint32_t elsewhere = 0;
  bool sealed = false;            // Packets are sealed, and bytes counted so.
  bool changing_load = false;     // Each node's vitals change each second.
  bool data_connections = false;  // Connections of the killed are reset, and that is reported.
  std::uint32_t data_peers = 0;   // How many others each has such connections with. 0: with all.
  // The paused run for so long, and are stopped again, until the span is over. 0: only once.
  base::Duration pause_again{0};
  Wakes wakes = Wakes::kToSockets;
  std::uint32_t one_way = 0;  // Pairs of nodes with one way cut during the span.
  Restart restart = Restart::kNone;
  base::Duration boot_within = base::seconds(10);  // From the first to the last, of Restart::kAll.
  std::uint32_t join = 0;                          // New nodes that join at once, through one seed.
  base::Duration partition_for{0};                 // Two halves, for so long.
  base::Duration churn_within{0};                  // Each is restarted once within that,
  base::Duration churn_for{0};                     // of which so much is played. 0: all.
  gossip::GossipOptions gossip{};
  // Called now and then with what goes on, and the share of it that is over, in [0, 1].
  std::function<void(std::string_view, double)> on_progress{};
  // Told of all that happens from the begin of the span on, in the order of time.
  std::function<void(const Told&)> on_told{};
};

// InvalidArgument names the flag that makes no sense, or none together with another.
base::Status Check(const SwimOptions& options);

}  // namespace starling::gossip_sim
