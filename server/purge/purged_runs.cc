#include "server/purge/purged_runs.h"

#include <fmt/core.h>

#include "base/check.h"

namespace starling::server::purge {

std::vector<PurgedRun> RunsOf(const Marks& marks, base::KeyspaceId keyspace, std::uint16_t first,
                              std::uint16_t last, std::size_t runs_max) {
  CHECK(first <= last);
  CHECK(runs_max > 0);
  std::vector<PurgedRun> runs;
  for (std::uint32_t bucket = first; bucket <= last; ++bucket) {
    const std::uint64_t purged = marks.Of(keyspace, static_cast<std::uint16_t>(bucket)).purged;
    if (!runs.empty() && runs.back().purged == purged) {
      ++runs.back().buckets;
    } else {
      if (runs.size() == runs_max) break;
      runs.push_back({1, purged});
    }
  }
  return runs;
}

std::string EncodeRuns(const std::vector<PurgedRun>& runs) {
  std::string packed;
  packed.reserve(runs.size() * kPurgedRunBytes);
  for (const PurgedRun& run : runs) {
    base::AppendLittle(packed, static_cast<std::uint16_t>(run.buckets - 1));
    base::AppendLittle(packed, run.purged);
  }
  return packed;
}

base::Result<std::vector<PurgedRun>> DecodeRuns(base::Bytes packed, std::uint16_t first) {
  if (packed.size() % kPurgedRunBytes != 0 || packed.size() / kPurgedRunBytes > kPurgedRunsMax)
    return base::Fail(base::InvalidArgument(
        fmt::format("{} bytes are not those of up to {} runs", packed.size(), kPurgedRunsMax)));
  std::vector<PurgedRun> runs;
  runs.reserve(packed.size() / kPurgedRunBytes);
  std::uint32_t end = first;
  for (; !packed.empty(); packed.remove_prefix(kPurgedRunBytes)) {
    const std::uint32_t buckets = base::LoadLittle<std::uint16_t>(packed.data()) + 1U;
    end += buckets;
    if (end > base::kBuckets)
      return base::Fail(base::InvalidArgument("runs go beyond the last bucket"));
    runs.push_back({buckets, base::LoadLittle<std::uint64_t>(packed.data() + 2)});
  }
  return runs;
}

}  // namespace starling::server::purge
