// Goal:   a load issues what it is told to, at the pace it is told to; latencies count from when an
// operation was due; errors are counted and end nothing; what was done is kept as it was.
//
// Method: the test plays one node, frame by frame, on a clock that it moves.
#include "tools/stress/generator.h"

#include <set>

#include "tests/test.h"
#include "tests/tools/stress/fake_node.h"

namespace starling::stress {
namespace {

using base::Code;
using base::milliseconds;

// A generator and the node that it loads.
class Harness final : public FakeNode, public Generator::Listener {
 public:
  explicit Harness(LoadOptions options)
      : generator(world, FakeNode::Session(), std::move(options), nullptr, *this) {
    Start(generator);
  }

  void OnProgress(const Progress& progress) override { progressed.push_back(progress); }

  std::vector<Progress> progressed;
  Generator generator;
};

LoadOptions Writes(std::uint64_t operations, std::size_t slots) {
  return {.mix = {.reads = 0},
          .distribution = Distribution::kSequential,
          .records = 1000,
          .slots = slots,
          .operations = operations};
}
LoadOptions Reads(std::uint64_t operations, std::size_t slots) {
  LoadOptions options = Writes(operations, slots);
  options.mix.reads = 1;
  return options;
}

double MaxMs(const LoadReport& report) { return static_cast<double>(report.all_ns.max()) / 1e6; }

TEST_SUITE("stress/generator") {
  TEST_CASE("closed loop: as many in flight as there are slots, and the next when one ends") {
    Harness h(Writes(10, 3));
    EXPECT(h.Asked().size() == 3);
    h.Answer();
    EXPECT(h.Asked().size() == 3);
    int answered = 1;
    for (; !h.Asked().empty(); ++answered) h.Answer();
    EXPECT(answered == 10);
    REQUIRE(h.world.exited().has_value());
    EXPECT(h.world.exited()->ok());
    const LoadReport report = h.generator.TakeReport();
    EXPECT(report.operations == 10);
    EXPECT(report.by_type.at("write").operations == 10);
    EXPECT(report.errors == 0);
  }

  TEST_CASE("a load writes each record once, the warm-up included") {
    LoadOptions options = Writes(0, 2);
    options.issues_max = 5;
    options.records = 5;
    options.warmup = milliseconds(100);
    Harness h(options);
    std::set<std::string> keys;
    while (!h.Asked().empty()) {
      const auto put = wire::Decode<wire::PutRequest>(h.Asked().front().header);
      REQUIRE(put.has_value());
      EXPECT(keys.insert(std::string(put->key)).second);
      h.Pass(milliseconds(30));
      h.Answer();
    }
    EXPECT(keys.size() == 5);
    EXPECT(h.world.exited().has_value());
    EXPECT(h.generator.TakeReport().operations < 5);
  }

  TEST_CASE("what was begun in the warm-up is not measured") {
    LoadOptions options = Writes(0, 1);
    options.warmup = milliseconds(500);
    options.duration = milliseconds(500);
    Harness h(options);
    h.Pass(milliseconds(490));
    h.Answer();
    h.Pass(milliseconds(20));
    h.Answer();  // Begun before the warm-up was over.
    h.Pass(milliseconds(100));
    h.Answer();
    h.Pass(milliseconds(1000));
    h.AnswerAll();
    REQUIRE(h.world.exited().has_value());
    EXPECT(h.generator.TakeReport().operations == 2);
  }

  TEST_CASE("open loop: operations begin when they are due, not when another ends") {
    LoadOptions options = Writes(0, 100);
    options.rate = 10;
    options.duration = base::seconds(1);
    Harness h(options);
    h.Pass(milliseconds(350));
    EXPECT(h.Asked().size() == 4);  // At 0, 100, 200 and 300 ms.
    h.AnswerAll();
    EXPECT(h.Asked().empty());
    h.Pass(milliseconds(100));
    EXPECT(h.Asked().size() == 1);
  }

  TEST_CASE("open loop: a stall is in the latencies of all that were due meanwhile") {
    LoadOptions options = Writes(10, 1);  // One slot: whoever is due waits for it.
    options.rate = 10;
    Harness h(options);
    EXPECT(h.Asked().size() == 1);
    h.Pass(milliseconds(950));  // The node stalls; nine more become due, at 100, 200, ... 900 ms.
    EXPECT(h.Asked().size() == 1);
    for (int i = 0; i < 10; ++i) h.Answer();
    REQUIRE(h.world.exited().has_value());
    const LoadReport report = h.generator.TakeReport();
    REQUIRE(report.operations == 10);
    // 950, 850, ... 50 ms: a closed loop would have shown one of 950 ms and nine of none.
    EXPECT(MaxMs(report) == doctest::Approx(950).epsilon(0.01));
    EXPECT(report.all_ns.mean() / 1e6 == doctest::Approx(500).epsilon(0.01));
    EXPECT(static_cast<double>(report.late_ns.max()) / 1e6 == doctest::Approx(850).epsilon(0.01));
    EXPECT(report.never_begun == 0);
  }

  TEST_CASE("open loop: what was due and never begun is counted") {
    LoadOptions options = Writes(0, 1);
    options.rate = 10;
    options.duration = base::seconds(1);
    Harness h(options);
    h.Pass(milliseconds(1500));
    EXPECT(h.Asked().size() == 1);
    h.Answer();
    REQUIRE(h.world.exited().has_value());
    const LoadReport report = h.generator.TakeReport();
    EXPECT(report.operations == 1);
    EXPECT(report.never_begun == 9);
  }

  TEST_CASE("errors are counted by class, and the load goes on") {
    Harness h(Writes(6, 1));
    h.Refuse(Code::kTimeout);
    h.Refuse(Code::kInvalidArgument);
    h.Refuse(Code::kTimeout);
    h.Answer();
    h.Disconnect();  // One in flight: its outcome is unknown.
    h.Pass(milliseconds(200));
    h.Connect();
    h.Answer();
    REQUIRE(h.world.exited().has_value());
    EXPECT(h.world.exited()->ok());
    const LoadReport report = h.generator.TakeReport();
    EXPECT(report.operations == 2);
    EXPECT(report.errors == 4);
    EXPECT(report.errors_by_class ==
           std::map<std::string, std::uint64_t>{{"InvalidArgument", 1}, {"Timeout", 3}});
    EXPECT(report.error_examples.at("Timeout") == "why");
    EXPECT(report.all_ns.count() == 2);
  }

  TEST_CASE("closed loop: after a refusal the slot rests a little") {
    for (const Code code : {Code::kUnavailable, Code::kOverloaded}) {
      Harness h(Writes(10, 2));
      EXPECT(h.Asked().size() == 2);
      h.Refuse(code);
      EXPECT(h.Asked().size() == 1);
      h.Answer();
      EXPECT(h.Asked().size() == 1);  // The other slot goes on.
      h.Pass(milliseconds(10));
      EXPECT(h.Asked().size() == 2);
    }
  }

  TEST_CASE("a stop lets what is in flight end, and begins nothing more") {
    Harness h(Writes(10, 2));
    h.generator.OnMail(nullptr);
    h.Answer();
    EXPECT(h.Asked().size() == 1);
    EXPECT(!h.world.exited().has_value());
    h.Answer();
    REQUIRE(h.world.exited().has_value());
    const LoadReport report = h.generator.TakeReport();
    EXPECT(report.interrupted);
    EXPECT(report.operations == 2);
  }

  TEST_CASE("a keyspace that does not exist ends it before it begins") {
    LoadOptions options = Writes(10, 1);
    options.keyspace = "nowhere";
    Harness h(options);
    REQUIRE(h.world.exited().has_value());
    EXPECT(h.world.exited()->code() == Code::kNotFound);
    EXPECT(h.world.exited()->message().find("'nowhere'") != std::string::npos);
  }

  TEST_CASE("progress is told once a second, with what happened since") {
    LoadOptions options = Writes(0, 1);
    options.duration = base::seconds(3);
    options.warmup = base::seconds(1);
    Harness h(options);
    for (int i = 0; i < 30; ++i) {
      h.Pass(milliseconds(100));
      h.Answer();
    }
    REQUIRE(h.progressed.size() >= 2);
    EXPECT(h.progressed[0].warming_up);
    EXPECT(!h.progressed[1].warming_up);
    EXPECT(h.progressed[1].operations == 10);
    EXPECT(h.progressed[1].at_seconds == doctest::Approx(2).epsilon(0.01));
  }

  TEST_CASE("a read-modify-write is a read, then a write of the same key, and one latency") {
    LoadOptions options = Writes(1, 1);
    options.mix.read_modify_write = true;
    Harness h(options);
    const auto get = wire::Decode<wire::GetRequest>(h.Asked().front().header);
    h.Pass(milliseconds(30));
    h.Answer("what was there");
    REQUIRE(h.Asked().size() == 1);
    const auto put = wire::Decode<wire::PutRequest>(h.Asked().front().header);
    REQUIRE(put.has_value());
    h.Pass(milliseconds(30));
    h.Answer();
    const LoadReport report = h.generator.TakeReport();
    EXPECT(report.by_type.at("read-modify-write").operations == 1);
    EXPECT(MaxMs(report) == doctest::Approx(60).epsilon(0.01));
  }

  TEST_CASE("history: each operation with its outcome, its id and its interval") {
    LoadOptions options = Writes(5, 1);
    options.keep_history = true;
    options.run = 0xab;
    Harness h(options);
    const std::string first = h.Asked().front().payload;
    EXPECT(first.size() == options.value_bytes);
    EXPECT((IdOf(first) >> kRunShift) == 0xab);
    h.Pass(milliseconds(20));
    h.Answer();
    const std::string second = h.Asked().front().payload;
    EXPECT(IdOf(second) != IdOf(first));
    for (const Code code : {Code::kTimeout, Code::kIo, Code::kOverloaded, Code::kUnavailable}) {
      h.Refuse(code);
      h.Pass(milliseconds(10));
    }
    REQUIRE(h.world.exited().has_value());
    const History history = h.generator.TakeReport().history;
    EXPECT(history.complete);
    EXPECT(history.head.run == 0xab);
    REQUIRE(history.events.size() == 5);
    EXPECT(history.events[0].outcome == Outcome::kOk);
    EXPECT(history.events[0].invoke_us == 0);
    EXPECT(history.events[0].return_us == 20'000);
    EXPECT(history.events[0].id == IdOf(first));
    EXPECT(history.events[0].record == 0);
    EXPECT(history.events[1].record == 1);
    EXPECT(history.events[1].invoke_us == 20'000);
    EXPECT(history.events[1].outcome == Outcome::kUnknown);
    EXPECT(history.events[2].outcome == Outcome::kUnknown);
    EXPECT(history.events[3].outcome == Outcome::kFailed);
    EXPECT(history.events[4].outcome == Outcome::kFailed);
  }

  TEST_CASE("history: a read says whose value it saw") {
    LoadOptions options = Reads(4, 1);
    options.keep_history = true;
    options.run = 0xab;
    Harness h(options);
    std::string own, other;
    WriteValueTo(std::uint64_t{0xab} << kRunShift | 7, 100, own);
    WriteValueTo(std::uint64_t{0xac} << kRunShift | 7, 100, other);
    h.Answer(own);
    h.Answer(other);
    h.Answer("a value of nobody's");
    h.Answer();
    const History history = h.generator.TakeReport().history;
    REQUIRE(history.events.size() == 4);
    EXPECT(history.events[0].id == IdOf(own));
    EXPECT(history.events[1].id == kForeign);
    EXPECT(history.events[2].id == kForeign);
    EXPECT(history.events[3].id == kNothing);
  }
}

}  // namespace
}  // namespace starling::stress
