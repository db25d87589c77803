#include "storage/guard.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"

namespace starling::storage {
namespace {

using base::AppendLittle;
using base::LoadLittle;

// Magic and format u64 | host 16 | cluster id 16 | boot u64 | mark u64 | clock bound u64 |
// members u64 | irreplaceable keyspaces: how many u64, whether there are more u64, and of each its
// id u32, length u32 and name | zeros | XXH3-64 of what is before it.
constexpr std::uint64_t kMagic = 0x32'00'64'72'61'75'67'73ULL;
constexpr std::size_t kNumberBytes = sizeof(std::uint64_t);
constexpr std::size_t kNumbers = 11;
constexpr std::size_t kListAt = kNumbers * kNumberBytes;
constexpr std::size_t kChecksumAt = kGuardBytes - kNumberBytes;

std::string ListItem(const LoneKeyspace& keyspace) {
  std::string item;
  AppendLittle(item, keyspace.id);
  AppendLittle(item, static_cast<std::uint32_t>(keyspace.name.size()));
  return item + keyspace.name;
}

base::Result<Irreplaceable> ReadList(base::Bytes list, std::uint64_t count, bool more) {
  constexpr std::size_t kFixed = 2 * sizeof(std::uint32_t);
  Irreplaceable read{.keyspaces = {}, .more = more};
  for (; count > 0; --count) {
    if (list.size() < kFixed) return base::Fail(base::Corruption("its keyspaces are cut off"));
    const auto id = LoadLittle<std::uint32_t>(list.data());
    const auto size = LoadLittle<std::uint32_t>(list.data() + sizeof(id));
    list.remove_prefix(kFixed);
    if (list.size() < size) return base::Fail(base::Corruption("its keyspaces are cut off"));
    read.keyspaces.push_back({id, std::string(list.substr(0, size))});
    list.remove_prefix(size);
  }
  return read;
}

}  // namespace

std::string EncodeGuard(const GuardRecord& record) {
  std::string list;
  std::uint64_t count = 0;
  bool more = record.irreplaceable.more;
  for (const LoneKeyspace& keyspace : record.irreplaceable.keyspaces) {
    const std::string item = ListItem(keyspace);
    if (kListAt + list.size() + item.size() > kChecksumAt) {
      more = true;
      break;
    }
    list += item;
    ++count;
  }
  std::string out;
  out.reserve(kGuardBytes);
  for (const std::uint64_t number :
       {kMagic, record.host.high, record.host.low, record.cluster_id.high, record.cluster_id.low,
        record.boot, record.mark, record.clock_bound, std::uint64_t{record.members}, count,
        std::uint64_t{more}})
    AppendLittle(out, number);
  out += list;
  out.resize(kChecksumAt, '\0');
  AppendLittle(out, base::Hash64(out));
  return out;
}

base::Result<GuardRecord> DecodeGuard(base::Bytes bytes) {
  if (bytes.size() != kGuardBytes)
    return base::Fail(
        base::Corruption(fmt::format("it has {} bytes and not {}", bytes.size(), kGuardBytes)));
  const auto number = [bytes](std::size_t index) {
    return LoadLittle<std::uint64_t>(bytes.data() + index * kNumberBytes);
  };
  if (number(0) != kMagic) return base::Fail(base::Corruption("it does not begin as one does"));
  if (LoadLittle<std::uint64_t>(bytes.data() + kChecksumAt) !=
      base::Hash64(bytes.substr(0, kChecksumAt)))
    return base::Fail(base::Corruption("its checksum does not fit"));
  ASSIGN_OR_RETURN(
      Irreplaceable irreplaceable,
      ReadList(bytes.substr(kListAt, kChecksumAt - kListAt), number(9), number(10) != 0));
  return GuardRecord{.host = {.high = number(1), .low = number(2)},
                     .cluster_id = {.high = number(3), .low = number(4)},
                     .boot = number(5),
                     .mark = number(6),
                     .clock_bound = number(7),
                     .members = static_cast<std::uint32_t>(number(8)),
                     .irreplaceable = std::move(irreplaceable)};
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

void Guard::NoteCluster(base::HostId cluster_id, std::uint32_t members,
                        Irreplaceable irreplaceable) {
  const std::lock_guard lock(mutex_);
  record_.cluster_id = cluster_id;
  record_.members = members;
  record_.irreplaceable = std::move(irreplaceable);
}

void Guard::NoteUncertain(base::HostId cluster_id, const Irreplaceable& irreplaceable) {
  const std::lock_guard lock(mutex_);
  record_.cluster_id = cluster_id;
  record_.irreplaceable = Union(record_.irreplaceable, irreplaceable);
}

void Guard::NoteClockBound(std::uint64_t timestamp) {
  const std::lock_guard lock(mutex_);
  record_.clock_bound = std::max(record_.clock_bound, timestamp);
}

}  // namespace starling::storage
