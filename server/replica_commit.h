// server/replica_commit.h: what a replica hands to the committer in one turn. Its own.
//
// Thread: confined to its worker, but for what CommitJob says.
#pragma once

#include <cstdint>
#include <vector>

#include "server/replica.h"

namespace starling::server {

struct Replica::Commit final : CommitJob {
  explicit Commit(Replica& home) : replica(home) {}
  void Done() override { replica.OnCommitted(*this); }

  Replica& replica;
  std::uint64_t number = 0;
  std::vector<Release> releases;  // Answers that wait for it.
  std::vector<Operation> reads;   // Reads of what it writes.
  std::uint64_t write_bytes = 0;  // Of the operations in its batch.
  Arena keys;                     // Of what it writes, as long as that is uncommitted.
};

}  // namespace starling::server
