// gossip/reply_limit.h: how often those that are held for dead are answered: once a second each.
//
// Two nodes that hold each other for dead, or a stranger with the name of one, must not make us
// send for as long as they speak.
//
// Thread: confined to one thread.
#pragma once

#include <cstddef>
#include <vector>

#include "base/host_id.h"
#include "base/time.h"

namespace starling::gossip {

class ReplyLimit {
 public:
  static constexpr base::Duration kGap = base::seconds(1);
  static constexpr std::size_t kHostsMax = 64;  // Of one second; the others wait for the next.

  // Whether `host` may be answered now; it then counts as answered.
  bool Take(base::Instant now, base::HostId host) {
    std::erase_if(answered_, [now](const Answered& each) { return now - each.at >= kGap; });
    for (const Answered& each : answered_) {
      if (each.host == host) return false;
    }
    if (answered_.size() == kHostsMax) return false;
    answered_.push_back({host, now});
    return true;
  }

 private:
  struct Answered {
    base::HostId host;
    base::Instant at;
  };
  std::vector<Answered> answered_;
};

}  // namespace starling::gossip
