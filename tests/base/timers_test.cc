// Goal:   timers pop in order of time, then of Add; cancelled ones never do; ids go stale.
// Method: cases by hand, then random histories against a sorted list as the model.
#include "base/timers.h"

#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::base {
namespace {

Instant At(std::int64_t ms) { return {milliseconds(ms)}; }

std::vector<std::uint64_t> PopAll(Timers& timers, Instant now) {
  std::vector<std::uint64_t> tags;
  for (std::uint64_t tag; timers.PopDue(now, &tag);) tags.push_back(tag);
  return tags;
}

// What Timers should do, done slowly.
class Model {
 public:
  void Add(TimerId id, Instant when, std::uint64_t tag) { timers_.push_back({when, tag, id}); }
  void Cancel(TimerId id) {
    std::erase_if(timers_, [id](const Timer& t) { return t.id == id; });
  }
  std::vector<std::uint64_t> PopAll(Instant now) {
    std::stable_sort(timers_.begin(), timers_.end(),
                     [](const Timer& a, const Timer& b) { return a.when < b.when; });
    std::vector<std::uint64_t> tags;
    while (!timers_.empty() && timers_.front().when <= now) {
      tags.push_back(timers_.front().tag);
      timers_.erase(timers_.begin());
    }
    return tags;
  }
  Instant next() const {
    Instant next = Instant::Never();
    for (const Timer& t : timers_) next = std::min(next, t.when);
    return next;
  }
  std::size_t size() const { return timers_.size(); }

 private:
  struct Timer {
    Instant when;
    std::uint64_t tag;
    TimerId id;
  };
  std::vector<Timer> timers_;
};

bool TimersAgreeWithModel(std::uint64_t seed) {
  Random random(seed);
  Timers timers;
  Model model;
  std::vector<TimerId> ids{0};
  std::int64_t now_ms = 0;
  for (std::uint64_t step = 0; step < 300; ++step) {
    switch (random.Below(4)) {
      case 0:
      case 1: {
        const Instant when = At(now_ms + random.Between(-5, 40));
        ids.push_back(timers.Add(when, step));
        model.Add(ids.back(), when, step);
        break;
      }
      case 2: {
        const TimerId id = ids[random.Below(ids.size())];  // Stale as often as not.
        timers.Cancel(id);
        model.Cancel(id);
        break;
      }
      default:
        now_ms += random.Between(0, 20);
        if (PopAll(timers, At(now_ms)) != model.PopAll(At(now_ms))) return false;
    }
    if (timers.next() != model.next() || timers.size() != model.size()) return false;
  }
  return true;
}

TEST_SUITE("base/timers") {
  TEST_CASE("without timers nothing is ever due") {
    Timers timers;
    std::uint64_t tag = 7;
    EXPECT(timers.next() == Instant::Never());
    EXPECT(!timers.PopDue(At(1'000'000), &tag));
    EXPECT(tag == 7);
  }

  TEST_CASE("a timer is due at its instant, not before") {
    Timers timers;
    timers.Add(At(10), 1);
    EXPECT(timers.next() == At(10));
    EXPECT(PopAll(timers, At(9)).empty());
    EXPECT(PopAll(timers, At(10)) == std::vector<std::uint64_t>{1});
    EXPECT(timers.next() == Instant::Never());
  }

  TEST_CASE("due timers come by time, and those of one instant in the order of Add") {
    Timers timers;
    timers.Add(At(20), 1);
    timers.Add(At(10), 2);
    timers.Add(At(20), 3);
    timers.Add(At(10), 4);
    EXPECT(PopAll(timers, At(20)) == std::vector<std::uint64_t>{2, 4, 1, 3});
  }

  TEST_CASE("a cancelled timer is not popped, and the next one moves up") {
    Timers timers;
    const TimerId first = timers.Add(At(10), 1);
    timers.Add(At(20), 2);
    timers.Cancel(first);
    EXPECT(timers.next() == At(20));
    EXPECT(PopAll(timers, At(30)) == std::vector<std::uint64_t>{2});
  }

  TEST_CASE("stale, foreign and zero ids cancel nothing") {
    Timers timers;
    const TimerId popped = timers.Add(At(1), 1);
    REQUIRE(PopAll(timers, At(1)).size() == 1);
    const TimerId live = timers.Add(At(2), 2);  // In the same slot.
    EXPECT(popped != live);
    timers.Cancel(popped);
    timers.Cancel(0);
    timers.Cancel(~TimerId{0});
    EXPECT(timers.size() == 1);
    timers.Cancel(live);
    timers.Cancel(live);
    EXPECT(timers.size() == 0);
  }

  TEST_CASE("any history agrees with a sorted list") {
    EXPECT(rc::check([](std::uint64_t seed) { RC_ASSERT(TimersAgreeWithModel(seed)); }));
  }
}

}  // namespace
}  // namespace starling::base
