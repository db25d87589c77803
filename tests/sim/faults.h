// tests/sim/faults.h: what may go wrong in a simulation, each with how likely or how long.
//
// The defaults are a calm day: delays and byte splits as any network has them, and nothing lost.
// Whatever is drawn comes from the simulation's one seed.
//
// Thread: a value.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace starling::sim {

struct Faults {
  // --- network: one draw a datagram, or a flight of bytes on a connection ---
  base::Duration latency_min = base::microseconds(50);
  base::Duration latency_max = base::microseconds(400);
  double late = 0;  // Takes up to `late_max` more: datagrams overtake, a connection stalls.
  base::Duration late_max = base::milliseconds(300);
  double datagram_loss = 0;
  double datagram_duplicate = 0;
  double connection_reset = 0;  // Both ends lose it, and what was under way.
  // A process that was killed leaves its peers a FIN as often as a reset: kernels do either.
  double killed_sends_fin = 0.5;
  // A host may bind an address of another one, as two that were configured alike: what is sent
  // there reaches the other, what it sends is heard.
  bool foreign_addresses = false;

  // --- network: fixed times ---
  base::Duration connect_timeout = base::seconds(3);  // Then kUnreachable.
  base::Duration retransmit = base::milliseconds(500);
  base::Duration stall_timeout = base::seconds(10);  // A connection that moves no byte is given up.
  base::Duration linger_timeout = base::seconds(5);  // A Close whose bytes the peer does not take.
  // Bytes that the peer's kernel takes without its actor reading: beyond them Queued() grows.
  std::size_t window_bytes = std::size_t{256} * 1024;

  // --- actors ---
  double split = 0.1;                  // OnBytes is shown only a part of what came.
  std::uint32_t turn_inputs_max = 16;  // A turn ends after 1..max inputs.
  base::Duration turn_delay_max = base::microseconds(30);  // From an input to the turn it is in.
  base::Duration turn_cost_max = base::microseconds(10);   // From a turn to the actor's next.
  base::Duration post_delay_max = base::microseconds(20);
  base::Duration alarm_late_max = base::milliseconds(1);

  // --- lanes: how long a job takes ---
  base::Duration sync_max = base::milliseconds(1);
  base::Duration read_max = base::microseconds(300);
  base::Duration background_max = base::milliseconds(3);
  double slow_job = 0;  // Takes up to `slow_job_max` more: a disk that stutters.
  base::Duration slow_job_max = base::milliseconds(200);
  std::uint32_t read_threads = 3;
};

}  // namespace starling::sim
