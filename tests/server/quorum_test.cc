// Goal:   a write is acknowledged, stamped again or given up exactly when design section 9 says so.
// Method: its tables as cases, a level and a number of replicas a row; then every combination of
//         answers of up to five replicas against the rules told as laws.
#include "server/quorum.h"

#include <string_view>
#include <vector>

#include "tests/server/quorum_answers.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using wire::Consistency;
using Verdict = WriteTally::Verdict;

// The answers of replicas 0, 1, ... to one stamp, a letter each: o ok, n never held, u unknown
// (both superseded), f failed, '.' none yet.
WriteTally Answers(Requirement requirement, std::string_view letters) {
  WriteTally tally(requirement, FirstOf(static_cast<int>(letters.size())));
  for (int replica = 0; replica < static_cast<int>(letters.size()); ++replica) {
    switch (letters[static_cast<std::size_t>(replica)]) {
      case 'o': tally.OnOk(replica); break;
      case 'n': tally.OnNeverHeld(replica); break;
      case 'u': tally.OnUnknown(replica); break;
      case 'f': tally.OnFailed(replica); break;
      default: break;
    }
  }
  return tally;
}

struct WriteCase {
  std::string_view letters;
  Verdict verdict;
};

void ExpectVerdicts(Consistency level, const std::vector<WriteCase>& cases) {
  for (const WriteCase& each : cases) {
    const Requirement requirement = Need(level, static_cast<int>(each.letters.size()));
    DOCTEST_INFO(wire::ConsistencyName(level), " ", each.letters);
    EXPECT(Answers(requirement, each.letters).Decide(true) == each.verdict);
  }
}

TEST_SUITE("server/quorum: what a level asks") {
  TEST_CASE("answers needed, by level and number of replicas") {
    const struct {
      Consistency level;
      std::array<int, 5> needed;  // Of 1, 2, 3, 4, 5 replicas.
      std::array<bool, 5> confirm;
    } rows[] = {
        {Consistency::kOne, {1, 1, 1, 1, 1}, {true, false, false, false, false}},
        {Consistency::kTwo, {2, 2, 2, 2, 2}, {true, true, true, false, false}},
        {Consistency::kQuorum, {1, 2, 2, 3, 3}, {true, true, true, true, true}},
        {Consistency::kLocalQuorum, {1, 2, 2, 3, 3}, {true, true, true, true, true}},
        {Consistency::kAll, {1, 2, 3, 4, 5}, {true, true, true, true, true}},
    };
    for (const auto& row : rows) {
      for (int replicas = 1; replicas <= 5; ++replicas) {
        const auto at = static_cast<std::size_t>(replicas - 1);
        const Requirement requirement = Need(row.level, replicas);
        DOCTEST_INFO(wire::ConsistencyName(row.level), " of ", replicas);
        EXPECT(requirement.needed == row.needed[at]);
        EXPECT(requirement.confirm == row.confirm[at]);
        EXPECT(requirement.majority == replicas / 2 + 1);
        EXPECT(requirement.counted == FirstOf(replicas));
      }
    }
  }

  TEST_CASE("LOCAL_QUORUM counts the replicas of its own datacenter, the others count all") {
    const ReplicaMask all = 0b111111, local = 0b000111;
    EXPECT(RequirementOf(Consistency::kLocalQuorum, all, local).counted == local);
    EXPECT(RequirementOf(Consistency::kLocalQuorum, all, local).needed == 2);
    EXPECT(RequirementOf(Consistency::kQuorum, all, local).counted == all);
    EXPECT(RequirementOf(Consistency::kQuorum, all, local).needed == 4);
  }

  TEST_CASE("a level is reachable when enough of those it counts are up") {
    EXPECT(Need(Consistency::kQuorum, 3).reachable(0b011));
    EXPECT(!Need(Consistency::kQuorum, 3).reachable(0b100));
    EXPECT(!Need(Consistency::kTwo, 1).reachable(0b1));  // There are no two.
    const auto local = RequirementOf(Consistency::kLocalQuorum, 0b111111, 0b000111);
    EXPECT(local.reachable(0b000101));
    EXPECT(!local.reachable(0b111001));
    EXPECT(!RequirementOf(Consistency::kLocalQuorum, 0b111, 0).reachable(0b111));
  }
}

TEST_SUITE("server/quorum: writes") {
  TEST_CASE("each level acknowledges with its number of ok, and waits with one less") {
    for (const Consistency level : kLevels) {
      for (int replicas = 1; replicas <= 5; ++replicas) {
        const int needed = Need(level, replicas).needed;
        for (int ok = 0; ok <= replicas; ++ok) {
          const std::string letters = std::string(static_cast<std::size_t>(ok), 'o') +
                                      std::string(static_cast<std::size_t>(replicas - ok), '.');
          const Verdict otherwise = ok == replicas ? Verdict::kGiveUp : Verdict::kWait;
          ExpectVerdicts(level, {{letters, ok >= needed ? Verdict::kAcknowledge : otherwise}});
        }
      }
    }
  }

  TEST_CASE("superseded is no ok before a majority is") {
    ExpectVerdicts(Consistency::kQuorum, {{"ou.", Verdict::kWait},
                                          {"on.", Verdict::kWait},
                                          {"uu.", Verdict::kWait},
                                          {"ouo", Verdict::kAcknowledge},
                                          {"ouf", Verdict::kGiveUp},
                                          {"uuu", Verdict::kGiveUp}});
    ExpectVerdicts(Consistency::kOne, {{"u..", Verdict::kWait}, {"uo.", Verdict::kAcknowledge}});
    ExpectVerdicts(Consistency::kTwo,
                   {{"ou...", Verdict::kWait}, {"ouo..", Verdict::kAcknowledge}});
  }

  TEST_CASE("after a majority of ok, superseded counts as ok for the levels above") {
    ExpectVerdicts(Consistency::kAll, {{"oon", Verdict::kAcknowledge},
                                       {"oou", Verdict::kAcknowledge},
                                       {"oo.", Verdict::kWait},
                                       {"oof", Verdict::kGiveUp},
                                       {"ouu", Verdict::kGiveUp},
                                       {"ooouu", Verdict::kAcknowledge},
                                       {"oonuu", Verdict::kGiveUp},
                                       {"oou.", Verdict::kWait},
                                       {"ooou", Verdict::kAcknowledge}});
  }

  TEST_CASE("N - QUORUM + 1 that never held it stamp it again: two of 3 and 4, one of 2, 3 of 5") {
    ExpectVerdicts(Consistency::kQuorum, {{"n", Verdict::kStampAgain},
                                          {"n.", Verdict::kStampAgain},
                                          {"on", Verdict::kStampAgain},
                                          {"n..", Verdict::kWait},
                                          {"nn.", Verdict::kStampAgain},
                                          {"nno", Verdict::kStampAgain},
                                          {"nnf", Verdict::kStampAgain},
                                          {"n...", Verdict::kWait},
                                          {"nn..", Verdict::kStampAgain},
                                          {"nnoo", Verdict::kStampAgain},
                                          {"nn...", Verdict::kWait},
                                          {"nnn..", Verdict::kStampAgain},
                                          {"nnnoo", Verdict::kStampAgain}});
  }

  TEST_CASE("unknown and failed never help to stamp again") {
    ExpectVerdicts(Consistency::kQuorum, {{"nu.", Verdict::kWait},
                                          {"nuu", Verdict::kGiveUp},
                                          {"nff", Verdict::kGiveUp},
                                          {"uuuuu", Verdict::kGiveUp},
                                          {"nnuuu", Verdict::kGiveUp}});
  }

  TEST_CASE("what is given up says how many hold a later version, and how many failed") {
    const auto why = [](std::string_view letters) {
      return Answers(Need(Consistency::kQuorum, static_cast<int>(letters.size())), letters)
          .WhyGivenUp();
    };
    EXPECT(why("off") == "2 are down, refused it, or did not answer");
    EXPECT(why("nuu") == "3 hold a later version");
    EXPECT(why("ounff") == "2 hold a later version, and 2 are down, refused it, or did not answer");
  }

  TEST_CASE("below QUORUM, what is acknowledged is not stamped again") {
    ExpectVerdicts(Consistency::kOne,
                   {{"onn", Verdict::kAcknowledge}, {"nn.", Verdict::kStampAgain}});
  }

  TEST_CASE("a retry, which came with its stamp, is never stamped again") {
    const Requirement quorum = Need(Consistency::kQuorum, 3);
    EXPECT(Answers(quorum, "nn.").Decide(false) == Verdict::kWait);
    EXPECT(Answers(quorum, "nnn").Decide(false) == Verdict::kGiveUp);
    EXPECT(Answers(quorum, "noo").Decide(false) == Verdict::kAcknowledge);
  }

  TEST_CASE("an ok that comes after another answer of the same replica counts") {
    WriteTally tally = Answers(Need(Consistency::kQuorum, 3), "fun");
    EXPECT(tally.Decide(true) == Verdict::kGiveUp);
    tally.OnOk(0);
    tally.OnOk(2);
    EXPECT(tally.Decide(true) == Verdict::kAcknowledge);
    EXPECT(tally.ok() == 0b101);
  }

  TEST_CASE("hints go to those that hold neither it nor something later") {
    const WriteTally tally = Answers(Need(Consistency::kOne, 5), "onuf.");
    EXPECT(tally.missing() == 0b11000);
    EXPECT(!tally.settled());
    EXPECT(Answers(Need(Consistency::kOne, 4), "onuf").settled());
  }
}

TEST_SUITE("server/quorum: writes over two datacenters") {
  // Replicas 0 to 2 are local, 3 to 5 remote.
  const Requirement kLocal = RequirementOf(Consistency::kLocalQuorum, 0b111111, 0b000111);

  TEST_CASE("LOCAL_QUORUM is acknowledged by local ok alone") {
    EXPECT(Answers(kLocal, "oo....").Decide(true) == Verdict::kAcknowledge);
    EXPECT(Answers(kLocal, "o..ooo").Decide(true) == Verdict::kWait);
    EXPECT(Answers(kLocal, "offooo").Decide(true) == Verdict::kGiveUp);
  }

  TEST_CASE("it is stamped again once no majority can have held it, here and in all") {
    EXPECT(Answers(kLocal, "nn....").Decide(true) == Verdict::kWait);  // 4 of 6 may hold it.
    EXPECT(Answers(kLocal, "nn.n..").Decide(true) == Verdict::kStampAgain);
    EXPECT(Answers(kLocal, "n..nnn").Decide(true) == Verdict::kWait);  // Two local ones may.
    EXPECT(Answers(kLocal, "...nnn").Decide(true) == Verdict::kWait);
  }
}

TEST_SUITE("server/quorum: laws of writes, over all answers of up to five replicas") {
  constexpr std::string_view kAlphabet = ".onuf";

  TEST_CASE("acknowledged at QUORUM or above means that a majority said ok") {
    for (const Consistency level : {Consistency::kQuorum, Consistency::kAll}) {
      for (int replicas = 1; replicas <= 5; ++replicas) {
        const Requirement requirement = Need(level, replicas);
        ForAllAnswers(replicas, kAlphabet, [&](const std::string& letters) {
          if (Answers(requirement, letters).Decide(true) == Verdict::kAcknowledge)
            REQUIRE(CountIn(letters, 'o') > replicas / 2);
        });
      }
    }
  }

  TEST_CASE(
      "stamped again means: first stamped by us, not acknowledged, no majority ever possible") {
    for (const Consistency level : kLevels) {
      for (int replicas = 1; replicas <= 5; ++replicas) {
        const Requirement requirement = Need(level, replicas);
        ForAllAnswers(replicas, kAlphabet, [&](const std::string& letters) {
          const WriteTally tally = Answers(requirement, letters);
          const Verdict verdict = tally.Decide(true);
          const bool impossible = replicas - CountIn(letters, 'n') <= replicas / 2;
          const bool again = verdict == Verdict::kStampAgain;
          REQUIRE(again == (impossible && verdict != Verdict::kAcknowledge));
          REQUIRE(tally.Decide(false) != Verdict::kStampAgain);
        });
      }
    }
  }

  TEST_CASE(
      "given up means that each replica has answered or failed, and waiting that one has not") {
    for (const Consistency level : kLevels) {
      for (int replicas = 1; replicas <= 5; ++replicas) {
        const Requirement requirement = Need(level, replicas);
        ForAllAnswers(replicas, kAlphabet, [&](const std::string& letters) {
          const bool open = CountIn(letters, '.') > 0;
          for (const bool may_stamp_again : {false, true}) {
            const Verdict verdict = Answers(requirement, letters).Decide(may_stamp_again);
            if (verdict == Verdict::kGiveUp) REQUIRE(!open);
            if (verdict == Verdict::kWait) REQUIRE(open);
          }
        });
      }
    }
  }

  TEST_CASE("what is acknowledged stays so, whatever else is answered") {
    for (const Consistency level : kLevels) {
      const Requirement requirement = Need(level, 4);
      ForAllAnswers(4, kAlphabet, [&](const std::string& letters) {
        if (Answers(requirement, letters).Decide(true) != Verdict::kAcknowledge) return;
        for (std::size_t at = 0; at < letters.size(); ++at) {
          if (letters[at] != '.') continue;
          for (const char answer : {'o', 'n', 'u', 'f'}) {
            std::string later = letters;
            later[at] = answer;
            REQUIRE(Answers(requirement, later).Decide(true) == Verdict::kAcknowledge);
          }
        }
      });
    }
  }
}

}  // namespace
}  // namespace starling::server
