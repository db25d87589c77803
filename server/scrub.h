// server/scrub.h: when which table is read, to find damage before anybody needs what is damaged.
//
// A pass reads every table of the engine once, one at a time, at no more than scrub.rate. It reads
// files alone: what it found is for control to act on (server/control_scrub.cc).
//
// Thread:    confined to control.
// Read next: storage/engine.h (CheckTable), docs/storage.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "server/rate_limit.h"
#include "storage/engine.h"

namespace starling::server {

struct ScrubOptions {
  base::Duration interval{};           // From the end of a pass to the next. 0: only on demand.
  std::uint64_t bytes_per_second = 0;  // 0: no limit.
  std::uint64_t damaged_before = 0;    // Tables, in this process's lives before.
};

struct ScrubProgress {
  std::uint64_t passes = 0;  // That came to their end, since the start.
  std::uint64_t tables = 0;  // Of the pass that runs, or of the last one.
  std::uint64_t tables_read = 0;
  std::uint64_t tables_replaced = 0;  // By newer ones, before their turn came.
  std::uint64_t tables_unread = 0;    // They could not be looked at.
  std::string why_unread;             // The last of these.
  std::uint64_t bytes = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_left = 0;
  std::uint64_t damaged = 0;      // Tables found damaged, since the process began.
  std::int64_t last_end_ms = -1;  // Wall time of the end of the last pass; -1: none yet.
};

// Tables for which a process began again although its starts found them sound, and when it did
// (wall time, ms).
using HealedInVain = std::map<std::string, std::int64_t>;
// So many in a day. A finding that a start cannot see may move from table to table, as they are
// compacted, and cost a life for each; one in a month is no reason to leave the next damage.
inline constexpr std::size_t kHealedInVainMax = 3;
// Why the node does not begin again for a damaged table now; empty: it may.
std::string WhyNotAgain(const HealedInVain& in_vain, const std::string& table,
                        std::int64_t wall_ms);

class Scrub {
 public:
  Scrub(ScrubOptions options, base::Instant now);

  // A pass should begin.
  bool Due(base::Instant now) const { return !running() && now >= next_pass_; }
  void Begin(base::Instant now, std::int64_t wall_ms, std::vector<storage::Table> tables);
  // The table to read now; null: none. To be answered by OnRead before it is asked again.
  const storage::Table* Next(base::Instant now) const;
  // Ok; Corruption: it is damaged; NotFound: it is none of the engine's any more; else it could not
  // be looked at.
  void OnRead(base::Instant now, std::int64_t wall_ms, const base::Status& found);

  // An operator asks for a pass now, at the usual rate. False: one runs already, or is about to.
  bool Ask(base::Instant now);
  // Somebody met what cannot be read. A pass begins at once, as fast as the disk goes; not if one
  // for such a reason has just ended, so that an error which no table has takes a tenth of the disk
  // at most. False: none begins, for that or since one does already.
  bool Hurry(base::Instant now);

  bool running() const { return at_ < tables_.size(); }
  bool hurried() const { return hurried_; }
  const ScrubOptions& options() const { return options_; }
  const ScrubProgress& progress() const { return progress_; }
  // When the next pass begins; Never: while one runs, and without an interval.
  base::Instant next_pass() const { return next_pass_; }
  // What is damaged, in the order in which it was found: each table once, kDamagesMax at most; how
  // many more there are.
  struct Damage {
    std::string table;  // Its name in the engine.
    std::string what;
  };
  static constexpr std::size_t kDamagesMax = 16;
  const std::vector<Damage>& damages() const { return damages_; }
  std::size_t damages_untold() const { return damaged_tables_.size() - damages_.size(); }
  // The first of it; empty: nothing that is known.
  const std::string& damage() const { return FirstDamage().what; }
  const std::string& damaged_table() const { return FirstDamage().table; }

 private:
  // The first pass: not in the bustle of a start.
  static constexpr base::Duration kFirstPass = base::seconds(600);
  static constexpr base::Duration kHurryGap = base::seconds(60);
  static constexpr int kHurryGapTimes = 10;  // As long as the pass took, if that is more.

  const Damage& FirstDamage() const;
  void NoteDamage(const std::string& table, const std::string& what);
  void EndPass(base::Instant now, std::int64_t wall_ms);

  const ScrubOptions options_;
  std::vector<storage::Table> tables_;
  std::size_t at_ = 0;
  RateLimit rate_;
  base::Instant next_pass_;
  base::Instant began_;        // The pass that runs.
  base::Instant hurry_again_;  // Before, it is not hurried.
  bool hurried_ = false;
  ScrubProgress progress_;
  std::vector<Damage> damages_;
  std::set<std::string> damaged_tables_;  // One that is damaged costs a life, as a rule: few.
};

}  // namespace starling::server
