// server/coordinator_ops.h: what the coordinator remembers of one put and of one get. Its own.
//
// Thread: confined to its worker.
#pragma once

#include <string>
#include <vector>

#include "server/coordinator.h"
#include "server/purge/rules.h"

namespace starling::server {

struct Coordinator::PutOp {
  ReplyTo reply;
  SnapshotPtr snapshot;  // The op is decided under one view of who owns the key.
  ReplicaSet replicas;
  Requirement requirement;
  WriteTally tally;
  base::KeyspaceId keyspace = 0;
  base::Token token = 0;
  std::string key;
  std::string value;
  storage::EntryHeader header;  // The version is the last stamp.
  base::Version held_max;       // The highest that a replica answered with.
  std::uint64_t attempt = 0;    // Stamps so far: answers count for one stamp only.
  ReplicaMask hinted = 0;       // Have a hint of this stamp.
  std::vector<SentWrite> sent;  // To other nodes, under whichever stamp.
  std::uint64_t ttl_ms = 0;     // Counts from the stamp, so that a retry means the same entry.
  bool first_stamper = false;   // No retry: we may stamp again.
  bool stamped_here = false;    // The local replica has this stamp already: it was made there.
  bool answered = false;
  base::Instant began;
  base::TimerId deadline = 0;
};

struct Coordinator::GetOp {
  ReplyTo reply;
  SnapshotPtr snapshot;
  ReplicaSet replicas;
  Requirement requirement;
  ReadTally tally;
  std::vector<purge::ReadAnswer> answers;  // By replica.
  std::vector<base::Version> counted_as;   // What the tally took them for.
  base::KeyspaceId keyspace = 0;
  base::Token token = 0;
  std::string key;
  bool want_value = true;
  wire::Consistency level{};
  storage::EntryHeader header;  // Of the target,
  purge::Source source;         // and the replica that told it.
  std::string value;
  std::size_t charged = 0;      // Of the memory share: its key, and its value or what is expected.
  base::Version value_version;  // Whose value that is; empty: none yet.
  base::Version fetching;   // The version whose value was asked for, apart from the first reads.
  base::Version repairing;  // The version that `repair_sent` is about.
  std::uint64_t repair_round = 0;  // Answers count for the round's version only.
  ReplicaMask repair_sent = 0;
  ReplicaMask asked = 0;
  base::Instant began;
  bool retrying = false;  // Too few replicas were left: the read starts over when the timer fires.
  base::Instant ends;
  base::TimerId timer = 0;
};

}  // namespace starling::server
