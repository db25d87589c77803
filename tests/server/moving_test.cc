// Goal:   a node has its cluster note where it is, and two that are configured with one address do
//         not take it from each other for ever.
// Method: the part that decides, with a clock that only moves when a test says so.
#include "server/moving.h"

#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::Address kOld{0x7f000001, 7700}, kNew{0x7f000002, 7700};

base::Instant AtMs(std::int64_t ms) { return {base::milliseconds(ms)}; }

constexpr base::Duration kDead = base::seconds(6);  // From silence on.

// A node at kNew that is noted at kOld, of a cluster in which it is not alone.
struct Mover {
  topology::Node noted;
  topology::NodeInfo self;
  std::string holder;
  bool hears_others = true;
  Moving moving;

  Mover() {
    noted.cluster = noted.client = noted.resp = kOld;
    self.cluster = self.client = self.resp = kNew;
  }

  Moving::Facts facts() const {
    return {.noted = noted,
            .self = self,
            .alone = false,
            .met_ours = true,
            .hears_others = hears_others,
            .hears_since = AtMs(0),
            .holder = holder};
  }
  // Goes through a look in which nobody answers. True: it would have an epoch say so.
  bool Moves(base::Instant now) {
    const Moving::Step step = moving.Next(now, facts());
    if (step != Moving::Step::kLook) return step == Moving::Step::kPropose;
    moving.LookAt(now, noted.cluster, Moving::Look::kBeforeMove);
    REQUIRE(moving.TakeAnswer(now, noted.cluster, Moving::There::kNobody));
    return moving.MayPropose(now, facts());
  }
  // Looks that last as long as they may, as control has them from a tick of 100 ms, until `to`.
  void MeetSilence(std::int64_t from_ms, std::int64_t to_ms) {
    for (std::int64_t ms = from_ms; ms < to_ms; ms += 100) {
      if (moving.late(AtMs(ms))) moving.TakeAnswer(AtMs(ms), kOld, Moving::There::kNobody);
      if (moving.Next(AtMs(ms), facts()) == Moving::Step::kLook)
        moving.LookAt(AtMs(ms), kOld, Moving::Look::kBeforeMove);
    }
  }
  void Answer(std::int64_t ms, Moving::There there) {
    moving.LookAt(AtMs(ms), kOld, Moving::Look::kBeforeMove);
    moving.TakeAnswer(AtMs(ms), kOld, there);
  }
  bool HasLeft(std::int64_t ms) const { return moving.Left(AtMs(ms), kDead) == kOld; }
  // How often within `time` from `from` on, while each time another one takes the address back.
  int CountMoves(base::Instant from, base::Duration time) {
    int moves = 0;
    for (base::Instant now = from; now < from + time; now = now + base::milliseconds(100)) {
      if (!Moves(now)) continue;
      ++moves;
      moving.Propose();
      moving.OnProposed(now, true);
    }
    return moves;
  }
};

TEST_SUITE("server/moving") {
  TEST_CASE("a node elsewhere looks at its old address, and then moves") {
    Mover node;
    EXPECT(node.moving.Next(AtMs(3000), node.facts()) == Moving::Step::kLook);
    node.moving.LookAt(AtMs(3000), kOld, Moving::Look::kBeforeMove);
    EXPECT(node.moving.Next(AtMs(5000), node.facts()) == Moving::Step::kNone);  // One at a time.
    EXPECT(!node.moving.late(AtMs(3999)));
    EXPECT(node.moving.late(AtMs(4000)) == kOld);
    EXPECT(!node.moving.TakeAnswer(AtMs(4000), kNew, Moving::There::kNobody));
    EXPECT(node.moving.TakeAnswer(AtMs(4000), kOld, Moving::There::kNobody) ==
           Moving::Look::kBeforeMove);
    EXPECT(node.moving.MayPropose(AtMs(4000), node.facts()));
  }

  TEST_CASE("other ports at the same address need no look") {
    Mover node;
    node.noted.cluster = kNew;
    EXPECT(node.moving.Next(AtMs(3000), node.facts()) == Moving::Step::kPropose);
  }

  TEST_CASE("nobody moves before gossip could tell of a twin, or while it does") {
    Mover node;
    EXPECT(!node.Moves(AtMs(1900)));
    node.moving.OnConflict(AtMs(2000));
    EXPECT(!node.Moves(AtMs(16'900)));
    EXPECT(node.Moves(AtMs(18'000)));
  }

  TEST_CASE("an address at which another member lives is not taken, and the operator hears who") {
    Mover node;
    node.holder = "of another";
    EXPECT(node.CountMoves(AtMs(3000), base::seconds(600)) == 0);
    EXPECT(node.moving.problem().find("address in use by member of another") != std::string::npos);
    EXPECT(node.moving.TakeSay());
    EXPECT(!node.moving.TakeSay());  // Once for each try.
    SUBCASE("it is tried again, less and less often, and once it is free it is taken") {
      int said = 0;
      for (std::int64_t ms = 700'000; ms < 1'000'000; ms += 100) {
        EXPECT(!node.Moves(AtMs(ms)));
        said += node.moving.TakeSay() ? 1 : 0;
      }
      EXPECT(said >= 17);
      EXPECT(said <= 20);
      node.holder.clear();
      EXPECT(node.CountMoves(AtMs(1'000'000), base::seconds(17)) >= 1);
      EXPECT(node.moving.problem().empty());
    }
    SUBCASE("while the look is under way, too") {
      Mover late;
      EXPECT(late.moving.Next(AtMs(3000), late.facts()) == Moving::Step::kLook);
      late.moving.LookAt(AtMs(3000), kOld, Moving::Look::kBeforeMove);
      late.holder = "of another";
      late.moving.TakeAnswer(AtMs(3500), kOld, Moving::There::kNobody);
      EXPECT(!late.moving.MayPropose(AtMs(3500), late.facts()));
    }
  }

  TEST_CASE("whoever is moved away each time takes an epoch ever more seldom") {
    Mover node;
    EXPECT(node.CountMoves(AtMs(3000), std::chrono::hours(1)) <= 15);
    EXPECT(node.CountMoves(AtMs(4'000'000), std::chrono::hours(1)) <= 6);
    SUBCASE("until its place lasted") {
      node.noted.cluster = node.noted.client = node.noted.resp = kNew;
      for (std::int64_t ms = 8'000'000; ms < 9'000'000; ms += 1000) EXPECT(!node.Moves(AtMs(ms)));
      node.noted.cluster = kOld;
      EXPECT(node.CountMoves(AtMs(9'000'000), base::seconds(8)) == 4);
    }
  }

  TEST_CASE("an epoch that was not chosen is tried again at once") {
    Mover node;
    for (std::int64_t ms = 3000; ms < 20'000; ms += 1000) {
      EXPECT(node.Moves(AtMs(ms)));
      node.moving.Propose();
      EXPECT(!node.Moves(AtMs(ms + 500)));
      node.moving.OnProposed(AtMs(ms + 500), false);
    }
  }

  TEST_CASE("nobody is left where connections are refused, or another node answers") {
    Mover node;
    SUBCASE("refused") {
      node.moving.LookAt(AtMs(3000), kOld, Moving::Look::kAtStart);
      node.moving.OnRefused(kNew);
      node.moving.OnRefused(kOld);
      node.moving.TakeAnswer(AtMs(3001), kOld, Moving::There::kNobody);
    }
    SUBCASE("another") { node.Answer(3000, Moving::There::kAnother); }
    EXPECT(node.HasLeft(3001));
    EXPECT(node.HasLeft(3'000'000));
    node.Answer(3'000'000, Moving::There::kTwin);
    EXPECT(!node.HasLeft(3'000'000));
  }

  TEST_CASE("nor where nobody has answered for as long as takes a silent member to be dead") {
    Mover node;
    node.MeetSilence(3000, 9000);
    EXPECT(!node.HasLeft(9000));
    node.MeetSilence(9000, 11'000);
    EXPECT(node.HasLeft(11'000));
    SUBCASE("nor while it has an epoch say where it is") {
      node.moving.Propose();
      node.MeetSilence(11'000, 30'000);
      EXPECT(node.HasLeft(30'000));
    }
    SUBCASE("as long as it goes on looking") { EXPECT(!node.HasLeft(15'000)); }
    SUBCASE("but anew for another place that an epoch notes") {
      node.noted.cluster = node.noted.client = node.noted.resp = kNew;
      node.MeetSilence(11'000, 11'200);
      node.noted.cluster = kOld;
      EXPECT(!node.HasLeft(11'200));
    }
  }

  TEST_CASE("who slept listens for a while before it votes") {
    Moving moving;
    for (int ms = 0; ms <= 5000; ms += 100) EXPECT(moving.MayVote(AtMs(ms)));
    SUBCASE("the vote is what wakes it") { EXPECT(!moving.MayVote(AtMs(7000))); }
    SUBCASE("a tick is") { moving.NoteAwake(AtMs(7000)); }
    moving.NoteAwake(AtMs(8000));
    EXPECT(!moving.MayVote(AtMs(8999)));
    EXPECT(moving.MayVote(AtMs(9000)));
  }

  TEST_CASE("silence that may have another reason does not count") {
    Mover node;
    node.MeetSilence(3000, 8000);
    SUBCASE("somebody answered meanwhile") { node.Answer(8000, Moving::There::kTwin); }
    SUBCASE("gossip hears of a twin") { node.moving.OnConflict(AtMs(8000)); }
    SUBCASE("nobody else is heard: it is this node that is cut off") {
      node.hears_others = false;
      node.MeetSilence(8000, 8200);
      node.hears_others = true;
    }
    SUBCASE("this node slept, with the answer unread") {
      node.moving.LookAt(AtMs(8000), kOld, Moving::Look::kBeforeMove);
      node.moving.TakeAnswer(AtMs(11'500), kOld, Moving::There::kNobody);
      EXPECT(!node.HasLeft(11'500));
    }
    SUBCASE("it did not look for a while") { node.MeetSilence(13'000, 14'000); }
    node.MeetSilence(14'000, 19'000);
    EXPECT(!node.HasLeft(19'000));
    node.MeetSilence(19'000, 22'000);
    EXPECT(node.HasLeft(22'000));
  }
}

}  // namespace
}  // namespace starling::server
