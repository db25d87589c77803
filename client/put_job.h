// client/put_job.h: one put of an application, repeated under its stamp while its outcome is
// unknown.
//
// All attempts together take no longer than the put's timeout.
//
// Thread:    the loop's.
// Ownership: a job lives until its callback was called, exactly once.
// Read next: client/loop.h, client/client.cc
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/loop.h"

namespace starling::client {

struct PutJob {
  std::string keyspace, key, value;
  bool tombstone = false;
  base::Duration time_to_live{0};
  bool restored = false;
  wire::Consistency level = wire::Consistency::kQuorum;
  base::Duration timeout{0};  // Of the whole, from BeginPut on. REQUIRES: above 0.
  unsigned retries_left = 0;
  // The result is that of the last attempt; a failure may be that of an earlier one, whose outcome
  // is unknown.
  std::function<void(const PutResult&)> callback{};

  // --- BeginPut's ---
  base::Instant ends{};
  base::Duration pause{0};  // Before the next retry.
  base::Version stamp{};
  base::Status unknown{};  // Why an attempt's outcome is unknown, if one's is.
};

void BeginPut(LoopActor& loop, const std::shared_ptr<PutJob>& job);

}  // namespace starling::client
