#include "server/scrub.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace starling::server {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

}  // namespace

std::string WhyNotAgain(const HealedInVain& in_vain, const std::string& table,
                        std::int64_t wall_ms) {
  if (in_vain.contains(table))
    return "this node has begun again for that table before, and its start found it sound: "
           "it stays until the process is restarted";
  const auto of_the_day =
      std::count_if(in_vain.begin(), in_vain.end(),
                    [wall_ms](const auto& entry) { return wall_ms - entry.second < kDayMs; });
  if (of_the_day >= static_cast<std::ptrdiff_t>(kHealedInVainMax))
    return fmt::format(
        "this node has begun again for {} tables in a day which its starts found sound: it stays "
        "for that day, or until the process is restarted; if that shows nothing either, suspect "
        "memory or disk",
        of_the_day);
  return {};
}

Scrub::Scrub(ScrubOptions options, base::Instant now)
    : options_(options), rate_(options.bytes_per_second), next_pass_(base::Instant::Never()) {
  if (options_.interval > base::Duration::zero())
    next_pass_ = now + std::min(options_.interval, kFirstPass);
  progress_.damaged = options_.damaged_before;
}

void Scrub::Begin(base::Instant now, std::int64_t wall_ms, std::vector<storage::Table> tables) {
  CHECK(!running());
  tables_ = std::move(tables);
  at_ = 0;
  began_ = now;
  next_pass_ = base::Instant::Never();
  progress_.tables = tables_.size();
  progress_.tables_read = progress_.tables_replaced = progress_.tables_unread = 0;
  progress_.why_unread.clear();
  progress_.bytes = progress_.bytes_read = 0;
  for (const storage::Table& table : tables_) progress_.bytes += table.bytes;
  progress_.bytes_left = progress_.bytes;
  if (!running()) EndPass(now, wall_ms);
}

const storage::Table* Scrub::Next(base::Instant now) const {
  if (!running() || (!hurried_ && !rate_.Ready(now))) return nullptr;
  return &tables_[at_];
}

void Scrub::OnRead(base::Instant now, std::int64_t wall_ms, const base::Status& found) {
  CHECK(running());
  const storage::Table& table = tables_[at_++];
  progress_.bytes_left -= table.bytes;
  const bool damaged = found.code() == base::Code::kCorruption;
  if (found.ok() || damaged) {
    ++progress_.tables_read;
    progress_.bytes_read += table.bytes;
    rate_.Count(now, table.bytes);
  } else if (found.code() == base::Code::kNotFound) {
    ++progress_.tables_replaced;
  } else {
    ++progress_.tables_unread;
    progress_.why_unread = found.message();
  }
  if (damaged) {
    ++progress_.damaged;
    NoteDamage(table.name, found.message());
  }
  if (!running()) EndPass(now, wall_ms);
}

const Scrub::Damage& Scrub::FirstDamage() const {
  static const Damage none;
  return damages_.empty() ? none : damages_.front();
}

// The next pass finds it again, as long as it stays.
void Scrub::NoteDamage(const std::string& table, const std::string& what) {
  if (!damaged_tables_.insert(table).second || damages_.size() >= kDamagesMax) return;
  damages_.push_back({table, what});
}

void Scrub::EndPass(base::Instant now, std::int64_t wall_ms) {
  tables_.clear();
  at_ = 0;
  ++progress_.passes;
  progress_.last_end_ms = wall_ms;
  if (std::exchange(hurried_, false))
    hurry_again_ = now + std::max(kHurryGap, (now - began_) * kHurryGapTimes);
  if (options_.interval > base::Duration::zero()) next_pass_ = now + options_.interval;
}

bool Scrub::Ask(base::Instant now) {
  if (running() || Due(now)) return false;
  next_pass_ = now;
  return true;
}

bool Scrub::Hurry(base::Instant now) {
  if (hurried_ || now < hurry_again_) return false;
  hurried_ = true;
  // One that runs has read some tables already.
  tables_.clear();
  at_ = 0;
  next_pass_ = now;
  return true;
}

}  // namespace starling::server
