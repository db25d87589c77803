// Goal:   rows say what was put, records are shared between tables and given back.
// Method: tables on one roster, by hand.
#include "gossip/member_table.h"

#include <map>

#include "base/random.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

TEST_SUITE("gossip/member_table") {
  TEST_CASE("a row says what was put, the last time") {
    MemberTable table(std::make_shared<Roster>());
    Claim claim = ClaimBy(7, Liveness::kUnreachable, 3, 4);
    claim.domain = 9;
    const Slot slot = table.Put(ClaimBy(7), At(0));
    EXPECT(table.Put(claim, At(1200)) == slot);
    const Member member = table.At(*table.SlotOf(Host(7)));
    EXPECT(member.host == Host(7));
    EXPECT(member.generation == 4);
    EXPECT(member.incarnation == 3);
    EXPECT(member.liveness == Liveness::kUnreachable);
    EXPECT(member.address == AddressOf(7));
    EXPECT(member.domain == 9);
    EXPECT(member.metadata == "m7");
    EXPECT(member.since == At(1200));
    EXPECT(table.size() == 1);
  }

  TEST_CASE("since may lie before the start, and is kept in tenths of a second") {
    MemberTable table(std::make_shared<Roster>());
    const Slot slot = table.Put(ClaimBy(7, Liveness::kDead), At(-86400000));
    EXPECT(table.At(slot).since == At(-86400000));
    table.Put(ClaimBy(7, Liveness::kDead), At(199));
    EXPECT(table.At(slot).since == At(100));
  }

  TEST_CASE("who is said to be dead for longer than can be kept is dead for as long as can") {
    MemberTable table(std::make_shared<Roster>());
    for (const std::int64_t years : {7, 30, 69}) {
      const Slot slot = table.Put(ClaimBy(7, Liveness::kDead), At(-years * 365 * 86'400'000));
      EXPECT(table.At(slot).since < At(-std::int64_t{6} * 365 * 86'400'000));
    }
  }

  TEST_CASE("what two tables say alike is kept once, and freed with the last of them") {
    const auto roster = std::make_shared<Roster>();
    MemberTable one(roster);
    {
      MemberTable two(roster);
      one.Put(ClaimBy(7), At(0));
      two.Put(ClaimBy(7, Liveness::kDead, 5), At(0));
      EXPECT(one.At(*one.SlotOf(Host(7))).metadata.data() ==
             two.At(*two.SlotOf(Host(7))).metadata.data());
      two.Put(ClaimBy(8), At(0));
      EXPECT(!one.SlotOf(Host(8)));
      EXPECT(roster->slots() == 2);
    }
    EXPECT(!roster->Find(Host(8)));
    EXPECT(roster->Find(Host(7)).has_value());
    one.Erase(*one.SlotOf(Host(7)));
    EXPECT(!roster->Find(Host(7)));
    one.Put(ClaimBy(9), At(0));
    EXPECT(roster->slots() == 2);  // A freed slot was used again.
  }

  TEST_CASE("after any adds and drops a roster finds whom it has, and nobody else") {
    Roster roster;
    base::Random random(1);
    std::map<std::uint64_t, Slot> there;
    for (int step = 0; step < 20000; ++step) {
      const std::uint64_t number = random.Below(200) + 1;
      const auto known = there.find(number);
      if (known == there.end()) {
        there[number] = roster.Refer(Host(number));
      } else {
        roster.Drop(known->second);
        there.erase(known);
      }
      const std::uint64_t asked = random.Below(200) + 1;
      const std::optional<Slot> found = roster.Find(Host(asked));
      REQUIRE(found.has_value() == there.contains(asked));
      if (found) REQUIRE(*found == there[asked]);
    }
    EXPECT(roster.slots() <= 200);
  }

  TEST_CASE("endless changes of metadata take no more room") {
    const auto roster = std::make_shared<Roster>();
    MemberTable table(roster);
    for (int change = 0; change < 1000; ++change) {
      Claim claim = ClaimBy(7);
      claim.metadata = Kept(std::to_string(change));
      table.Put(claim, At(0));
    }
    EXPECT(table.At(0).metadata == "999");
    EXPECT(roster->records() <= 2);
  }
}

}  // namespace
}  // namespace starling::gossip
