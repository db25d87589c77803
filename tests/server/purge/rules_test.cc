// Goal:   what may go, enter and count, as the model of purge demands: V1 to V13 are the traces
// that
//         it gives when a rule is left out.
// Method: each rule at its border, from both sides.
#include "server/purge/rules.h"

#include <vector>

#include "tests/test.h"

namespace starling::server::purge {
namespace {

storage::EntryHeader Value(std::uint64_t timestamp) {
  storage::EntryHeader header;
  header.version = {timestamp, 1, 1};
  return header;
}

storage::EntryHeader Tombstone(std::uint64_t timestamp) {
  storage::EntryHeader header = Value(timestamp);
  header.flags = storage::kFlagTombstone;
  return header;
}

constexpr Mark kMark{.closed = 200, .purged = 100};
constexpr std::uint64_t kEpoch = 7;

Source From(std::uint64_t epoch, std::uint64_t purged) { return {true, epoch, purged}; }

Admission Judge(const storage::EntryHeader& header, const Source& source) {
  return Admit(header, kMark, 0, source, kEpoch);
}

TEST_SUITE("server/purge/rules") {
  TEST_CASE("a horizon is the end of a second, as old as it has to be") {
    const std::uint64_t horizon = HorizonAt(1'000'500, 3000);
    EXPECT(horizon == (997'000ULL << 16) - 1);
    EXPECT(HorizonAt(2000, 3000) == 0);
  }

  TEST_CASE("a tombstone goes by its version, an expired entry by version and expiry") {
    const std::uint64_t horizon = HorizonAt(1'000'000, 0);
    EXPECT(Gone(Tombstone(horizon), horizon));
    EXPECT(!Gone(Tombstone(horizon + 1), horizon));
    EXPECT(!Gone(Value(1), horizon));
    storage::EntryHeader expiring = Value(1);
    expiring.flags = storage::kFlagHasExpiry;
    expiring.expiry_ms = 999'999;
    EXPECT(Gone(expiring, horizon));
    expiring.expiry_ms = 1'000'000;
    EXPECT(!Gone(expiring, horizon));
    expiring.expiry_ms = 1;
    expiring.version.timestamp = horizon + 1;
    EXPECT(!Gone(expiring, horizon));
  }

  TEST_CASE("V12: a direct write at or below what is closed is refused, above it enters") {
    EXPECT(Judge(Value(200), {}) == Admission::kTooOld);
    EXPECT(Judge(Value(201), {}) == Admission::kEnters);
    storage::EntryHeader hint = Value(200);
    hint.origin = storage::Origin::kHint;
    EXPECT(Judge(hint, {}) == Admission::kTooOld);
  }

  TEST_CASE("V4: below what is closed only repair of a ready owner in the same epoch enters") {
    EXPECT(Judge(Value(150), From(kEpoch, 0)) == Admission::kEnters);
    EXPECT(Judge(Value(150), From(kEpoch - 1, 500)) == Admission::kTooOld);
    EXPECT(Judge(Value(150), From(kEpoch + 1, 500)) == Admission::kTooOld);
    EXPECT(Judge(Value(150), From(0, 500)) == Admission::kTooOld);  // It was not ready.
    EXPECT(Judge(Value(201), From(0, 0)) == Admission::kEnters);
  }

  TEST_CASE("V2: what a lower-marked replica has at or below our mark is nothing") {
    EXPECT(Judge(Value(100), From(kEpoch, 99)) == Admission::kTooOld);
    EXPECT(Judge(Value(100), From(kEpoch, 100)) == Admission::kEnters);
    EXPECT(Judge(Value(101), From(kEpoch, 0)) == Admission::kEnters);
  }

  TEST_CASE("nothing that is gone is stored again, while it is being removed as well") {
    EXPECT(Judge(Tombstone(100), From(kEpoch, 100)) == Admission::kGone);
    EXPECT(Judge(Tombstone(101), From(kEpoch, 100)) == Admission::kEnters);
    EXPECT(Admit(Tombstone(101), kMark, 150, From(kEpoch, 0), kEpoch) == Admission::kGone);
    EXPECT(Admit(Tombstone(151), kMark, 150, From(kEpoch, 0), kEpoch) == Admission::kEnters);
  }

  TEST_CASE(
      "V6: of two answers in one epoch, the lower-marked one's old entry counts for nothing") {
    const auto weigh = [](std::vector<ReadAnswer> answers) { return Weigh(answers, 0); };
    const base::Version old{100, 1, 1};
    EXPECT(weigh({{true, old, 7, 0}, {true, {}, 7, 100}}).empty());
    EXPECT(weigh({{true, old, 7, 0}, {true, {}, 7, 99}}) == old);     // Newer than the mark.
    EXPECT(weigh({{true, old, 7, 100}, {true, {}, 7, 100}}) == old);  // Equal marks.
    EXPECT(weigh({{true, old, 7, 0}, {true, {}, 8, 100}}) == old);    // Of different epochs.
    EXPECT(weigh({{true, old, 7, 0}, {false, {}, 7, 100}}) == old);   // It did not answer.
  }
}

}  // namespace
}  // namespace starling::server::purge
