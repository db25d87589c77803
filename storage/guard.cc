#include "storage/guard.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"

namespace starling::storage {
namespace {

using base::AppendLittle;
using base::LoadLittle;

// Magic and format u64 | host 16 | cluster id 16 | boot u64 | mark u64 | clock bound u64 |
// members u64 | XXH3-64 of what is before it.
constexpr std::uint64_t kMagic = 0x31'00'64'72'61'75'67'73ULL;
constexpr std::size_t kNumbers = 9;
static_assert(kGuardBytes == (kNumbers + 1) * sizeof(std::uint64_t));

}  // namespace

std::string EncodeGuard(const GuardRecord& record) {
  std::string out;
  out.reserve(kGuardBytes);
  for (const std::uint64_t number :
       {kMagic, record.host.high, record.host.low, record.cluster_id.high, record.cluster_id.low,
        record.boot, record.mark, record.clock_bound, std::uint64_t{record.members}})
    AppendLittle(out, number);
  AppendLittle(out, base::Hash64(out));
  return out;
}

base::Result<GuardRecord> DecodeGuard(base::Bytes bytes) {
  if (bytes.size() != kGuardBytes)
    return base::Fail(
        base::Corruption(fmt::format("it has {} bytes and not {}", bytes.size(), kGuardBytes)));
  const auto number = [bytes](std::size_t index) {
    return LoadLittle<std::uint64_t>(bytes.data() + index * sizeof(std::uint64_t));
  };
  if (number(0) != kMagic) return base::Fail(base::Corruption("it does not begin as one does"));
  if (number(kNumbers) != base::Hash64(bytes.substr(0, kNumbers * sizeof(std::uint64_t))))
    return base::Fail(base::Corruption("its checksum does not fit"));
  return GuardRecord{.host = {.high = number(1), .low = number(2)},
                     .cluster_id = {.high = number(3), .low = number(4)},
                     .boot = number(5),
                     .mark = number(6),
                     .clock_bound = number(7),
                     .members = static_cast<std::uint32_t>(number(8))};
}

void Guard::Begin(const GuardRecord& record) {
  const std::lock_guard lock(mutex_);
  CHECK(boot_ == 0);
  record_ = record;
  boot_ = record.boot;
  mark_.store(record.mark, std::memory_order_release);
}

void Guard::Synced(std::uint64_t mark) {
  const std::lock_guard lock(mutex_);
  record_.mark = std::max(record_.mark, mark);
  const base::Status status = Store(EncodeGuard(record_));
  if (!status.ok() && !failed_)
    base::log::Warn("storage", "{}: a later start may not see that data was lost",
                    status.message());
  failed_ = !status.ok();
  mark_.store(record_.mark, std::memory_order_release);
}

void Guard::NoteCluster(base::HostId cluster_id, std::uint32_t members) {
  const std::lock_guard lock(mutex_);
  record_.cluster_id = cluster_id;
  record_.members = members;
}

void Guard::NoteClockBound(std::uint64_t timestamp) {
  const std::lock_guard lock(mutex_);
  record_.clock_bound = std::max(record_.clock_bound, timestamp);
}

}  // namespace starling::storage
