// server/replica_trees.cc: the digests of what a replica holds, now and as of cuts.
#include <algorithm>

#include "server/replica.h"

namespace starling::server {

merkle::History& Replica::HistoryFor(base::KeyspaceId keyspace) {
  auto& history = histories_[keyspace];
  if (history == nullptr) history = std::make_unique<merkle::History>(keyspace, first_cut_);
  return *history;
}

merkle::History* Replica::HistoryOf(base::KeyspaceId keyspace) {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? nullptr : it->second.get();
}

const merkle::Tree* Replica::TreeOf(base::KeyspaceId keyspace) const {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? nullptr : &it->second->tree();
}

merkle::Digest Replica::LeafOf(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  const merkle::Tree* tree = TreeOf(keyspace);
  return tree == nullptr ? merkle::Digest{} : tree->Leaf(bucket);
}

merkle::Generation Replica::OldestCut(base::KeyspaceId keyspace) const {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? first_cut_ : it->second->recent().oldest_cut();
}

void Replica::ForgetCuts() {
  const merkle::Generation oldest = merkle::NewestCut(ArrivalMs()) - kCutsKept;
  for (const auto& [keyspace, history] : histories_) history->recent().Forget(oldest);
}

std::size_t Replica::cut_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [keyspace, history] : histories_) bytes += history->recent().memory_bytes();
  return bytes;
}

// A clock set back must not file the later of two writes of a key before the earlier one.
std::int64_t Replica::ArrivalMs() {
  arrival_ms_ = std::max(arrival_ms_, world_.WallMs());
  return arrival_ms_;
}

}  // namespace starling::server
