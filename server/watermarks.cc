#include "server/watermarks.h"

#include "base/check.h"

namespace starling::server {

std::uint64_t Watermarks::Next(base::NodeNumber peer) {
  Peer& to = peers_[peer];
  to.handled.push_back(false);
  return to.below + to.handled.size() - 1;
}

void Watermarks::Tell(base::Instant now, base::NodeNumber peer, std::uint64_t connection,
                      std::uint64_t number, wire::ReplicaWrite* message) {
  Peer& to = peers_.at(peer);
  to.sent_at = now;
  const bool counts_along = connection != 0 && connection == to.connection;
  if (counts_along && ++to.since_told < kToldEach && now - to.told_at < kToldAfter) return;
  to.connection = connection;
  to.since_told = 0;
  to.told_at = now;
  to.told = to.below;
  message->number = number;
  message->unhandled = static_cast<std::uint32_t>(number - to.below);
}

void Watermarks::NotSent(base::NodeNumber peer) { peers_.at(peer).connection = 0; }

void Watermarks::Handled(base::NodeNumber peer, std::uint64_t number) {
  Peer& to = peers_.at(peer);
  CHECK(number >= to.below);
  CHECK(number - to.below < to.handled.size());
  to.handled[number - to.below] = true;
  while (!to.handled.empty() && to.handled.front()) {
    to.handled.pop_front();
    ++to.below;
  }
}

std::vector<Watermarks::Idle> Watermarks::TakeIdle(base::Instant now) {
  std::vector<Idle> idle;
  for (auto& [number, peer] : peers_) {
    if (peer.told == peer.below || !peer.handled.empty() || now - peer.sent_at < kIdleAfter)
      continue;
    peer.told = peer.below;
    idle.push_back({number, peer.below});
  }
  return idle;
}

std::uint64_t Watermarks::below(base::NodeNumber peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? 1 : found->second.below;
}

}  // namespace starling::server
