// Goal:   claims change the table as SWIM says, and nobody can make this node say that it is dead.
// Method: the table alone, driven by hand with a clock that moves when a test says so.
#include "gossip/membership.h"

#include <algorithm>
#include <limits>
#include <set>
#include <vector>

#include "tests/gossip/table.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

TEST_SUITE("gossip/membership") {
  TEST_CASE("another node with this identity is told of, at most once in 10 s") {
    Table table;
    for (const std::int64_t ms : {0, 100, 9999, 10000})
      table.Hear(ms, ClaimBy(1, Liveness::kAlive, 3, 9 + static_cast<std::uint64_t>(ms)));
    EXPECT(table.counters.conflicts == 4);
    EXPECT(table.Events() == Kinds{Event::kConflict, Event::kConflict});
  }

  TEST_CASE("who answers this node's words from another address thrice in 10 s is given way to") {
    Table table;
    const auto answer = [&](std::int64_t ms, std::uint64_t from) {
      Claim claim = ClaimBy(1, Liveness::kAlive, table.membership.self().incarnation + 1, 5);
      claim.address = AddressOf(from);
      table.Hear(ms, claim);
    };
    SUBCASE("by the lower address") {
      for (const std::int64_t ms : {0, 4000, 9999}) {
        EXPECT(!table.membership.yielded());
        answer(ms, 9);
      }
      EXPECT(table.membership.yielded());
      EXPECT(table.Events() == Kinds{Event::kConflict, Event::kYielded});
    }
    SUBCASE("not by the higher one") {
      for (const std::int64_t ms : {0, 1, 2, 3}) answer(ms, 0);
      EXPECT(!table.membership.yielded());
    }
    SUBCASE("also by the higher one, if the other is where their cluster has noted them") {
      table.membership.SetHome(AddressOf(0));
      for (const std::int64_t ms : {0, 1, 2}) answer(ms, 0);
      EXPECT(table.membership.yielded());
    }
    SUBCASE("not by the lower one, if it is there itself") {
      table.membership.SetHome(AddressOf(1));
      for (const std::int64_t ms : {0, 1, 2, 3}) answer(ms, 9);
      EXPECT(!table.membership.yielded());
    }
    SUBCASE("by the lower one, if neither is there") {
      table.membership.SetHome(AddressOf(5));
      for (const std::int64_t ms : {0, 1, 2}) answer(ms, 9);
      EXPECT(table.membership.yielded());
    }
    SUBCASE("not when it is longer than that") {
      for (const std::int64_t ms : {0, 4000, 10000, 14001}) answer(ms, 9);
      EXPECT(!table.membership.yielded());
    }
    SUBCASE("not to the past of this node, which has more generations than answers") {
      for (const std::uint64_t generation : {7, 8, 9, 10}) {
        Claim claim = ClaimBy(1, Liveness::kAlive, 0, generation);
        claim.address = AddressOf(9);
        table.Hear(0, claim);
      }
      EXPECT(!table.membership.yielded());
    }
    SUBCASE("and not to accusations") {
      for (int i = 0; i < 4; ++i)
        table.Hear(0, ClaimBy(1, Liveness::kSuspect, table.membership.self().incarnation, 5));
      EXPECT(!table.membership.yielded());
    }
  }

  TEST_CASE("a restarted member is new whatever was believed, at its new address") {
    Table table;
    for (const Liveness old : {Liveness::kAlive, Liveness::kDead, Liveness::kLeft}) {
      const std::uint64_t number = 10 + static_cast<std::uint64_t>(old);
      table.Hear(0, ClaimBy(number, old, 7));
      table.Events();
      Claim restarted = ClaimBy(number, Liveness::kAlive, 0, 2);
      restarted.address = AddressOf(99);
      EXPECT(table.Hear(1, restarted) == Heard::kTaken);
      EXPECT(table.Events() == Kinds{Event::kJoined});
      EXPECT(table.membership.Find(Host(number))->address == AddressOf(99));
    }
  }

  TEST_CASE("a change of metadata is an update, a repetition is nothing") {
    Table table;
    table.Hear(0, ClaimBy(2));
    Claim changed = ClaimBy(2, Liveness::kAlive, 1);
    changed.metadata = "new";
    EXPECT(table.Hear(0, changed) == Heard::kTaken);
    EXPECT(table.Hear(0, changed) == Heard::kStale);
    EXPECT(table.Events() == Kinds{Event::kJoined, Event::kUpdated});
    EXPECT(table.membership.Find(Host(2))->since == At(0));
  }

  TEST_CASE("an accusation of this node is refuted with a higher incarnation") {
    Table table;
    for (const Liveness accusation : {Liveness::kSuspect, Liveness::kDead}) {
      const std::uint32_t before = table.membership.self().incarnation;
      EXPECT(table.Hear(0, ClaimBy(1, accusation, before, 5)) == Heard::kTaken);
      EXPECT(table.membership.self().incarnation == before + 1);
    }
    EXPECT(table.counters.refutations == 2);
    EXPECT(table.counters.conflicts == 0);
    REQUIRE(table.Waiting().size() == 1);
    EXPECT(table.Waiting()[0].liveness == Liveness::kAlive);
    EXPECT(table.Waiting()[0].incarnation == 2);
  }

  TEST_CASE("a claim about this node from its lost future is outbid, whatever it says") {
    Table table;
    SUBCASE("a higher generation") { table.Hear(0, ClaimBy(1, Liveness::kAlive, 3, 9)); }
    SUBCASE("a higher generation that left") { table.Hear(0, ClaimBy(1, Liveness::kLeft, 3, 9)); }
    SUBCASE("this generation, as left") { table.Hear(0, ClaimBy(1, Liveness::kLeft, 0, 5)); }
    SUBCASE("the highest incarnation there is") {
      table.Hear(0, ClaimBy(1, Liveness::kDead, std::numeric_limits<std::uint32_t>::max(), 5));
    }
    SUBCASE("this very incarnation in other words") {
      Claim claim = ClaimBy(1, Liveness::kAlive, 0, 5);
      claim.address = AddressOf(66);
      table.Hear(0, claim);
    }
    EXPECT(table.counters.conflicts == 1);
    EXPECT(table.membership.self().liveness == Liveness::kAlive);
    EXPECT(table.membership.self().address == AddressOf(1));
    EXPECT(table.Waiting().size() == 1);
  }

  TEST_CASE("a claim that leaves no incarnation to go on with ends nothing") {
    Table table;
    constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();
    table.Hear(0, ClaimBy(1, Liveness::kSuspect, kLast - 1, 5));
    EXPECT(table.membership.self().incarnation == kLast);
    table.membership.SetMetadata(At(1), "new");
    EXPECT(table.membership.self().generation == 6);
    EXPECT(table.membership.self().incarnation == 0);
    EXPECT(table.membership.self().liveness == Liveness::kAlive);
  }

  TEST_CASE("an echo of this node's own words, and old claims about it, are no news") {
    Table table;
    Claim echo = ClaimBy(1, Liveness::kAlive, 0, 5);
    echo.metadata = "m";
    EXPECT(table.Hear(0, echo) == Heard::kStale);
    EXPECT(table.Hear(0, ClaimBy(1, Liveness::kDead, 99, 4)) == Heard::kStale);
    EXPECT(!table.membership.has_updates());
  }

  TEST_CASE("who left by its own will does not refute it") {
    Table table;
    table.membership.Leave(At(0));
    EXPECT(table.Hear(0, ClaimBy(1, Liveness::kDead, 7, 5)) == Heard::kStale);
    EXPECT(table.membership.self().liveness == Liveness::kLeft);
    table.membership.SetMetadata(At(0), "other");
    EXPECT(table.membership.self().metadata == "m");
  }

  TEST_CASE("a sync that accuses a live member is to be asked about, not believed") {
    Table table;
    table.Hear(0, ClaimBy(2));
    EXPECT(table.Hear(0, ClaimBy(2, Liveness::kDead), kSync) == Heard::kAskSubject);
    EXPECT(table.Hear(0, ClaimBy(2, Liveness::kSuspect, 3), kSync) == Heard::kAskSubject);
    EXPECT(table.Of(2) == Liveness::kAlive);
    // Of a stranger, or of one that is suspect here as well, it is believed; so is a goodbye.
    EXPECT(table.Hear(0, ClaimBy(3, Liveness::kDead), kSync) == Heard::kTaken);
    table.Accuse(0, 2);
    EXPECT(table.Hear(0, ClaimBy(2, Liveness::kDead), kSync) == Heard::kTaken);
    table.Hear(0, ClaimBy(4));
    EXPECT(table.Hear(0, ClaimBy(4, Liveness::kLeft), kSync) == Heard::kTaken);
  }

  TEST_CASE("the dead are forgotten after dead_kept and not learned again from slower ones") {
    Table table({.dead_kept = base::seconds(100)});
    table.Hear(0, ClaimBy(2));
    Claim dead = ClaimBy(2, Liveness::kDead);
    dead.age = base::seconds(40);
    table.Hear(50000, dead);
    EXPECT(table.membership.Find(Host(2))->since == At(10000));
    table.membership.Sweep(At(109999));
    EXPECT(table.membership.Find(Host(2)).has_value());
    table.membership.Sweep(At(110000));
    EXPECT(!table.membership.Find(Host(2)));
    EXPECT(!table.membership.NextToProbe());
    dead.age = base::seconds(100);
    EXPECT(table.Hear(110000, dead, kSync) == Heard::kStale);
    EXPECT(!table.membership.Find(Host(2)));
  }

  TEST_CASE("beyond members_max strangers are refused and counted") {
    Table table({.members_max = 1});
    EXPECT(table.Hear(0, ClaimBy(2)) == Heard::kTaken);
    EXPECT(table.Hear(0, ClaimBy(3)) == Heard::kStale);
    EXPECT(table.counters.rejected == 1);
    EXPECT(table.Hear(0, ClaimBy(2, Liveness::kSuspect)) == Heard::kTaken);
  }

  TEST_CASE("after sleep all suspects have their time again") {
    Table table;
    table.Hear(0, ClaimBy(2, Liveness::kUnreachable));
    SUBCASE("after a long one the whole") { table.membership.Slept(At(60000)); }
    SUBCASE("after a short one what it took") { table.membership.Late(base::seconds(60)); }
    table.membership.OnTick(At(63900));
    EXPECT(table.Of(2) == Liveness::kUnreachable);
    table.membership.OnTick(At(64000));
    EXPECT(table.Of(2) == Liveness::kDead);
  }

  TEST_CASE("equal tables have equal digests, whatever the way to them") {
    Table one, two;
    one.Hear(0, ClaimBy(2));
    one.Hear(0, ClaimBy(2, Liveness::kAlive, 1));
    one.Hear(0, ClaimBy(3, Liveness::kDead));
    two.Hear(0, ClaimBy(3, Liveness::kDead));
    EXPECT(one.membership.digest() != two.membership.digest());
    two.Hear(0, ClaimBy(2, Liveness::kAlive, 1));
    EXPECT(one.membership.digest() == two.membership.digest());
    two.Accuse(0, 2);
    EXPECT(one.membership.digest() != two.membership.digest());
  }

  TEST_CASE("helpers are drawn from the alive, none twice, without the one in question") {
    Table table;
    for (std::uint64_t number = 2; number < 8; ++number) table.Hear(0, ClaimBy(number));
    table.Hear(0, ClaimBy(7, Liveness::kDead));
    for (int trial = 0; trial < 50; ++trial) {
      const std::vector<Member> drawn = table.membership.DrawAlive(3, Host(2));
      REQUIRE(drawn.size() == 3);
      EXPECT(drawn[0].host != drawn[1].host);
      EXPECT(drawn[1].host != drawn[2].host);
      EXPECT(drawn[0].host != drawn[2].host);
      for (const Member& member : drawn) {
        EXPECT(member.host != Host(2));
        EXPECT(member.liveness == Liveness::kAlive);
      }
    }
    EXPECT(table.membership.DrawAlive(100, base::HostId{}).size() == 5);
  }

  TEST_CASE("half of those who are to confirm are of other domains, if there are so many") {
    constexpr std::uint64_t kNeighbours = 30;  // From 2 on; the others after them.
    const auto elsewhere_drawn = [](std::uint64_t elsewhere) {
      Table table;
      for (std::uint64_t number = 2; number < 2 + kNeighbours + elsewhere; ++number) {
        Claim claim = ClaimBy(number);
        claim.domain = number < 2 + kNeighbours ? 0 : 1 + number % 2;
        table.Hear(0, claim);
        table.membership.Meet(Host(number));
      }
      std::size_t least = 8;
      for (int trial = 0; trial < 50; ++trial) {
        const std::vector<Member> drawn = table.membership.DrawConfirmers(8, Host(2));
        REQUIRE(drawn.size() == 8);
        std::set<base::HostId> hosts;
        std::size_t others = 0;
        for (const Member& member : drawn) {
          hosts.insert(member.host);
          others += member.domain == 0 ? 0 : 1;
        }
        EXPECT(hosts.size() == 8);
        EXPECT(!hosts.contains(Host(2)));
        least = std::min(least, others);
      }
      return least;
    };
    EXPECT(elsewhere_drawn(0) == 0);
    EXPECT(elsewhere_drawn(1) == 1);
    EXPECT(elsewhere_drawn(3) == 3);
    EXPECT(elsewhere_drawn(12) >= 4);
  }

  TEST_CASE("who left says so itself, and of the accused others do") {
    Table table;
    for (const Liveness liveness : {Liveness::kLeft, Liveness::kSuspect}) {
      const std::uint64_t number = liveness == Liveness::kLeft ? 2 : 3;
      table.Hear(0, ClaimBy(number));
      table.Hear(1, ClaimBy(number, liveness));
      EXPECT(table.outputs.events.back().reason ==
             (liveness == Liveness::kLeft ? "it says so" : "others say so"));
    }
  }
}

}  // namespace
}  // namespace starling::gossip
