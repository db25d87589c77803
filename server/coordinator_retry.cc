// server/coordinator_retry.cc: a read that too few replicas are left for starts over.
//
// A read does no harm twice. What is asked anew is decided by the owners as they are known then.
#include <algorithm>
#include <utility>

#include "server/coordinator.h"
#include "server/coordinator_ops.h"

namespace starling::server {
namespace {

// A lost connection is made anew within this time.
constexpr base::Duration kRetryAfter = base::milliseconds(150);

}  // namespace

void Coordinator::RetryLater(std::uint64_t id, GetOp& op) {
  if (op.retrying) return;
  const base::Instant at = parts_.world.Now() + kRetryAfter;
  if (at >= op.ends) {
    FailGet(id, op, base::Code::kUnavailable, "too few replicas answered");
    return;
  }
  op.retrying = true;
  get_timers_.Cancel(op.timer);
  op.timer = get_timers_.Add(at, id);
}

void Coordinator::Retry(std::uint64_t id, GetOp& op) {
  op.retrying = false;
  if (snapshot_->ring_epoch != op.snapshot->ring_epoch) return RetryAmongNewOwners(id, op);
  // Who is down by now need not be waited for. (The order of the replicas is that of the ring.)
  op.replicas.readable =
      ReplicasOf(*snapshot_, op.keyspace, base::BucketOf(op.token), Purpose::kRead).readable;
  StartOver(id, op);
}

// What is asked under the epoch that it began in they refuse. It goes on under another id, so that
// answers that are still under way, from places among the owners before, find nobody.
void Coordinator::RetryAmongNewOwners(std::uint64_t id, GetOp& before) {
  const auto [next, op] = gets_.Add();
  *op = std::move(before);
  gets_.Remove(id);
  get_timers_.Cancel(op->timer);
  op->timer = get_timers_.Add(op->ends, next);
  const ReplicaSet replicas =
      ReplicasOf(*snapshot_, op->keyspace, base::BucketOf(op->token), Purpose::kRead);
  Place(*op, replicas, RequirementOf(op->level, replicas.all, replicas.local));
  StartOver(next, *op);
}

void Coordinator::StartOver(std::uint64_t id, GetOp& op) {
  if (!op.requirement.reachable(op.replicas.readable)) {
    FailGet(id, op, base::Code::kUnavailable, "too few replicas answered, the others are down");
    return;
  }
  // From the beginning: what was answered may have been known to a replica that is gone. Answers
  // that are still under way are as good as new ones; outcomes of repairs are of an older round.
  op.tally = ReadTally(op.requirement);
  std::fill(op.answers.begin(), op.answers.end(), purge::ReadAnswer{});
  op.asked = op.repair_sent = 0;
  op.fetching = op.repairing = op.value_version = op.header.version = {};
  for (int asked = 0; asked < op.requirement.needed; ++asked)
    if (!AskAnother(id, op)) break;
}

}  // namespace starling::server
