// server/replica_fetch.h: an old version that a replica fetches from disk. Its own.
//
// Thread: confined to its worker, but for Run.
#pragma once

#include <string>
#include <vector>

#include "server/replica.h"

namespace starling::server {

// Reads one entry from disk; the operations on its key wait here in order.
struct Replica::Fetch final : base::Job, storage::GetSink {
  explicit Fetch(Replica& home) : replica(home) {}

  void Run() noexcept override {
    const base::Bytes key = stored_key;
    replica.engine_.Get(storage::Family::kData, {&key, 1}, storage::Tier::kAll, *this);
  }
  void Done() override { replica.OnFetched(*this); }
  void OnFound(std::size_t, storage::Found result, base::Bytes bytes,
               const base::Status& why) override {
    found = result;
    value.assign(bytes);
    error = why;
  }

  Replica& replica;
  std::string stored_key;
  std::vector<Operation> waiting;
  bool overtaken = false;  // The key was written to after it began: what it found may be old.
  storage::Found found = storage::Found::kAbsent;
  std::string value;
  base::Status error;
};

}  // namespace starling::server
