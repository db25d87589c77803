// Goal:   a write is acknowledged, stamped again or given up, and a read is sure, exactly when
//         design section 9 says so.
// Method: its tables as cases, a level and a number of replicas a row; then every combination of
//         answers of up to five replicas against the rules told as laws.
#include "server/quorum.h"

#include <array>
#include <string_view>
#include <vector>

#include "tests/test.h"

namespace starling::server {
namespace {

using wire::Consistency;
using Verdict = WriteTally::Verdict;

constexpr std::array<Consistency, 5> kLevels{Consistency::kOne, Consistency::kTwo,
                                             Consistency::kQuorum, Consistency::kLocalQuorum,
                                             Consistency::kAll};

ReplicaMask FirstOf(int replicas) { return (ReplicaMask{1} << replicas) - 1; }

// One datacenter: all replicas are local.
Requirement Need(Consistency level, int replicas) {
  return RequirementOf(level, FirstOf(replicas), FirstOf(replicas));
}

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

// Calls visit(letters) for every combination of `alphabet` over `replicas` replicas.
template <typename Visit>
void ForAllAnswers(int replicas, std::string_view alphabet, Visit&& visit) {
  std::vector<std::size_t> digits(static_cast<std::size_t>(replicas), 0);
  std::string letters(static_cast<std::size_t>(replicas), alphabet[0]);
  for (;;) {
    visit(letters);
    std::size_t at = 0;
    while (at < digits.size() && ++digits[at] == alphabet.size()) digits[at++] = 0;
    if (at == digits.size()) return;
    for (std::size_t i = 0; i < digits.size(); ++i) letters[i] = alphabet[digits[i]];
  }
}

int CountIn(std::string_view letters, char letter) {
  return static_cast<int>(std::count(letters.begin(), letters.end(), letter));
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

// The version stamped at `ms`; 0 is none.
base::Version At(std::uint64_t ms) {
  return ms == 0 ? base::Version{} : base::Version{ms << 16, 1, 1};
}

// Replicas 0, 1, ... hold these.
ReadTally Holding(Requirement requirement, const std::vector<std::uint64_t>& versions) {
  ReadTally tally(requirement);
  for (std::size_t replica = 0; replica < versions.size(); ++replica)
    tally.OnHolds(static_cast<int>(replica), At(versions[replica]));
  return tally;
}

TEST_SUITE("server/quorum: reads") {
  TEST_CASE("replicas that agree make a read sure with the level's number, not with one less") {
    for (const Consistency level : kLevels) {
      for (int replicas = 1; replicas <= 5; ++replicas) {
        const Requirement requirement = Need(level, replicas);
        for (int answers = 0; answers <= replicas; ++answers) {
          const auto tally = Holding(
              requirement, std::vector<std::uint64_t>(static_cast<std::size_t>(answers), 7));
          DOCTEST_INFO(wire::ConsistencyName(level), " ", answers, " of ", replicas);
          EXPECT(tally.sure() == (answers >= requirement.needed));
          EXPECT(tally.enough_answers() == (answers >= requirement.needed));
        }
      }
    }
  }

  TEST_CASE("with QUORUM the highest needs a majority that holds exactly it") {
    const Requirement quorum = Need(Consistency::kQuorum, 3);
    EXPECT(!Holding(quorum, {7, 5}).sure());
    EXPECT(!Holding(quorum, {5, 5, 7}).sure());
    EXPECT(Holding(quorum, {7, 5, 7}).sure());
    EXPECT(!Holding(Need(Consistency::kQuorum, 4), {7, 7, 5}).sure());
    EXPECT(Holding(Need(Consistency::kQuorum, 4), {7, 7, 5, 7}).sure());
    EXPECT(!Holding(Need(Consistency::kAll, 5), {7, 7, 5, 5, 5}).sure());
    EXPECT(Holding(Need(Consistency::kAll, 5), {7, 7, 5, 5, 7}).sure());
  }

  TEST_CASE("below a majority the highest of the answers is returned as it is") {
    EXPECT(Holding(Need(Consistency::kOne, 3), {5}).sure());
    EXPECT(Holding(Need(Consistency::kTwo, 5), {5, 7}).sure());
    EXPECT(Holding(Need(Consistency::kTwo, 5), {5, 7}).target() == At(7));
    EXPECT(!Holding(Need(Consistency::kTwo, 3), {5, 7}).sure());  // Two of three are a majority.
  }

  TEST_CASE("nothing anywhere is as sure as something") {
    const ReadTally tally = Holding(Need(Consistency::kQuorum, 3), {0, 0});
    EXPECT(tally.sure());
    EXPECT(tally.target().empty());
    EXPECT(!Holding(Need(Consistency::kQuorum, 3), {0, 7}).sure());
  }

  TEST_CASE("target, holders and those behind, whatever the order of the answers") {
    for (const auto& versions :
         {std::vector<std::uint64_t>{7, 5, 7, 0}, std::vector<std::uint64_t>{5, 7, 0, 7}}) {
      const ReadTally tally = Holding(Need(Consistency::kQuorum, 5), versions);
      EXPECT(tally.target() == At(7));
      EXPECT(CountOf(tally.holders()) == 2);
      EXPECT(CountOf(tally.behind()) == 2);
      EXPECT((tally.holders() | tally.behind()) == tally.answered());
      EXPECT(tally.answered() == 0b01111);
    }
  }

  TEST_CASE("a repair that was taken makes its replica a holder, and the read sure") {
    ReadTally tally = Holding(Need(Consistency::kQuorum, 3), {7, 5});
    tally.OnRepaired(1, At(7));
    EXPECT(tally.sure());
    EXPECT(tally.holders() == 0b011);
    EXPECT(tally.behind() == 0);
  }

  TEST_CASE("a repair that was superseded makes the higher version the target, with one holder") {
    ReadTally tally = Holding(Need(Consistency::kQuorum, 3), {7, 5});
    tally.OnHolds(1, At(9));
    EXPECT(tally.target() == At(9));
    EXPECT(tally.holders() == 0b010);
    EXPECT(!tally.sure());
    tally.OnRepaired(0, At(7));  // An answer to the repair of before: it proves nothing of 9.
    EXPECT(!tally.sure());
    tally.OnRepaired(0, At(9));
    EXPECT(tally.sure());
  }

  TEST_CASE("failures are no answers; hopeless is when too few are left") {
    ReadTally tally = Holding(Need(Consistency::kQuorum, 3), {7});
    tally.OnFailed(1);
    EXPECT(!tally.hopeless(0b111));
    EXPECT(tally.hopeless(0b011));  // The third may not be read.
    tally.OnFailed(2);
    EXPECT(tally.hopeless(0b111));
    EXPECT(tally.failed() == 0b110);
    EXPECT(!tally.sure());
    tally.OnHolds(1, At(7));  // Asked once more, or late: an answer is an answer.
    EXPECT(tally.sure());
  }

  TEST_CASE("LOCAL_QUORUM hears the others, and counts its own") {
    const Requirement local = RequirementOf(Consistency::kLocalQuorum, 0b111111, 0b000111);
    ReadTally tally(local);
    for (const int remote : {3, 4, 5}) tally.OnHolds(remote, At(7));
    tally.OnHolds(0, At(7));
    EXPECT(!tally.enough_answers());
    EXPECT(!tally.sure());
    tally.OnHolds(1, At(5));
    EXPECT(tally.enough_answers());
    EXPECT(!tally.sure());  // A majority of six, but one of three.
    tally.OnRepaired(1, At(7));
    EXPECT(tally.sure());
    EXPECT(ReadTally(local).hopeless(0b111001));
    EXPECT(!ReadTally(local).hopeless(0b000011));
  }

  TEST_CASE("law: sure at a majority or above means that a majority holds exactly the highest") {
    for (const Consistency level : kLevels) {
      for (int replicas = 1; replicas <= 5; ++replicas) {
        const Requirement requirement = Need(level, replicas);
        // '.' silent, 'f' failed, 'a' nothing, 'b' and 'c' two versions.
        ForAllAnswers(replicas, ".fabc", [&](const std::string& letters) {
          ReadTally tally(requirement);
          for (int replica = 0; replica < replicas; ++replica) {
            const char letter = letters[static_cast<std::size_t>(replica)];
            if (letter == 'f') tally.OnFailed(replica);
            if (letter >= 'a' && letter <= 'c')
              tally.OnHolds(replica, At(static_cast<std::uint64_t>(letter - 'a')));
          }
          const int b = CountIn(letters, 'b'), c = CountIn(letters, 'c');
          const int a = CountIn(letters, 'a'), highest = c > 0 ? c : b > 0 ? b : a;
          const bool enough = a + b + c >= requirement.needed;
          const bool majority = highest > replicas / 2;
          REQUIRE(tally.sure() == (enough && (majority || !requirement.confirm)));
          REQUIRE(tally.target() == At(c > 0 ? 2 : b > 0 ? 1 : 0));
          const bool few = replicas - CountIn(letters, 'f') < requirement.needed;
          REQUIRE(tally.hopeless(FirstOf(replicas)) == few);
        });
      }
    }
  }
}

}  // namespace
}  // namespace starling::server
