#include "server/bucket_parts.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mutants.h"

namespace starling::server {
namespace {

// So few are told of at once: their summary is hardly larger than hashes, and one exchange less.
constexpr std::size_t kToldAtOnce = 32;
constexpr std::size_t kEntriesAPart = 8;
constexpr std::size_t kHashBytes = sizeof(std::uint32_t);

// Within one bucket neither product exceeds 60 bits.
static_assert(kPartsMax <= 1 << 12);

std::size_t PartOf(base::Token token, base::Token first, base::Token last, std::size_t parts) {
  return (token - first) * parts / (last - first + 1);
}

// The lowest token of a part.
base::Token BeginOf(std::size_t part, base::Token first, base::Token last, std::size_t parts) {
  return first + (part * (last - first + 1) + parts - 1) / parts;
}

}  // namespace

std::uint32_t PartCountFor(std::size_t entries) {
  if (entries <= kToldAtOnce) return 1;
  return std::min<std::uint32_t>(
      kPartsMax, std::bit_ceil(static_cast<std::uint32_t>(entries / kEntriesAPart)));
}

PartHasher::PartHasher(base::Token first, base::Token last, std::uint32_t parts, std::uint64_t salt,
                       const UnderWay& under_way)
    : first_(first), last_(last), salt_(salt), under_way_(under_way), sums_(parts) {
  CHECK(first <= last);
  CHECK(base::BucketOf(first) == base::BucketOf(last));
  CHECK(parts >= 1 && parts <= kPartsMax);
}

void PartHasher::Add(base::Token token, const base::Version& version) {
  if (under_way_.Has(version)) return;
  char record[kSummaryRecordBytes];
  base::StoreLittle(record, token);
  version.StoreTo(record + sizeof token);
  const std::uint64_t hash = base::Hash64({record, sizeof record}, salt_);
  sums_[PartOf(token, first_, last_, sums_.size())] += static_cast<std::uint32_t>(hash);
}

std::string PartHasher::Packed() const {
  std::string packed;
  for (const std::uint32_t sum : sums_) base::AppendLittle(packed, sum);
  return packed;
}

std::string HashParts(base::Bytes summary, PartHasher hasher) {
  for (std::size_t at = 0; at + kSummaryRecordBytes <= summary.size(); at += kSummaryRecordBytes)
    hasher.Add(base::LoadLittle<base::Token>(summary.data() + at),
               base::Version::LoadFrom(summary.data() + at + sizeof(base::Token)));
  return hasher.Packed();
}

std::string DifferingParts(base::Bytes mine, base::Bytes theirs) {
  CHECK(mine.size() == theirs.size());
  const std::size_t parts = mine.size() / kHashBytes;
  std::string bits((parts + 7) / 8, '\0');
  for (std::size_t part = 0; part < parts; ++part)
    if (mine.substr(part * kHashBytes, kHashBytes) != theirs.substr(part * kHashBytes, kHashBytes))
      bits[part / 8] = static_cast<char>(bits[part / 8] | 1 << (part % 8));
  return bits;
}

std::vector<TokenRun> RunsOf(base::Bytes differing, base::Token first, base::Token last,
                             std::uint32_t parts) {
  std::vector<TokenRun> runs;
  bool open = false;
  for (std::size_t part = 0; part < parts && part / 8 < differing.size(); ++part) {
    const bool passed_over = base::Mutant("repair-part-passed-over") && part + 1 == parts;
    const bool differs = (differing[part / 8] >> (part % 8) & 1) != 0 && !passed_over;
    if (differs) {
      const base::Token end = part + 1 == parts ? last : BeginOf(part + 1, first, last, parts) - 1;
      if (open)
        runs.back().last = end;
      else
        runs.push_back({BeginOf(part, first, last, parts), end});
    }
    open = differs;
  }
  return runs;
}

base::Bytes SummaryOf(base::Bytes summary, const TokenRun& run) {
  const auto token_at = [&](std::size_t index) {
    return base::LoadLittle<base::Token>(summary.data() + index * kSummaryRecordBytes);
  };
  // Records are in the order of tokens.
  const auto first_from = [&](auto&& before) {
    std::size_t low = 0, high = summary.size() / kSummaryRecordBytes;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (before(token_at(middle)))
        low = middle + 1;
      else
        high = middle;
    }
    return low * kSummaryRecordBytes;
  };
  const std::size_t begin = first_from([&](base::Token token) { return token < run.first; });
  const std::size_t end = first_from([&](base::Token token) { return token <= run.last; });
  return summary.substr(begin, end - begin);
}

}  // namespace starling::server
