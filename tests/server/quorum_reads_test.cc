// Goal:   a read is sure, or waits for a repair, exactly when design section 9 says so.
// Method: replicas that hold drawn-up versions, a case a rule; then every combination of answers of
//         up to five replicas against the rule told as a law.
#include <cstdint>
#include <string>
#include <vector>

#include "server/quorum.h"
#include "tests/server/quorum_answers.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using wire::Consistency;

// The version stamped at `ms`; 0 is none.
base::Version StampAt(std::uint64_t ms) {
  return ms == 0 ? base::Version{} : base::Version{ms << 16, 1, 1};
}

// Replicas 0, 1, ... hold these.
ReadTally Holding(Requirement requirement, const std::vector<std::uint64_t>& versions) {
  ReadTally tally(requirement);
  for (std::size_t replica = 0; replica < versions.size(); ++replica)
    tally.OnHolds(static_cast<int>(replica), StampAt(versions[replica]));
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
    EXPECT(Holding(Need(Consistency::kTwo, 5), {5, 7}).target() == StampAt(7));
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
      EXPECT(tally.target() == StampAt(7));
      EXPECT(CountOf(tally.holders()) == 2);
      EXPECT(CountOf(tally.behind()) == 2);
      EXPECT((tally.holders() | tally.behind()) == tally.answered());
      EXPECT(tally.answered() == 0b01111);
    }
  }

  TEST_CASE("a repair that was taken makes its replica a holder, and the read sure") {
    ReadTally tally = Holding(Need(Consistency::kQuorum, 3), {7, 5});
    tally.OnRepaired(1, StampAt(7));
    EXPECT(tally.sure());
    EXPECT(tally.holders() == 0b011);
    EXPECT(tally.behind() == 0);
  }

  TEST_CASE("a repair that was superseded makes the higher version the target, with one holder") {
    ReadTally tally = Holding(Need(Consistency::kQuorum, 3), {7, 5});
    tally.OnHolds(1, StampAt(9));
    EXPECT(tally.target() == StampAt(9));
    EXPECT(tally.holders() == 0b010);
    EXPECT(!tally.sure());
    tally.OnRepaired(0, StampAt(7));  // An answer to the repair of before: it proves nothing of 9.
    EXPECT(!tally.sure());
    tally.OnRepaired(0, StampAt(9));
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
    tally.OnHolds(1, StampAt(7));  // Asked once more, or late: an answer is an answer.
    EXPECT(tally.sure());
  }

  TEST_CASE("LOCAL_QUORUM hears the others, and counts its own") {
    const Requirement local = RequirementOf(Consistency::kLocalQuorum, 0b111111, 0b000111);
    ReadTally tally(local);
    for (const int remote : {3, 4, 5}) tally.OnHolds(remote, StampAt(7));
    tally.OnHolds(0, StampAt(7));
    EXPECT(!tally.enough_answers());
    EXPECT(!tally.sure());
    tally.OnHolds(1, StampAt(5));
    EXPECT(tally.enough_answers());
    EXPECT(!tally.sure());  // A majority of six, but one of three.
    tally.OnRepaired(1, StampAt(7));
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
              tally.OnHolds(replica, StampAt(static_cast<std::uint64_t>(letter - 'a')));
          }
          const int b = CountIn(letters, 'b'), c = CountIn(letters, 'c');
          const int a = CountIn(letters, 'a'), highest = c > 0 ? c : b > 0 ? b : a;
          const bool enough = a + b + c >= requirement.needed;
          const bool majority = highest > replicas / 2;
          REQUIRE(tally.sure() == (enough && (majority || !requirement.confirm)));
          REQUIRE(tally.target() == StampAt(c > 0 ? 2 : b > 0 ? 1 : 0));
          const bool few = replicas - CountIn(letters, 'f') < requirement.needed;
          REQUIRE(tally.hopeless(FirstOf(replicas)) == few);
        });
      }
    }
  }
}

}  // namespace
}  // namespace starling::server
