// Goal:   a scan that shows what cannot be is found out, and one that may be is not.
// Method: histories of one key made by hand, and what a scan of them gave.
#include "tests/sim/scan_watch.h"

#include <optional>

#include "tests/test.h"

namespace starling::sim {
namespace {

constexpr const char* kRow = "row";
base::Instant AtSecond(std::int64_t second) { return {base::seconds(second)}; }

struct Told {
  History history;

  void Add(Operation::Kind kind, std::uint64_t value, std::int64_t invoked,
           std::optional<std::int64_t> returned) {
    const History::Id id = history.Begin(1, kRow, kind, value, AtSecond(invoked));
    if (returned) history.record(id).operation.returned = AtSecond(*returned);
  }
  // Of a scan from second 10 to 20; 0: it gave no row.
  bool MayShow(std::uint64_t value) const {
    SimScan scan;
    if (value != 0) scan.rows.emplace(kRow, ValueBytes(value));
    return CheckScan(history, scan, AtSecond(10), AtSecond(20)).empty();
  }
};

constexpr auto kPut = Operation::Kind::kPut;
constexpr auto kDelete = Operation::Kind::kDelete;

TEST_SUITE("sim/scan_watch") {
  TEST_CASE("what was acknowledged before it began is shown, and nothing else") {
    Told told;
    told.Add(kPut, 1, 1, 2);
    EXPECT(told.MayShow(1));
    EXPECT(!told.MayShow(0));
    EXPECT(!told.MayShow(2));
    told.Add(kPut, 2, 3, 9);
    EXPECT(!told.MayShow(1));
    EXPECT(told.MayShow(2));
    told.Add(kPut, 3, 9, 10);  // Not before.
    EXPECT(told.MayShow(2));
    EXPECT(told.MayShow(3));
  }

  TEST_CASE("what was deleted before it began is not shown") {
    Told told;
    told.Add(kPut, 1, 1, 2);
    told.Add(kDelete, 0, 3, 4);
    EXPECT(!told.MayShow(1));
    EXPECT(told.MayShow(0));
    told.Add(kPut, 2, 5, 6);
    EXPECT(!told.MayShow(0));
    told.Add(kDelete, 0, 21, 22);  // Too late for it.
    EXPECT(!told.MayShow(0));
  }

  TEST_CASE("of what is under way, unknown or at once, either may be") {
    Told told;
    told.Add(kPut, 1, 1, std::nullopt);
    told.Add(kPut, 2, 2, 4);
    told.Add(kPut, 3, 3, 5);
    for (const std::uint64_t value : {1, 2, 3}) EXPECT(told.MayShow(value));
    told.Add(kDelete, 0, 20, std::nullopt);
    EXPECT(told.MayShow(0));
    EXPECT(told.MayShow(3));
  }

  TEST_CASE("no row comes twice") {
    Told told;
    told.Add(kPut, 1, 1, 2);
    SimScan scan;
    scan.rows.emplace(kRow, ValueBytes(1));
    scan.rows.emplace(kRow, ValueBytes(1));
    EXPECT(!CheckScan(told.history, scan, AtSecond(10), AtSecond(20)).empty());
  }
}

}  // namespace
}  // namespace starling::sim
