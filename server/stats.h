// server/stats.h: what a worker counts, for operators. Since start; plain numbers, one writer.
//
// Thread: values; a worker counts in its own, others get copies.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>

#include "base/histogram.h"
#include "base/place.h"
#include "base/time.h"
#include "base/version.h"
#include "server/progress.h"
#include "server/purge/dead.h"
#include "server/purge/marks.h"

namespace starling::server {

struct RepairStats {
  std::uint64_t comparisons = 0;  // Exchanges with a peer that came to an end.
  std::uint64_t entries_sent = 0;
  std::uint64_t entries_received = 0;
  std::uint64_t entries_in_tables = 0;  // Of these, those that became tables at once.
  std::uint64_t bytes_sent = 0;       // Payloads of repair's frames, both of questions and answers.
  std::uint64_t data_bytes_read = 0;  // Stored bytes that were scanned for repair.
  std::uint64_t unreadable = 0;       // Damaged entries or buckets that its pulls left out.
  std::uint64_t piece_bytes = 0;      // Of values on their way in pieces, here and there, now.
  SliceProgress pulling{};

  RepairStats& operator+=(const RepairStats& other) {
    comparisons += other.comparisons;
    entries_sent += other.entries_sent;
    entries_received += other.entries_received;
    entries_in_tables += other.entries_in_tables;
    bytes_sent += other.bytes_sent;
    data_bytes_read += other.data_bytes_read;
    unreadable += other.unreadable;
    piece_bytes += other.piece_bytes;
    pulling += other.pulling;
    return *this;
  }
};

struct HintStats {
  struct Target {
    std::uint64_t hints = 0;
    std::uint64_t bytes = 0;
    std::int64_t oldest_ms = 0;  // Wall time of the oldest one's version; 0: none.
  };
  std::uint64_t stored = 0;
  std::uint64_t replayed = 0;
  // Over hints.max_bytes or hints.max_age, or damaged; or the target is gone, owns the key no
  // longer, or refuses it for good.
  std::uint64_t dropped = 0;
  std::map<base::NodeNumber, Target> pending;

  HintStats& operator+=(const HintStats& other) {
    stored += other.stored;
    replayed += other.replayed;
    dropped += other.dropped;
    for (const auto& [number, target] : other.pending) {
      Target& sum = pending[number];
      sum.hints += target.hints;
      sum.bytes += target.bytes;
      if (target.oldest_ms != 0 && (sum.oldest_ms == 0 || target.oldest_ms < sum.oldest_ms))
        sum.oldest_ms = target.oldest_ms;
    }
    return *this;
  }
};

// How a client's request ended.
enum class Outcome : std::uint8_t { kOk, kTimeout, kUnavailable, kOverloaded, kFailed };
inline constexpr std::size_t kOutcomes = 5;
inline constexpr std::string_view kOutcomeNames[kOutcomes] = {"ok", "timeout", "unavailable",
                                                              "overloaded", "failed"};

struct RequestStats {
  std::array<std::uint64_t, kOutcomes> outcomes{};
  base::Histogram took_us{3};  // Of those that were tried, in whole microseconds.

  void Refused(Outcome outcome) { ++outcomes[static_cast<std::size_t>(outcome)]; }
  void Ended(Outcome outcome, base::Duration took) {
    Refused(outcome);
    took_us.Record(static_cast<std::uint64_t>(took / base::microseconds(1)));
  }
  RequestStats& operator+=(const RequestStats& other) {
    for (std::size_t i = 0; i < kOutcomes; ++i) outcomes[i] += other.outcomes[i];
    took_us.Merge(other.took_us);
    return *this;
  }
};

// Writes of coordinators that died (server/orphans.h).
struct OrphanStats {
  std::uint64_t remembered_bytes = 0;  // Of writes that may be unhandled, now.
  std::uint64_t taken_over = 0;        // Entries passed on in a dead coordinator's place,
  std::uint64_t sent = 0;              // in so many messages.
  std::uint64_t forgotten = 0;         // Writes dropped for want of room: left to repair.

  OrphanStats& operator+=(const OrphanStats& other) {
    remembered_bytes += other.remembered_bytes;
    taken_over += other.taken_over;
    sent += other.sent;
    forgotten += other.forgotten;
    return *this;
  }
};

// Of one keyspace.
struct PurgeStats {
  purge::DeadCounts::Totals dead;
  purge::Mark highest;
  // Of the buckets that hold something dead and were purged before: the lowest mark.
  std::uint64_t oldest_purged = UINT64_MAX;

  PurgeStats& operator+=(const PurgeStats& other) {
    dead += other.dead;
    highest.closed = std::max(highest.closed, other.highest.closed);
    highest.purged = std::max(highest.purged, other.highest.purged);
    oldest_purged = std::min(oldest_purged, other.oldest_purged);
    return *this;
  }
};

struct WorkerStats {
  std::uint64_t puts = 0;
  std::uint64_t gets = 0;
  std::uint64_t restamps = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t unavailable = 0;
  std::uint64_t overloaded = 0;
  std::uint64_t expired = 0;  // Reads for other nodes, and pages, dropped before they were done.
  std::uint64_t read_repairs = 0;
  std::uint64_t replica_writes = 0;
  std::uint64_t superseded = 0;
  std::uint64_t replica_reads = 0;
  std::uint64_t fetches = 0;
  std::uint64_t commits = 0;
  std::uint64_t connections = 0;
  std::uint64_t in_flight = 0;
  std::map<base::KeyspaceId, std::uint64_t> entries;  // Of the trees: exact once these are made.
  RepairStats repair;
  std::uint64_t cut_bytes = 0;  // What is kept to answer for cuts.
  SliceProgress making{};       // Of trees that are made anew.
  HintStats hints;
  OrphanStats orphans;
  std::uint64_t rumors_refused = 0;    // Writes not told for want of room: left to repair.
  std::uint64_t handled_messages = 0;  // Sent to say that writes are handled, and nothing else.
  std::map<base::KeyspaceId, PurgeStats> purge;
  std::uint64_t too_old = 0;      // Writes at or below a closed horizon, refused.
  std::uint64_t purged = 0;       // Entries removed,
  std::uint64_t quarantined = 0;  // and set aside.
  std::uint64_t adopted = 0;      // Buckets that took over what a peer has.
  RequestStats put_requests;
  RequestStats get_requests;

  WorkerStats& operator+=(const WorkerStats& other) {
    puts += other.puts;
    gets += other.gets;
    restamps += other.restamps;
    timeouts += other.timeouts;
    unavailable += other.unavailable;
    overloaded += other.overloaded;
    expired += other.expired;
    read_repairs += other.read_repairs;
    replica_writes += other.replica_writes;
    superseded += other.superseded;
    replica_reads += other.replica_reads;
    fetches += other.fetches;
    commits += other.commits;
    connections += other.connections;
    in_flight += other.in_flight;
    for (const auto& [keyspace, count] : other.entries) entries[keyspace] += count;
    repair += other.repair;
    cut_bytes += other.cut_bytes;
    making += other.making;
    hints += other.hints;
    orphans += other.orphans;
    rumors_refused += other.rumors_refused;
    handled_messages += other.handled_messages;
    for (const auto& [keyspace, each] : other.purge) purge[keyspace] += each;
    too_old += other.too_old;
    purged += other.purged;
    quarantined += other.quarantined;
    adopted += other.adopted;
    put_requests += other.put_requests;
    get_requests += other.get_requests;
    return *this;
  }
};

}  // namespace starling::server
