// gossip/probes.h: the probes that are under way, oldest first.
//
// At most kMax, and one a host: whoever is to be probed beyond that waits for its turn. A probe
// stays where it is until it ends, so that the end of one moves pointers alone.
//
// Thread:    confined to one thread.
// Read next: gossip/prober.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/host_id.h"
#include "base/time.h"
#include "gossip/courier.h"
#include "gossip/suspicion.h"

namespace starling::gossip {

struct Probe {
  std::uint64_t nonce;
  base::HostId host;
  std::uint64_t generation;
  base::Address address;
  base::Instant began;
  base::Instant helpers_at;
  base::Instant again_at;  // The next ping of those that repeat the first.
  base::Duration again_gap;
  base::Instant fails_at;
  bool confirming = false;
  bool untimed = false;  // This process was late: its answer may have lain in the socket.
  bool asked_helpers = false;
  bool asked_stream = false;
  bool stream_lost = false;             // It came to nothing, and says nothing: it is asked again.
  bool refused = false;                 // The stream was: nobody listens at the address.
  std::vector<base::HostId> helpers{};  // That were asked, and have not said nack.
  Accusers witnesses{};                 // Those that have.
  std::optional<Asked> by{};            // The Confirm that this node probes for.
};

class Probes {
 public:
  static constexpr std::size_t kMax = 64;

  Probes() = default;
  Probes(const Probes&) = delete;
  Probes& operator=(const Probes&) = delete;

  bool full() const { return all_.size() >= kMax; }
  const std::vector<Probe*>& all() const { return all_; }
  // nullptr: there is none.
  Probe* Of(base::HostId host) const;
  Probe* ByNonce(std::uint64_t nonce) const;

  // REQUIRES: not full(), and none of its host. Valid until it ends.
  Probe& Add(Probe probe);
  // Takes it out. REQUIRES: it is one of all().
  Probe End(const Probe* probe);

 private:
  std::deque<Probe> room_;
  std::vector<Probe*> all_, spare_;  // In room_.
};

}  // namespace starling::gossip
