#include "tools/stress/check.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>

#include "tools/stress/workload.h"

namespace starling::stress {

namespace {

constexpr std::size_t kExamplesMax = 10;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

enum class Finding : std::uint8_t { kNone, kLost, kStale, kResurrected, kPhantom };

// An acknowledged write, and the latest beginning of any that ended no later than it.
struct Acknowledged {
  std::int64_t return_us = 0;
  std::int64_t latest_invoke_us = 0;
  EventType latest_type = EventType::kPut;
};

// What a history that its generator did not end may lack: writes that were in flight, or had ended
// and not been flushed.
struct Missing {
  bool puts = false;
  bool deletes = false;
};

// What happened to one record.
class RecordHistory {
 public:
  void Add(const Event& event) {
    if (event.type == EventType::kDelete) {
      if (event.outcome != Outcome::kFailed) deletes_.push_back(event);
    } else {
      puts_[event.id] = event;
    }
    if (event.outcome == Outcome::kOk)
      acknowledged_.push_back({event.return_us, event.invoke_us, event.type});
  }

  void Prepare(const Missing& missing) {
    missing_ = missing;
    std::sort(acknowledged_.begin(), acknowledged_.end(),
              [](const auto& a, const auto& b) { return a.return_us < b.return_us; });
    for (std::size_t i = 1; i < acknowledged_.size(); ++i) {
      const Acknowledged& before = acknowledged_[i - 1];
      if (before.latest_invoke_us < acknowledged_[i].latest_invoke_us) continue;
      acknowledged_[i].latest_invoke_us = before.latest_invoke_us;
      acknowledged_[i].latest_type = before.latest_type;
    }
  }

  Finding Judge(const Event& read) const {
    const Acknowledged* hider = LatestBefore(read.invoke_us);
    if (read.id == kNothing) {
      if (hider == nullptr || missing_.deletes) return Finding::kNone;
      const bool deleted = std::any_of(deletes_.begin(), deletes_.end(), [&](const Event& d) {
        return d.invoke_us <= read.return_us && !Hidden(d, hider);
      });
      return deleted ? Finding::kNone : Finding::kLost;
    }
    if (read.id == kForeign) return FindingOf(hider, Finding::kLost);
    const auto put = puts_.find(read.id);
    if (put == puts_.end()) return missing_.puts ? Finding::kNone : Finding::kPhantom;
    if (put->second.outcome == Outcome::kFailed || put->second.invoke_us > read.return_us)
      return Finding::kPhantom;
    return Hidden(put->second, hider) ? FindingOf(hider, Finding::kStale) : Finding::kNone;
  }

 private:
  // Of the acknowledged writes that ended before `us`, the one that began last.
  const Acknowledged* LatestBefore(std::int64_t us) const {
    const auto after =
        std::partition_point(acknowledged_.begin(), acknowledged_.end(),
                             [&](const Acknowledged& a) { return a.return_us < us; });
    return after == acknowledged_.begin() ? nullptr : &*std::prev(after);
  }

  // A write of unknown outcome may take effect later than any other.
  static bool Hidden(const Event& write, const Acknowledged* hider) {
    return hider != nullptr && write.outcome == Outcome::kOk &&
           write.return_us < hider->latest_invoke_us;
  }

  static Finding FindingOf(const Acknowledged* hider, Finding by_put) {
    if (hider == nullptr) return Finding::kNone;
    return hider->latest_type == EventType::kDelete ? Finding::kResurrected : by_put;
  }

  std::unordered_map<std::uint64_t, Event> puts_;  // By id.
  std::vector<Event> deletes_;
  std::vector<Acknowledged> acknowledged_;  // By return_us, once prepared.
  Missing missing_;
};

using Records = std::unordered_map<std::uint64_t, RecordHistory>;

Records CollectWrites(const History& history) {
  Records records;
  for (const Event& event : history.events)
    if (event.type != EventType::kGet) records[event.record].Add(event);
  const Missing missing{.puts = !history.complete,
                        .deletes = !history.complete && history.head.deletes};
  for (auto& [record, writes] : records) writes.Prepare(missing);
  return records;
}

std::string_view NameOf(Finding finding) {
  switch (finding) {
    case Finding::kNone: return "fine";
    case Finding::kLost: return "lost";
    case Finding::kStale: return "stale";
    case Finding::kResurrected: return "resurrected";
    case Finding::kPhantom: return "phantom";
  }
  return "";
}

void Count(Finding finding, const Event& read, Verdict& verdict) {
  ++verdict.reads;
  switch (finding) {
    case Finding::kNone: return;
    case Finding::kLost: ++verdict.lost; break;
    case Finding::kStale: ++verdict.stale; break;
    case Finding::kResurrected: ++verdict.resurrected; break;
    case Finding::kPhantom: ++verdict.phantom; break;
  }
  if (verdict.examples.size() >= kExamplesMax) return;
  const std::string seen = read.id == kNothing   ? "nothing"
                           : read.id == kForeign ? "a value older than the load"
                                                 : fmt::format("value {:016x}", read.id);
  const std::string when =
      read.invoke_us == kForever ? "at the end" : fmt::format("at {} us", read.invoke_us);
  verdict.examples.push_back(
      fmt::format("{}: {} read {} {}", NameOf(finding), KeyOf(read.record), seen, when));
}

}  // namespace

Verdict CheckReads(const History& history) {
  const Records records = CollectWrites(history);
  const RecordHistory untouched;
  Verdict verdict;
  for (const Event& event : history.events) {
    if (event.type != EventType::kGet || event.outcome != Outcome::kOk) continue;
    const auto found = records.find(event.record);
    Count((found == records.end() ? untouched : found->second).Judge(event), event, verdict);
  }
  return verdict;
}

Verdict CheckFinal(const History& history,
                   const std::map<std::uint64_t, std::uint64_t>& id_by_record) {
  const Records records = CollectWrites(history);
  Verdict verdict;
  for (const auto& [record, id] : id_by_record) {
    const Event read{.invoke_us = kForever, .return_us = kForever, .record = record, .id = id};
    const auto found = records.find(record);
    if (found == records.end()) continue;
    Finding finding = found->second.Judge(read);
    if (finding == Finding::kStale) finding = Finding::kLost;
    Count(finding, read, verdict);
  }
  return verdict;
}

}  // namespace starling::stress
