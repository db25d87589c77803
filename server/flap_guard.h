// server/flap_guard.h: when a member that falls silent again and again is used again.
//
// Each time that a member is back, links are opened, hints are sent and all that it shares is
// compared. One that comes and goes every few seconds would have that done all the time, and
// requests sent into its silence. So after kFallsFree falls within kWindow it has to stay alive for
// a while first, twice as long at each further fall.
//
// Thread:    confined to control.
// Read next: server/control_gossip.cc
#pragma once

#include <algorithm>
#include <map>

#include "base/host_id.h"
#include "base/time.h"

namespace starling::server {

class FlapGuard {
 public:
  static constexpr int kFallsFree = 2;
  static constexpr base::Duration kWindow = base::seconds(60);
  static constexpr base::Duration kHoldMin = base::seconds(2);
  static constexpr base::Duration kHoldMax = base::seconds(16);

  // What gossip says of a member now, whenever it says so: reachable, or not.
  void Note(base::Instant now, base::HostId host, bool reachable) {
    Member& member = members_[host];
    if (member.reachable == reachable) return;
    member.reachable = reachable;
    if (!reachable) {
      if (now - member.fell >= kWindow) member.falls = 0;
      member.fell = now;
      ++member.falls;
      member.held_until = {};
    } else if (member.falls > kFallsFree) {
      const int doublings = std::min(member.falls - kFallsFree - 1, 16);
      member.held_until = now + std::min<base::Duration>(kHoldMin * (1LL << doublings), kHoldMax);
    }
  }

  // Reachable, but not for long enough.
  bool Holds(base::Instant now, base::HostId host) const {
    const auto found = members_.find(host);
    return found != members_.end() && found->second.reachable && now < found->second.held_until;
  }

 private:
  struct Member {
    bool reachable = true;
    int falls = 0;  // Within kWindow of each other.
    base::Instant fell;
    base::Instant held_until;
  };

  std::map<base::HostId, Member> members_;  // At most the hosts that gossip has ever told of.
};

}  // namespace starling::server
