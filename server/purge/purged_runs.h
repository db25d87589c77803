// server/purge/purged_runs.h: the purged marks of successive buckets, alike ones told as one run.
//
// A replica's page of a scan brings those of its buckets along (server/scan_page.h), so that what
// the page has and lacks can be weighed as a read's answers are.
//
// Each: buckets u16 (one less) | purged u64        (little-endian, 10 bytes)
//
// Thread:    free functions over values.
// Read next: server/purge/rules.h, server/scan_merge.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "server/purge/marks.h"

namespace starling::server::purge {

struct PurgedRun {
  std::uint32_t buckets = 0;
  std::uint64_t purged = 0;

  bool operator==(const PurgedRun&) const = default;
};

inline constexpr std::size_t kPurgedRunBytes = 10;
// They travel in a frame's header, of 64 KiB at most. Raising it lets pages of few entries and many
// different marks come further; such a page ends where its runs do.
inline constexpr std::size_t kPurgedRunsMax = 4096;

// Of the buckets from `first` on. Ends at `last`, or when there are `runs_max` runs: the buckets of
// all runs together are those that were told.
std::vector<PurgedRun> RunsOf(const Marks& marks, base::KeyspaceId keyspace, std::uint16_t first,
                              std::uint16_t last, std::size_t runs_max = kPurgedRunsMax);

std::string EncodeRuns(const std::vector<PurgedRun>& runs);
// InvalidArgument: no runs of buckets from `first` on, or more than kPurgedRunsMax.
base::Result<std::vector<PurgedRun>> DecodeRuns(base::Bytes packed, std::uint16_t first);

}  // namespace starling::server::purge
