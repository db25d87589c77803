#include "server/scan_page.h"

#include <memory>
#include <vector>

#include "server/purge/marks.h"
#include "server/purge/purged_runs.h"
#include "server/wire/limits.h"

namespace starling::server {
namespace {

using purge::Marks;

// Is it of the buckets from `first` to `last`? A slice has every 256th (base/place.h).
bool Touches(std::uint8_t slice, std::uint16_t first, std::uint16_t last) {
  return static_cast<std::uint8_t>(slice - base::SliceOf(first)) <= last - first;
}

// Those of the slices of some buckets, from a walk over a keyspace's records.
base::Status LoadMarks(storage::Cursor& records, base::KeyspaceId keyspace, std::uint16_t first,
                       std::uint16_t last, Marks& marks) {
  for (records.Seek(Marks::KeyspacePrefix(keyspace)); records.Valid(); records.Next()) {
    ASSIGN_OR_RETURN(const auto place, Marks::ParseKey(records.key()));
    if (!Touches(place.second, first, last)) continue;
    RETURN_IF_ERROR(marks.Load(place.first, place.second, records.value()));
  }
  return records.status();
}

}  // namespace

ScanPage ReadScanPage(storage::Engine& engine, const PageRequest& request) {
  static_assert(purge::kPurgedRunsMax * purge::kPurgedRunBytes <= wire::kPurgedBytesMax);
  // First: it is of now, whenever it is walked. After the prefix a key has a byte.
  const std::string prefix = Marks::KeyspacePrefix(request.keyspace);
  const auto records = engine.Scan(storage::Family::kMeta, prefix, prefix + "\xff\xff");
  ScanPage read{.page = ReadPage(engine, request), .purged = {}};
  if (!read.page.status.ok()) return read;
  const std::uint16_t first = base::BucketOf(request.from_token);
  const std::uint16_t last =
      base::BucketOf(read.page.done ? request.last_token : read.page.last_read_token);
  Marks marks;
  read.page.status = LoadMarks(*records, request.keyspace, first, last, marks);
  if (!read.page.status.ok() || marks.empty()) return read;
  const auto runs = purge::RunsOf(marks, request.keyspace, first, last);
  read.purged = purge::EncodeRuns(runs);
  std::uint32_t told = 0;
  for (const purge::PurgedRun& run : runs) told += run.buckets;
  if (first + told > last) return read;
  // Once more, no further than that: what it has meanwhile is only newer.
  PageRequest shorter = request;
  shorter.last_token = base::LastToken(static_cast<std::uint16_t>(first + told - 1));
  read.page = ReadPage(engine, shorter);
  if (read.page.done) read.told_upto = shorter.last_token;
  read.page.done = false;
  return read;
}

}  // namespace starling::server
