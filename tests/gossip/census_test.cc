// Goal:   members are counted by their state, and as witnesses only once they answered.
// Method: rows by hand.
#include "gossip/census.h"

#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr std::uint32_t kOwn = 1, kOther = 2;

Census::Row Row(Liveness liveness, std::uint32_t domain, bool met) {
  return {liveness, domain, met};
}

// The member in `slot`, counted as `before` so far.
void Change(Census& census, Slot slot, const Census::Row& before, const Census::Row& after) {
  census.Remove(slot, before);
  census.Add(slot, after);
}

TEST_SUITE("gossip/census") {
  TEST_CASE("all but the dead and left are present, and of the dead the slots are known") {
    Census census(kOwn);
    constexpr Liveness kStates[] = {Liveness::kAlive, Liveness::kSuspect, Liveness::kUnreachable,
                                    Liveness::kDead, Liveness::kLeft};
    Slot slot = 10;
    for (const Liveness state : kStates) census.Add(slot++, Row(state, kOwn, false));
    EXPECT(census.present() == 3);
    EXPECT(census.dead() == std::vector<Slot>{13});
    Change(census, 13, Row(Liveness::kDead, kOwn, false), Row(Liveness::kAlive, kOwn, false));
    EXPECT(census.present() == 4);
    EXPECT(census.dead().empty());
  }

  TEST_CASE("until one was met all that are alive are witnesses, then those alone that were") {
    Census census(kOwn);
    for (const Slot slot : {0, 1, 2}) census.Add(slot, Row(Liveness::kAlive, kOther, false));
    EXPECT(census.witnesses().hosts == 4);
    EXPECT(census.witnesses().domains == 1);
    Change(census, 0, Row(Liveness::kAlive, kOther, false), Row(Liveness::kAlive, kOther, true));
    EXPECT(census.witnesses().hosts == 2);
    EXPECT(census.witnesses().domains == 2);
  }

  TEST_CASE("where nothing is taken without a seal all that are alive are witnesses") {
    Census census(kOwn);
    census.Add(0, Row(Liveness::kAlive, kOwn, true));
    for (const Slot slot : {1, 2}) census.Add(slot, Row(Liveness::kAlive, kOther, false));
    EXPECT(census.witnesses().hosts == 2);
    EXPECT(census.witnesses().domains == 1);
    census.SetVouchedFor(true);
    EXPECT(census.witnesses().hosts == 4);
    EXPECT(census.witnesses().domains == 2);
    for (const Slot slot : {1, 2})
      Change(census, slot, Row(Liveness::kAlive, kOther, false),
             Row(Liveness::kDead, kOther, false));
    EXPECT(census.witnesses().hosts == 2);
    EXPECT(census.witnesses().domains == 1);
  }

  TEST_CASE("who is on trial is no witness, nor is its domain one if it was the last there") {
    Census census(kOwn);
    census.Add(0, Row(Liveness::kAlive, kOwn, true));
    census.Add(1, Row(Liveness::kAlive, kOther, true));
    Change(census, 1, Row(Liveness::kAlive, kOther, true), Row(Liveness::kSuspect, kOther, true));
    EXPECT(census.witnesses().hosts == 2);
    EXPECT(census.witnesses().domains == 1);
    Change(census, 0, Row(Liveness::kAlive, kOwn, true), Row(Liveness::kDead, kOwn, true));
    EXPECT(census.witnesses().hosts == 1);
    EXPECT(census.witnesses().domains == 1);  // This node's own stays.
  }
}

}  // namespace
}  // namespace starling::gossip
