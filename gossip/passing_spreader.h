// gossip/passing_spreader.h: sends hot passing rumors, in rounds of their own.
//
// A node that was idle sends at once, so that a write crosses a cluster without waiting for an
// interval; then passing_interval and passing_packets_max bound what a node sends, whatever the
// load.
//
// Thread: confined to one thread.
#pragma once

#include <optional>

#include "base/random.h"
#include "base/time.h"
#include "gossip/courier.h"
#include "gossip/membership.h"
#include "gossip/options.h"
#include "gossip/passing_rumors.h"

namespace starling::gossip {

class PassingSpreader {
 public:
  // The references outlive this.
  PassingSpreader(const GossipOptions& options, Membership& membership, PassingRumors& rumors,
                  Courier& courier, base::Random& random)
      : options_(options),
        membership_(membership),
        rumors_(rumors),
        courier_(courier),
        random_(random) {}
  PassingSpreader(const PassingSpreader&) = delete;
  PassingSpreader& operator=(const PassingSpreader&) = delete;

  void OnTick(base::Instant now);
  base::Instant next_tick() const {
    if (!rumors_.hot() || membership_.present() == 0) return base::Instant::Never();
    return last_round_ ? *last_round_ + options_.passing_interval : base::Instant{};
  }

 private:
  const GossipOptions& options_;
  Membership& membership_;
  PassingRumors& rumors_;
  Courier& courier_;
  base::Random& random_;
  std::optional<base::Instant> last_round_;
};

}  // namespace starling::gossip
