#include "server/topology/newcomers.h"

#include <algorithm>

namespace starling::topology {

void Newcomers::Hear(base::Instant now, const NodeInfo& node) {
  Forget(now);
  const auto there = waiting_.find(node.cluster);
  if (there == waiting_.end() && waiting_.size() >= kNewcomersMax) return;
  const bool same = there != waiting_.end() && there->second.node == node;
  waiting_[node.cluster] = {node, same ? there->second.came : now, now};
}

std::vector<NodeInfo> Newcomers::Present(base::Instant now) {
  Forget(now);
  std::vector<NodeInfo> nodes;
  nodes.reserve(waiting_.size());
  for (const auto& [address, waiting] : waiting_) nodes.push_back(waiting.node);
  return nodes;
}

std::optional<base::Instant> Newcomers::LastCame(base::Instant now) {
  Forget(now);
  std::optional<base::Instant> last;
  for (const auto& [address, waiting] : waiting_)
    last = std::max(last.value_or(waiting.came), waiting.came);
  return last;
}

void Newcomers::Forget(base::Instant now) {
  std::erase_if(waiting_, [&](const auto& each) { return now - each.second.heard > kept_; });
}

}  // namespace starling::topology
