// Goal:   verify reads back every record that the history wrote, again when a read fails, and gives
// up only when nothing succeeds any more.
//
// Method: the test plays one node, frame by frame, on a clock that it moves.
#include "tools/stress/verify.h"

#include "tests/test.h"
#include "tests/tools/stress/fake_node.h"
#include "tools/stress/workload.h"

namespace starling::stress {
namespace {

using base::Code;
using base::milliseconds;

constexpr std::uint64_t kRun = 0xab;

Event Wrote(EventType type, std::uint64_t record, Outcome outcome = Outcome::kOk) {
  return {.invoke_us = 0, .return_us = 1, .type = type, .outcome = outcome, .record = record};
}

History Wrote(std::vector<Event> events) {
  return {.head = {.run = kRun, .deletes = true, .keyspace = "default"},
          .events = std::move(events),
          .complete = true};
}

std::string ValueOf(std::uint64_t run, std::uint64_t counter) {
  std::string value;
  WriteValueTo(run << kRunShift | counter, 100, value);
  return value;
}

class Verifying final : public FakeNode {
 public:
  explicit Verifying(const History& history) : reader(world, Session(), history) { Start(reader); }
  FinalReader reader;
};

TEST_SUITE("stress/verify") {
  TEST_CASE("every record that was written is read once, whatever became of the write") {
    Verifying h(Wrote({Wrote(EventType::kPut, 3), Wrote(EventType::kPut, 1, Outcome::kUnknown),
                       Wrote(EventType::kDelete, 2), Wrote(EventType::kPut, 3),
                       Wrote(EventType::kPut, 4, Outcome::kFailed), Wrote(EventType::kGet, 9)}));
    std::vector<std::string> keys;
    while (!h.Asked().empty()) {
      const auto get = wire::Decode<wire::GetRequest>(h.Asked().front().header);
      REQUIRE(get.has_value());
      EXPECT(get->level == wire::Consistency::kQuorum);
      keys.emplace_back(get->key);
      h.Answer();
    }
    EXPECT(keys == std::vector<std::string>{KeyOf(1), KeyOf(2), KeyOf(3), KeyOf(4)});
    REQUIRE(h.world.exited().has_value());
    EXPECT(h.world.exited()->ok());
  }

  TEST_CASE("a value is known by its id, and one of another load as such") {
    Verifying h(Wrote({Wrote(EventType::kPut, 1), Wrote(EventType::kPut, 2),
                       Wrote(EventType::kPut, 3), Wrote(EventType::kPut, 4)}));
    h.Answer(ValueOf(kRun, 7));
    h.Answer(ValueOf(kRun + 1, 7));
    h.Answer("a value of nobody's");
    h.Answer();
    const FinalState state = h.reader.TakeState();
    EXPECT(state.unread == 0);
    EXPECT(state.id_by_record ==
           std::map<std::uint64_t, std::uint64_t>{
               {1, kRun << kRunShift | 7}, {2, kForeign}, {3, kForeign}, {4, kNothing}});
  }

  TEST_CASE("what another load wrote or deleted later, by its version, is no loss of this one") {
    History history = Wrote({Wrote(EventType::kPut, 1), Wrote(EventType::kPut, 2),
                             Wrote(EventType::kPut, 3), Wrote(EventType::kPut, 4)});
    const base::Version answered{100, 1, 5};
    history.newest = {{1, {99, 1, 5}}, {2, {99, 1, 5}}, {3, answered}, {4, {101, 1, 5}}};
    Verifying h(history);
    h.Answer(ValueOf(kRun + 1, 7));
    h.Answer();
    h.Answer(ValueOf(kRun + 1, 7));  // Not later: what this load wrote there is lost.
    h.Answer();
    const FinalState state = h.reader.TakeState();
    EXPECT(state.replaced == 2);
    EXPECT(state.id_by_record ==
           std::map<std::uint64_t, std::uint64_t>{{3, kForeign}, {4, kNothing}});
  }

  TEST_CASE("a read that failed is repeated, a little later") {
    Verifying h(Wrote({Wrote(EventType::kPut, 1)}));
    for (int i = 0; i < 20; ++i) {
      h.Refuse(Code::kOverloaded);
      EXPECT(h.Asked().empty());
      h.Pass(milliseconds(200));
      REQUIRE(h.Asked().size() == 1);
    }
    h.Answer(ValueOf(kRun, 7));
    REQUIRE(h.world.exited().has_value());
    EXPECT(h.reader.TakeState().unread == 0);
  }

  TEST_CASE("what can't be read although others can is given up in the end, and counted") {
    Verifying h(Wrote({Wrote(EventType::kPut, 1), Wrote(EventType::kPut, 2)}));
    h.Answer(ValueOf(kRun, 7));
    int refused = 0;
    for (; !h.Asked().empty() && refused < 1000; ++refused) {
      h.Refuse(Code::kOverloaded);
      h.Pass(milliseconds(200));
    }
    EXPECT(refused == 150);  // 30 s of patience, a read every 200 ms.
    REQUIRE(h.world.exited().has_value());
    const FinalState state = h.reader.TakeState();
    EXPECT(state.unread == 1);
    EXPECT(state.why_unread == "user0000000002: Overloaded: why");
    EXPECT(state.id_by_record.size() == 1);
  }

  TEST_CASE("a history without writes needs no read") {
    Verifying h(Wrote({Wrote(EventType::kGet, 1)}));
    EXPECT(h.Asked().empty());
    REQUIRE(h.world.exited().has_value());
    EXPECT(h.world.exited()->ok());
  }
}

}  // namespace
}  // namespace starling::stress
