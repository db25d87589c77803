#include "tests/sim/scan_watch.h"

#include <fmt/core.h>

#include <map>
#include <optional>
#include <vector>

namespace starling::sim {
namespace {

constexpr base::Duration kLookEvery = base::milliseconds(200);
constexpr std::uint32_t kPageBytes = 4096;  // Several pages a scan.

// What was tried of one key, in the order of invocation.
using Writes = std::vector<const Operation*>;

std::map<std::string, Writes> WritesByKey(const History& history) {
  std::map<std::string, Writes> writes;
  for (const Record& record : history.records())
    if (!record.refused && record.operation.kind != Operation::Kind::kGet)
      writes[record.key].push_back(&record.operation);
  return writes;
}

// Nothing that was acknowledged before the scan began came after this put.
std::string CheckRow(const Writes& writes, std::uint64_t value, base::Instant began) {
  const Operation* put = nullptr;
  for (const Operation* write : writes)
    if (write->kind == Operation::Kind::kPut && write->value == value) put = write;
  if (put == nullptr) return "nobody put it";
  for (const Operation* write : writes)
    if (write->invoked > put->returned && write->returned < began)
      return fmt::format("a {} that was acknowledged at {} s came after it",
                         write->kind == Operation::Kind::kPut ? "put" : "delete",
                         base::ToSeconds(write->returned.since_start));
  return "";
}

// A key that no row has: each put that was acknowledged before may be deleted.
std::string CheckAbsent(const Writes& writes, base::Instant began, base::Instant ended) {
  for (const Operation* put : writes) {
    if (put->kind != Operation::Kind::kPut || put->returned >= began) continue;
    bool deleted = false;
    for (const Operation* write : writes)
      deleted = deleted || (write->kind == Operation::Kind::kDelete &&
                            write->returned >= put->invoked && write->invoked <= ended);
    if (!deleted)
      return fmt::format("a put of it was acknowledged at {} s, and never deleted",
                         base::ToSeconds(put->returned.since_start));
  }
  return "";
}

}  // namespace

std::string CheckScan(const History& history, const SimScan& scan, base::Instant began,
                      base::Instant ended) {
  const auto when = [&](const std::string& key, const std::string& why) {
    return fmt::format("a scan from {} to {} s, key {}: {}", base::ToSeconds(began.since_start),
                       base::ToSeconds(ended.since_start), key, why);
  };
  const auto by_key = WritesByKey(history);
  for (const auto& [key, value] : scan.rows) {
    if (scan.rows.count(key) > 1) return when(key, "it came twice");
    const auto number = ParseValue(value);
    const auto writes = by_key.find(key);
    if (!number || writes == by_key.end()) return when(key, "it is nothing that anybody put");
    if (const auto why = CheckRow(writes->second, *number, began); !why.empty())
      return when(key, fmt::format("value {}: {}", *number, why));
  }
  for (const auto& [key, writes] : by_key)
    if (!scan.rows.contains(key))
      if (const auto why = CheckAbsent(writes, began, ended); !why.empty())
        return when(key, "it is missing: " + why);
  return "";
}

ScanWatch::ScanWatch(Cluster& cluster, base::Duration gap)
    : cluster_(cluster), client_(cluster.AddClient()), gap_(gap), next_(cluster.sim().now()) {
  Look();
}

void ScanWatch::Look() {
  const base::Instant now = cluster_.sim().now();
  if (scan_ != nullptr && scan_->done) {
    if (scan_->status.ok()) {
      ++completed_;
      if (failure_.empty()) failure_ = CheckScan(cluster_.history(), *scan_, began_, now);
    }
    scan_ = nullptr;
    next_ = now + gap_;
  }
  if (scan_ == nullptr && stopped_) return;
  if (scan_ == nullptr && now >= next_) {
    began_ = now;
    scan_ = &client_.Scan(wire::Consistency::kQuorum, kPageBytes);
  }
  cluster_.sim().At(now + kLookEvery, [this] { Look(); });
}

}  // namespace starling::sim
