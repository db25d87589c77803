// server/scan_merge.h: what the pages of several replicas say together.
//
// The newest version of each key wins, tombstones included; what some page has not come to yet is
// left to the next one. What a replica has counts as a point read's answer does: of two in one
// epoch, the lower-marked one's entry at or below the other's mark of its bucket is nothing
// (server/purge/rules.h). A replica that tells no marks is weighed by none, and weighs nothing: an
// older version of the program.
//
// Thread:    a value.
// Ownership: keeps the pages; what it merges is a copy.
// Read next: server/scan.h, tests/server/scan_merge_test.cc
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/place.h"
#include "base/status.h"
#include "server/purge/purged_runs.h"
#include "server/purge/rules.h"
#include "server/wire/entries.h"

namespace starling::server {

// What one replica answered.
struct ReplicaPage {
  std::string packed;         // server/wire/entries.h
  bool done = false;          // Nothing more up to the last token.
  std::uint64_t epoch = 0;    // That it was in before and after it read; 0: it tells no marks.
  std::string purged{};       // server/purge/purged_runs.h: what it had purged before it read.
  base::Token told_upto = 0;  // Not 0, nor done: it has told all up to here.
};

class ScanMerge {
 public:
  // In the order of storage.
  using Place = std::pair<base::Token, std::string>;

  // The pages are of what comes after `from`, up to `last_token`.
  ScanMerge(Place from, base::Token last_token, std::uint64_t token_seed);

  // Corruption, and nothing changes: no replica can have this.
  base::Status Add(ReplicaPage page);

  struct Merged {
    std::string payload;  // server/wire/entries.h: what is live.
    // Where the next page goes on, after this; nullopt: there is no more up to the last token.
    std::optional<Place> next;
  };
  // Where replicas differ, their pages together may be more than `bytes_max`: it ends there.
  Merged Merge(std::size_t bytes_max, std::int64_t now_ms) const;

 private:
  using View = std::pair<base::Token, base::Bytes>;
  struct Part {
    ReplicaPage page;
    std::vector<std::pair<View, wire::PackedEntry>> entries{};  // Views into the page.
    std::vector<purge::PurgedRun> runs{};

    View end() const;
  };
  class Weights;
  class Walk;

  base::Status Unpack(Part& part) const;
  std::optional<View> End() const;

  const Place from_;
  const base::Token last_token_;
  const std::uint64_t token_seed_;
  std::deque<Part> parts_;  // They stay where they are: entries point into their pages.
};

}  // namespace starling::server
