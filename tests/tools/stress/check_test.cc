// Goal:   each verdict is found where it holds, and nothing is found where an order of the writes
// explains what was read.
//
// Method: histories of one record, a line an operation, written out by hand; then random histories
// of a register that is right by construction, with writes of unknown outcome.
#include "tools/stress/check.h"

#include <map>

#include "base/random.h"
#include "tests/test.h"

namespace starling::stress {
namespace {

constexpr auto kOk = Outcome::kOk;
constexpr auto kUnknown = Outcome::kUnknown;
constexpr auto kFailed = Outcome::kFailed;

Event Put(std::int64_t from, std::int64_t to, std::uint64_t id, Outcome outcome = kOk) {
  return {.invoke_us = from,
          .return_us = to,
          .type = EventType::kPut,
          .outcome = outcome,
          .record = 1,
          .id = id};
}
Event Delete(std::int64_t from, std::int64_t to, Outcome outcome = kOk) {
  return {.invoke_us = from,
          .return_us = to,
          .type = EventType::kDelete,
          .outcome = outcome,
          .record = 1};
}
Event Get(std::int64_t from, std::int64_t to, std::uint64_t id, Outcome outcome = kOk) {
  return {.invoke_us = from,
          .return_us = to,
          .type = EventType::kGet,
          .outcome = outcome,
          .record = 1,
          .id = id};
}

History Whole(std::vector<Event> events) {
  return {.head = {.run = 1, .deletes = true, .keyspace = "default"},
          .events = std::move(events),
          .complete = true};
}
Verdict Judge(std::vector<Event> events) { return CheckReads(Whole(std::move(events))); }
Verdict JudgeFinal(std::vector<Event> events, std::uint64_t found) {
  return CheckFinal(Whole(std::move(events)), {{1, found}});
}

// "2 reads: lost 1" and so on; "1 reads" when there is nothing to find.
std::string Say(const Verdict& verdict) {
  std::string text = std::to_string(verdict.reads) + " reads";
  const auto add = [&](const char* name, std::uint64_t count) {
    if (count > 0) text += std::string(", ") + name + " " + std::to_string(count);
  };
  add("lost", verdict.lost);
  add("stale", verdict.stale);
  add("resurrected", verdict.resurrected);
  add("phantom", verdict.phantom);
  EXPECT(verdict.clean() == (text.find(',') == std::string::npos));
  EXPECT(verdict.examples.empty() == verdict.clean());
  return text;
}

TEST_SUITE("stress/check") {
  TEST_CASE("lost: nothing, or what was there before, after an acknowledged put") {
    EXPECT(Say(Judge({Put(0, 10, 1), Get(20, 30, kNothing)})) == "1 reads, lost 1");
    EXPECT(Say(Judge({Put(0, 10, 1), Get(20, 30, kForeign)})) == "1 reads, lost 1");
    EXPECT(Say(JudgeFinal({Put(0, 10, 1)}, kNothing)) == "1 reads, lost 1");
    EXPECT(Say(JudgeFinal({Put(0, 10, 1)}, kForeign)) == "1 reads, lost 1");
  }

  TEST_CASE("stale: a value under an acknowledged put; at the end, that put is lost") {
    EXPECT(Say(Judge({Put(0, 10, 1), Put(20, 30, 2), Get(40, 50, 1)})) == "1 reads, stale 1");
    EXPECT(Say(JudgeFinal({Put(0, 10, 1), Put(20, 30, 2)}, 1)) == "1 reads, lost 1");
  }

  TEST_CASE("resurrected: a value under an acknowledged delete, of this load or of before") {
    EXPECT(Say(Judge({Put(0, 10, 1), Delete(20, 30), Get(40, 50, 1)})) == "1 reads, resurrected 1");
    EXPECT(Say(Judge({Delete(20, 30), Get(40, 50, kForeign)})) == "1 reads, resurrected 1");
    EXPECT(Say(JudgeFinal({Put(0, 10, 1), Delete(20, 30)}, 1)) == "1 reads, resurrected 1");
  }

  TEST_CASE("phantom: a value that failed, was not written yet, or never was") {
    EXPECT(Say(Judge({Put(0, 10, 1, kFailed), Get(20, 30, 1)})) == "1 reads, phantom 1");
    EXPECT(Say(Judge({Get(0, 10, 1), Put(20, 30, 1)})) == "1 reads, phantom 1");
    EXPECT(Say(Judge({Put(0, 10, 1), Get(20, 30, 9)})) == "1 reads, phantom 1");
    EXPECT(Say(Judge({Get(20, 30, 9)})) == "1 reads, phantom 1");
    EXPECT(Say(JudgeFinal({Put(0, 10, 1)}, 9)) == "1 reads, phantom 1");
  }

  TEST_CASE("the last write, what runs beside it, and what was there before are fine") {
    EXPECT(Say(Judge({Put(0, 10, 1), Get(20, 30, 1)})) == "1 reads");
    EXPECT(Say(Judge({Put(0, 40, 1), Get(20, 30, kNothing), Get(20, 30, 1)})) == "2 reads");
    EXPECT(Say(Judge({Put(0, 40, 1), Get(20, 30, kForeign)})) == "1 reads");
    EXPECT(Say(Judge({Get(0, 10, kNothing), Get(0, 10, kForeign)})) == "2 reads");
    // Both writes run at once: either may be the last.
    EXPECT(Say(Judge({Put(0, 20, 1), Put(10, 30, 2), Get(40, 50, 1), Get(40, 50, 2)})) ==
           "2 reads");
    EXPECT(Say(Judge({Put(0, 20, 1), Delete(10, 30), Get(40, 50, 1), Get(40, 50, kNothing)})) ==
           "2 reads");
  }

  TEST_CASE("a read that began before the newer write ended may be of the older") {
    EXPECT(Say(Judge({Put(0, 10, 1), Put(20, 30, 2), Get(25, 50, 1)})) == "1 reads");
    EXPECT(Say(Judge({Put(0, 10, 1), Put(20, 30, 2), Get(30, 50, 1)})) == "1 reads");
    EXPECT(Say(Judge({Put(0, 10, 1), Put(20, 30, 2), Get(31, 50, 1)})) == "1 reads, stale 1");
  }

  TEST_CASE("a put of unknown outcome may show at any time, or never") {
    for (const std::uint64_t seen : {1U, 2U}) {
      EXPECT(Say(Judge({Put(0, 10, 1), Put(20, 30, 2, kUnknown), Get(40, 50, seen)})) == "1 reads");
      EXPECT(Say(Judge({Put(0, 10, 2, kUnknown), Put(20, 30, 1), Get(40, 50, seen)})) == "1 reads");
      EXPECT(Say(JudgeFinal({Put(0, 10, 2, kUnknown), Put(20, 30, 1)}, seen)) == "1 reads");
    }
    EXPECT(Say(Judge({Put(0, 10, 1, kUnknown), Get(40, 50, kNothing)})) == "1 reads");
    // It hides nothing, and explains nothing but its own value.
    EXPECT(Say(Judge({Put(0, 10, 1), Put(20, 30, 2, kUnknown), Get(40, 50, kNothing)})) ==
           "1 reads, lost 1");
  }

  TEST_CASE("a delete of unknown outcome may hide at any time, or never") {
    EXPECT(Say(Judge({Delete(0, 10, kUnknown), Put(20, 30, 1), Get(40, 50, kNothing)})) ==
           "1 reads");
    EXPECT(Say(Judge({Put(0, 10, 1), Delete(20, 30, kUnknown), Get(40, 50, kNothing),
                      Get(40, 50, 1)})) == "2 reads");
    EXPECT(Say(JudgeFinal({Delete(0, 10, kUnknown), Put(20, 30, 1)}, kNothing)) == "1 reads");
  }

  TEST_CASE("a delete that failed, or had not begun, explains nothing") {
    EXPECT(Say(Judge({Put(0, 10, 1), Delete(20, 30, kFailed), Get(40, 50, kNothing)})) ==
           "1 reads, lost 1");
    EXPECT(Say(Judge({Put(0, 10, 1), Get(20, 30, kNothing), Delete(40, 50)})) == "1 reads, lost 1");
    EXPECT(Say(Judge({Delete(0, 5), Put(10, 15, 1), Get(20, 30, kNothing)})) == "1 reads, lost 1");
  }

  TEST_CASE("a write that failed hides nothing") {
    EXPECT(Say(Judge({Put(0, 10, 1), Put(20, 30, 2, kFailed), Get(40, 50, 1)})) == "1 reads");
    EXPECT(Say(Judge({Put(0, 10, 1), Delete(20, 30, kFailed), Get(40, 50, 1)})) == "1 reads");
  }

  TEST_CASE("a long write does not keep a later one from hiding what was before both") {
    // 2 begins after 1 ended; 3 began before and ends last, so that alone it would hide nothing.
    const std::vector<Event> writes = {Put(0, 10, 1), Put(20, 30, 2), Put(5, 90, 3)};
    for (const auto& [seen, said] : std::map<std::uint64_t, std::string>{
             {1, "1 reads, stale 1"}, {2, "1 reads"}, {3, "1 reads"}}) {
      auto events = writes;
      events.push_back(Get(100, 110, seen));
      EXPECT(Say(Judge(events)) == said);
    }
  }

  TEST_CASE("reads that failed are not judged, nor records that nobody wrote") {
    EXPECT(Say(Judge({Put(0, 10, 1), Get(20, 30, kNothing, kFailed)})) == "0 reads");
    EXPECT(Say(CheckFinal(Whole({Put(0, 10, 1)}), {{7, kForeign}})) == "0 reads");
  }

  TEST_CASE("records are judged each by itself") {
    Event other = Put(20, 30, 2);
    other.record = 2;
    EXPECT(Say(Judge({Put(0, 10, 1), other, Get(40, 50, 1)})) == "1 reads");
  }

  TEST_CASE("of a history that was cut off, what a missing write explains is no finding") {
    const auto judge = [](bool deletes, std::uint64_t found) {
      History history = Whole({Put(0, 10, 1), Put(20, 30, 2)});
      history.complete = false;
      history.head.deletes = deletes;
      return Say(CheckFinal(history, {{1, found}}));
    };
    EXPECT(judge(true, 9) == "1 reads");
    EXPECT(judge(true, kNothing) == "1 reads");
    EXPECT(judge(false, kNothing) == "1 reads, lost 1");
    EXPECT(judge(true, 1) == "1 reads, lost 1");
    EXPECT(judge(true, kForeign) == "1 reads, lost 1");
  }

  TEST_CASE("examples name the record, what was seen and what is wrong, and are few") {
    std::vector<Event> events = {Put(0, 10, 0xab)};
    for (int i = 0; i < 50; ++i) events.push_back(Get(20 + i, 30 + i, kNothing));
    const Verdict verdict = Judge(events);
    EXPECT(verdict.lost == 50);
    REQUIRE(verdict.examples.size() == 10);
    EXPECT(verdict.examples[0] == "lost: user0000000001 read nothing at 20 us");
  }

  TEST_CASE("a register that is right by construction is never blamed") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
      base::Random random(seed);
      // Each operation takes effect at a point in its interval; a write of unknown outcome at any
      // later one, or never. Reads see the last effect before their point.
      std::map<std::int64_t, std::uint64_t> effects;  // By instant, each distinct: id or kNothing.
      std::vector<Event> events;
      std::vector<std::pair<std::int64_t, std::size_t>> reads;  // Their points.
      const auto point = [&](std::int64_t from, std::int64_t to) {
        return random.Between(from * 1000, to * 1000);
      };
      for (std::uint64_t id = 1; id <= 60; ++id) {
        const std::int64_t from = random.Between(0, 500);
        const std::int64_t to = from + random.Between(1, 60);
        const auto kind = random.Below(10);
        if (kind < 5) {
          reads.emplace_back(point(from, to), events.size());
          events.push_back(Get(from, to, kNothing));
          continue;
        }
        const Outcome outcome = random.Chance(0.3) ? kUnknown : random.Chance(0.1) ? kFailed : kOk;
        events.push_back(kind < 8 ? Put(from, to, id, outcome) : Delete(from, to, outcome));
        if (outcome == kFailed || (outcome == kUnknown && random.Chance(0.5))) continue;
        const std::int64_t latest = outcome == kUnknown ? to + 300 : to;
        effects[point(from, latest)] = kind < 8 ? id : kNothing;
      }
      for (const auto& [at, index] : reads) {
        const auto after = effects.upper_bound(at);
        events[index].id = after == effects.begin() ? kNothing : std::prev(after)->second;
      }
      const Verdict verdict = Judge(events);
      EXPECT(verdict.reads == reads.size());
      DOCTEST_CAPTURE(seed);
      EXPECT(verdict.examples == std::vector<std::string>{});
      const std::uint64_t last = effects.empty() ? kNothing : effects.rbegin()->second;
      EXPECT(JudgeFinal(events, last).clean());
    }
  }
}

}  // namespace
}  // namespace starling::stress
