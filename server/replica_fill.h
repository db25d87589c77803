// server/replica_fill.h: a run of pulled entries on its way into tables of its own. Its own.
//
// Thread: confined to its worker, but for Run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/pulled_run.h"
#include "server/replica.h"

namespace starling::server {

struct Replica::Filling final : base::Job {
  Filling(Replica& home, std::unique_ptr<PulledRun> entries)
      : replica(home), fill(std::move(entries)) {}
  void Run() noexcept override;
  void Done() override { replica.OnFilled(); }

  bool Covers(const Operation& operation) const {
    return operation.keyspace == fill->keyspace() &&
           fill->buckets().Contains(base::BucketOf(operation.token));
  }

  Replica& replica;
  const std::unique_ptr<PulledRun> fill;
  std::vector<std::uint16_t> begun;  // Of its buckets those that hold something, ascending.
  std::uint64_t after = 0;           // The commit of all that was carried out before.
  bool started = false;
  std::vector<Operation> waiting;  // On its buckets.
  // What Run found, of each entry in the order of storage:
  std::vector<bool> added;
  std::vector<merkle::Digest> digests;  // Of those that were added; of the others empty.
  base::Status status;

 private:
  base::Result<std::vector<std::string>> StoredKeys() const;
  void AddAllBut(const std::vector<std::string>& stored);
};

}  // namespace starling::server
