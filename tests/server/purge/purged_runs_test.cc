// Goal:   runs say the purged mark of each bucket that they cover, and bytes that are none are
//         refused.
// Method: marks raised by hand and at random, compared bucket by bucket.
#include "server/purge/purged_runs.h"

#include "base/random.h"
#include "tests/test.h"

namespace starling::server::purge {
namespace {

constexpr base::KeyspaceId kMarked = 5;

TEST_SUITE("server/purge/purged_runs") {
  TEST_CASE("buckets that are alike are one run") {
    Marks marks;
    marks.Purge(kMarked, 3, 70);
    marks.Purge(kMarked, 4, 70);
    marks.Purge(kMarked, 6, 70);
    marks.Close(kMarked, 8, 90);  // It purges nothing.
    EXPECT(RunsOf(marks, kMarked, 2, 9) ==
           std::vector<PurgedRun>{{1, 0}, {2, 70}, {1, 0}, {1, 70}, {3, 0}});
    EXPECT(RunsOf(marks, kMarked, 3, 3) == std::vector<PurgedRun>{{1, 70}});
    EXPECT(RunsOf(marks, kMarked + 1, 0, 65535) == std::vector<PurgedRun>{{65536, 0}});
  }

  TEST_CASE("no more runs are told than may be") {
    Marks marks;
    for (std::uint16_t bucket = 0; bucket < 10; ++bucket) marks.Purge(kMarked, bucket, bucket / 2);
    EXPECT(RunsOf(marks, kMarked, 0, 9, 3) == std::vector<PurgedRun>{{2, 0}, {2, 1}, {2, 2}});
    EXPECT(RunsOf(marks, kMarked, 0, 5, 3).size() == 3);
  }

  TEST_CASE("law: what is decoded was encoded") {
    base::Random random(3);
    for (int round = 0; round < 20; ++round) {
      std::vector<PurgedRun> runs;
      const auto first = static_cast<std::uint16_t>(random.Below(65536));
      for (std::uint32_t bucket = first; bucket < base::kBuckets && runs.size() < kPurgedRunsMax;) {
        const auto buckets = static_cast<std::uint32_t>(1 + random.Below(base::kBuckets - bucket));
        runs.push_back({random.Chance(0.9) ? 1 + buckets / 100 : buckets, random.Next()});
        bucket += runs.back().buckets;
      }
      const std::string packed = EncodeRuns(runs);
      EXPECT(packed.size() == runs.size() * kPurgedRunBytes);
      EXPECT(DecodeRuns(packed, first) == runs);
    }
    EXPECT(EncodeRuns({}).empty());
    EXPECT(DecodeRuns("", 0)->empty());
    EXPECT(DecodeRuns(EncodeRuns({{65536, 1}}), 0)->size() == 1);
  }

  TEST_CASE("what can be no runs is refused") {
    const std::string one = EncodeRuns({{1, 7}});
    EXPECT(!DecodeRuns(one.substr(1), 0).has_value());
    EXPECT(!DecodeRuns(one + "x", 0).has_value());
    EXPECT(!DecodeRuns(EncodeRuns({{2, 7}}), 65535).has_value());
    EXPECT(!DecodeRuns(EncodeRuns({{65536, 7}}), 1).has_value());
    std::string many;
    for (std::size_t i = 0; i < kPurgedRunsMax; ++i) many += one;
    EXPECT(DecodeRuns(many, 0).has_value());
    EXPECT(!DecodeRuns(many + one, 0).has_value());
  }
}

}  // namespace
}  // namespace starling::server::purge
