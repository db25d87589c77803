// Goal:   a member is dead when enough others found it silent for long enough, and not before.
// Method: the table alone, driven by hand with a clock that moves when a test says so.
#include "tests/gossip/table.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

// Of members 2 up to `end`, those from `second` on in another rack.
void HearOfTwoRacks(Table& table, std::uint64_t second, std::uint64_t end) {
  for (std::uint64_t number = 2; number < end; ++number) {
    Claim claim = ClaimBy(number);
    claim.domain = number < second ? 0 : 1;
    table.Hear(0, claim);
  }
}

TEST_SUITE("gossip/accusations") {
  TEST_CASE("who stays silent for all is dead after suspicion_timeout, not before") {
    Table table;
    table.Hear(0, ClaimBy(2));
    table.Accuse(1000, 2);  // Nobody else is there to confirm it.
    EXPECT(table.Of(2) == Liveness::kUnreachable);
    table.membership.OnTick(At(4999));
    EXPECT(table.Of(2) == Liveness::kUnreachable);
    EXPECT(table.membership.next_tick() == At(5000));
    table.membership.OnTick(At(5000));
    EXPECT(table.Of(2) == Liveness::kDead);
    EXPECT(table.Events() ==
           Kinds{Event::kJoined, Event::kSuspect, Event::kUnreachable, Event::kDead});
    EXPECT(table.membership.next_tick() == base::Instant::Never());
  }

  TEST_CASE("nobody is dead of fewer than three accusers, however long it takes") {
    Table table;
    for (std::uint64_t number = 2; number < 8; ++number) table.Hear(0, ClaimBy(number));
    table.Accuse(0, 2, {3});
    for (std::int64_t ms = 0; ms < 60000; ms += 100) table.membership.OnTick(At(ms));
    EXPECT(table.Of(2) == Liveness::kSuspect);
    table.Accuse(60000, 2, {4});
    EXPECT(table.Of(2) == Liveness::kUnreachable);
    table.membership.OnTick(At(60000));  // Its time to refute was over long ago.
    EXPECT(table.Of(2) == Liveness::kDead);
  }

  TEST_CASE("a death names who found the member silent, whoever of them is known") {
    Table table;
    for (std::uint64_t number = 2; number < 5; ++number) table.Hear(0, ClaimBy(number));
    Claim accused = ClaimBy(2, Liveness::kSuspect);
    for (const std::uint64_t accuser : {3, 4, 77})
      accused.accusers.Add({ShortId(Host(accuser)), 0});
    table.Hear(0, accused);
    REQUIRE(table.Of(2) == Liveness::kUnreachable);
    table.membership.OnTick(At(60000));
    REQUIRE(table.Of(2) == Liveness::kDead);
    const std::string names = table.membership.Name(table.outputs.events.back().accusers);
    EXPECT(names.find("10.0.0.3:7700, 10.0.0.4:7700 and one unknown (") == 0);
    // Who is dead by hearsay alone was silent to nobody that this node knows of.
    table.Hear(60000, ClaimBy(3, Liveness::kDead));
    EXPECT(table.outputs.events.back().accusers.size() == 0);
  }

  TEST_CASE("three accusers of one rack are not enough while another has witnesses") {
    Table table;
    HearOfTwoRacks(table, 6, 7);
    for (std::uint64_t number = 2; number < 7; ++number) table.membership.Meet(Host(number));
    table.Accuse(0, 2, {3, 4});
    EXPECT(table.Of(2) == Liveness::kSuspect);
    SUBCASE("the other rack confirms") { table.Accuse(100, 2, {6}); }
    SUBCASE("the other rack is silent too, and so no witness") {
      table.Hear(100, ClaimBy(6, Liveness::kSuspect));
      table.membership.OnTick(At(300));
    }
    EXPECT(table.Of(2) == Liveness::kUnreachable);
  }

  TEST_CASE("who is only spoken of is no witness that a verdict waits for") {
    Table table;
    HearOfTwoRacks(table, 4, 9);
    SUBCASE("once somebody has answered this node") {
      table.membership.Meet(Host(2));
      table.membership.Meet(Host(3));
      table.Accuse(0, 2);
      EXPECT(table.Of(2) == Liveness::kSuspect);  // The third could see it.
      table.Accuse(0, 2, {3});
      EXPECT(table.Of(2) == Liveness::kUnreachable);
    }
    SUBCASE("a newcomer's word on one that it has not met waits for others, too") {
      table.Accuse(0, 4, {3});
      EXPECT(table.Of(4) == Liveness::kSuspect);
    }
    SUBCASE("who is met is one from then on, and again when it is back from the dead") {
      for (std::uint64_t number = 2; number < 6; ++number) table.membership.Meet(Host(number));
      table.Hear(10, ClaimBy(5, Liveness::kDead));
      table.Hear(20, ClaimBy(5, Liveness::kAlive, 0, 2));
      table.Hear(30, ClaimBy(4, Liveness::kDead));
      table.Accuse(40, 2, {3});
      EXPECT(table.Of(2) == Liveness::kSuspect);  // 5 is of another rack.
      table.Accuse(50, 2, {5});
      EXPECT(table.Of(2) == Liveness::kUnreachable);
    }
  }

  TEST_CASE("accusers of the same incarnation add up from all claims, and each is news once") {
    Table table;
    for (std::uint64_t number = 2; number < 8; ++number) table.Hear(0, ClaimBy(number));
    const auto accused_by = [&](std::uint64_t accuser, std::uint32_t incarnation) {
      Claim claim = ClaimBy(2, Liveness::kSuspect, incarnation);
      claim.accusers.Add(table.membership.AsAccuser(Host(accuser)));
      return claim;
    };
    EXPECT(table.Hear(0, accused_by(3, 1)) == Heard::kTaken);
    EXPECT(table.Hear(0, accused_by(3, 1)) == Heard::kStale);
    EXPECT(table.Hear(0, accused_by(4, 0)) == Heard::kStale);
    EXPECT(table.Hear(0, accused_by(4, 1)) == Heard::kTaken);
    EXPECT(table.Of(2) == Liveness::kSuspect);
    EXPECT(table.Hear(0, accused_by(5, 1)) == Heard::kTaken);
    EXPECT(table.Of(2) == Liveness::kUnreachable);
    // It refutes; what was said against it before counts no more.
    EXPECT(table.Hear(0, ClaimBy(2, Liveness::kAlive, 2)) == Heard::kTaken);
    EXPECT(table.Hear(0, accused_by(6, 2)) == Heard::kTaken);
    EXPECT(table.Of(2) == Liveness::kSuspect);
  }

  TEST_CASE("who answers this node's ping while on trial is not declared dead by it") {
    Table table;
    table.Hear(0, ClaimBy(2));
    table.Accuse(0, 2);
    table.membership.Vouch(At(3000), Host(2));
    table.membership.OnTick(At(6999));
    EXPECT(table.Of(2) == Liveness::kUnreachable);
    table.membership.OnTick(At(7000));
    EXPECT(table.Of(2) == Liveness::kDead);
  }

  TEST_CASE("the age of a suspicion is credited, up to a quarter of the time to refute") {
    Table table;
    table.Hear(0, ClaimBy(2));
    Claim claim = ClaimBy(2, Liveness::kUnreachable);
    SUBCASE("as told") { claim.age = base::milliseconds(600); }
    SUBCASE("a stranger's word for more") { claim.age = std::chrono::hours(5); }
    table.Hear(10000, claim);
    const base::Duration credit = std::min<base::Duration>(claim.age, base::seconds(1));
    EXPECT(table.membership.next_tick() == At(14000) - credit);
  }

  TEST_CASE("lifeguard: each further accuser shortens the time, and one is enough for death") {
    Table table({.mode = Mode::kLifeguard});
    for (std::uint64_t number = 2; number < 8; ++number) table.Hear(0, ClaimBy(number));
    table.Accuse(0, 2);
    EXPECT(table.membership.next_tick() == At(24000));
    table.Accuse(100, 2, {3});
    EXPECT(table.membership.next_tick() == At(11400));
    table.Accuse(200, 2, {4});
    EXPECT(table.membership.next_tick() == At(4000));
    table.membership.OnTick(At(4000));
    EXPECT(table.Of(2) == Liveness::kDead);
  }

  TEST_CASE("who accuses is known, each since it was heard, until the verdict") {
    Table table;
    for (std::uint64_t number = 2; number < 8; ++number) table.Hear(0, ClaimBy(number));
    table.Accuse(100, 2);
    table.Accuse(300, 2, {3});
    MemberReport report{.member = {.host = Host(2)}};
    table.membership.AddTrialTo(report);
    REQUIRE(report.accusers.size() == 2);
    EXPECT(report.accusers[0].host == Host(1));
    EXPECT(report.accusers[0].heard == At(100));
    EXPECT(report.accusers[1].host == Host(3));
    EXPECT(report.accusers[1].heard == At(300));
    EXPECT(report.verdict > At(300));
    table.Hear(400, ClaimBy(2, Liveness::kAlive, 1));
    MemberReport refuted{.member = {.host = Host(2)}};
    table.membership.AddTrialTo(refuted);
    EXPECT(refuted.accusers.empty());
    EXPECT(!refuted.verdict.has_value());
  }

  TEST_CASE("only a higher incarnation refutes a suspicion") {
    Table table;
    table.Hear(0, ClaimBy(2));
    table.Hear(0, ClaimBy(2, Liveness::kSuspect));
    EXPECT(table.Hear(100, ClaimBy(2)) == Heard::kStale);
    EXPECT(table.Of(2) == Liveness::kSuspect);
    EXPECT(table.Hear(200, ClaimBy(2, Liveness::kAlive, 1)) == Heard::kTaken);
    table.membership.OnTick(At(10000));  // The old deadline is void.
    EXPECT(table.Of(2) == Liveness::kAlive);
    EXPECT(table.Events() == Kinds{Event::kJoined, Event::kSuspect, Event::kAlive});
  }

  TEST_CASE("a failed probe of an older generation accuses nobody") {
    Table table;
    table.Hear(0, ClaimBy(2, Liveness::kAlive, 0, 2));
    table.Accuse(0, 2);
    EXPECT(table.Of(2) == Liveness::kAlive);
    table.Accuse(0, 3);
    EXPECT(!table.membership.Find(Host(3)));
  }
}

}  // namespace
}  // namespace starling::gossip
