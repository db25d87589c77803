#include "client/put_job.h"

#include <algorithm>
#include <utility>

namespace starling::client {
namespace {

// Before the first retry; twice as long before each further one. What made a put time out takes a
// while to pass.
constexpr base::Duration kFirstPause = base::milliseconds(50);

void Send(LoopActor& loop, const std::shared_ptr<PutJob>& job);

// A retry that was refused changed nothing, but what it repeats may have.
void End(const PutJob& job, PutResult result) {
  if (!result.status.ok() && !job.unknown.ok()) result.status = job.unknown;
  job.callback(result);
}

void OnResult(LoopActor& loop, const std::shared_ptr<PutJob>& job, const PutResult& result) {
  if (result.status.code() == base::Code::kTimeout) job->unknown = result.status;
  const bool may_repeat = !result.stamp.empty() && job->retries_left > 0;
  if (!may_repeat || loop.now() + job->pause >= job->ends) return End(*job, result);
  --job->retries_left;
  job->stamp = result.stamp;
  loop.After(std::exchange(job->pause, job->pause * 2), [&loop, job](const base::Status& status) {
    if (!status.ok()) return End(*job, {.status = status});
    Send(loop, job);
  });
}

void Send(LoopActor& loop, const std::shared_ptr<PutJob>& job) {
  // A loop that wakes late leaves nothing, and 0 would stand for the client's whole timeout.
  const base::Duration left = job->ends - loop.now();
  loop.Put({.keyspace = job->keyspace,
            .key = job->key,
            .value = job->value,
            .tombstone = job->tombstone,
            .time_to_live = job->time_to_live,
            .restored = job->restored,
            .level = job->level,
            .stamp = job->stamp,
            .timeout = std::max<base::Duration>(left, base::milliseconds(1))},
           [&loop, job](const PutResult& result) { OnResult(loop, job, result); });
}

}  // namespace

void BeginPut(LoopActor& loop, const std::shared_ptr<PutJob>& job) {
  job->ends = loop.now() + job->timeout;
  job->pause = kFirstPause;
  Send(loop, job);
}

}  // namespace starling::client
