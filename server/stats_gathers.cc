#include "server/stats_gathers.h"

#include <utility>

#include "base/check.h"

namespace starling::server {

std::uint64_t StatsGathers::Begin(unsigned workers, Then then) {
  CHECK(workers > 0);
  gathers_[++serial_] = {.missing = workers, .stats = {}, .then = std::move(then)};
  return serial_;
}

void StatsGathers::Take(std::uint64_t serial, WorkerStats stats) {
  const auto found = gathers_.find(serial);
  if (found == gathers_.end()) return;
  found->second.stats.push_back(std::move(stats));
  if (--found->second.missing > 0) return;
  const Gather done = std::move(found->second);
  gathers_.erase(found);  // First: what follows may begin another.
  done.then(done.stats);
}

}  // namespace starling::server
