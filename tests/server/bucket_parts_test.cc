// Goal:   two replicas of a range differ in exactly the parts where an entry differs, and what is
//         told of afterwards is the entries of these parts.
// Method: laws over drawn entries; ranges that are no power of two; what is under way.
#include "server/bucket_parts.h"

#include <rapidcheck.h>

#include <map>
#include <set>

#include "base/bytes.h"
#include "base/random.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using Entries = std::map<base::Token, std::uint64_t>;  // Versions' ms.

base::Version VersionAt(std::uint64_t ms) { return {ms << 16, 1, 2}; }

std::string SummaryFor(const Entries& entries) {
  std::string packed;
  for (const auto& [token, ms] : entries) {
    base::AppendLittle(packed, token);
    packed.resize(packed.size() + base::Version::kSize);
    VersionAt(ms).StoreTo(packed.data() + packed.size() - base::Version::kSize);
  }
  return packed;
}

struct Range {
  base::Token first = base::FirstToken(9);
  base::Token last = base::LastToken(9);
};

std::vector<TokenRun> Differing(const Entries& mine, const Entries& theirs, const Range& range,
                                std::uint32_t parts, const UnderWay& under_way = {}) {
  const PartHasher hasher(range.first, range.last, parts, 5, under_way);
  return RunsOf(
      DifferingParts(HashParts(SummaryFor(mine), hasher), HashParts(SummaryFor(theirs), hasher)),
      range.first, range.last, parts);
}

bool In(const std::vector<TokenRun>& runs, base::Token token) {
  for (const TokenRun& run : runs)
    if (token >= run.first && token <= run.last) return true;
  return false;
}

TEST_SUITE("server/bucket_parts") {
  TEST_CASE("few entries are not worth parts; many get one for eight of them or so") {
    EXPECT(PartCountFor(0) == 1);
    EXPECT(PartCountFor(32) == 1);
    EXPECT(PartCountFor(33) == 4);
    EXPECT(PartCountFor(150) == 32);
    EXPECT(PartCountFor(1'000'000) == kPartsMax);
  }

  TEST_CASE("law: each entry that differs lies in a run, and runs are few where few differ") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      Range range;
      if (random.Chance(0.5)) {
        range.first += random.Below(1 << 30);
        range.last = range.first + random.Below(random.Chance(0.3) ? 40 : 1ULL << 40);
      }
      const std::uint64_t span = range.last - range.first + 1;
      const auto parts = static_cast<std::uint32_t>(1 + random.Below(64));
      Entries mine;
      for (std::uint64_t i = random.Below(200); i > 0; --i)
        mine[range.first + random.Below(span)] = random.Below(5);
      Entries theirs = mine;
      std::set<base::Token> changed;
      for (std::uint64_t i = random.Below(6); i > 0; --i) {
        const base::Token token = range.first + random.Below(span);
        theirs[token] += 10;
        changed.insert(token);
      }
      const auto runs = Differing(mine, theirs, range, parts);
      for (const base::Token token : changed) RC_ASSERT(In(runs, token));
      RC_ASSERT(runs.size() <= changed.size());
      base::Token before = 0;
      for (const TokenRun& run : runs) {
        RC_ASSERT(run.first >= range.first);
        RC_ASSERT(run.first <= run.last);
        RC_ASSERT(run.last <= range.last);
        RC_ASSERT(before == 0u || run.first > before);
        before = run.last;
      }
    }));
  }

  TEST_CASE("equal ranges have no runs, and all parts together are the range") {
    const Range range;
    const Entries some{{range.first, 1}, {range.first + 5, 2}, {range.last, 3}};
    EXPECT(Differing(some, some, range, 16).empty());
    EXPECT(RunsOf(std::string(2, '\xff'), range.first, range.last, 16) ==
           std::vector<TokenRun>{{range.first, range.last}});
    EXPECT(RunsOf(std::string("\x01\x80", 2), range.first, range.last, 16) ==
           std::vector<TokenRun>{{range.first, range.first + (1ULL << 44) - 1},
                                 {range.last - (1ULL << 44) + 1, range.last}});
  }

  TEST_CASE("what is under way is in no part, but a stamp far ahead is") {
    const Range range;
    const UnderWay under_way{.cut = 100, .wall_ms = 103'000};
    const Entries none, late{{range.first + 7, 102'000}}, far{{range.first + 7, 900'000}},
        old{{range.first + 7, 100'999}};
    EXPECT(Differing(none, late, range, 4, under_way).empty());
    EXPECT(Differing(none, far, range, 4, under_way).size() == 1);
    EXPECT(Differing(none, old, range, 4, under_way).size() == 1);
  }

  TEST_CASE("law: a run's records are those of the summary between its tokens") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      Entries all, part;
      TokenRun run{random.Below(50), random.Below(50)};
      if (run.first > run.last) std::swap(run.first, run.last);
      for (std::uint64_t i = random.Below(40); i > 0; --i) {
        const base::Token token = random.Below(50);
        all[token] = i;
        if (token >= run.first && token <= run.last) part[token] = i;
      }
      RC_ASSERT(SummaryOf(SummaryFor(all), run) == SummaryFor(part));
    }));
  }
}

}  // namespace
}  // namespace starling::server
