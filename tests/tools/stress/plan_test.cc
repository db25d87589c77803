// Goal:   what is typed means what the help says, and what makes no sense is refused by its flag.
//
// Method: command lines, parsed and planned; nothing is contacted.
#include "tools/stress/plan.h"

#include <sstream>

#include "tests/test.h"

namespace starling::stress {
namespace {

base::Result<Request> Parse(const std::string& line) {
  std::istringstream words(line);
  return ParseFlags({std::istream_iterator<std::string>(words), {}});
}

base::Result<Plan> PlanOf(const std::string& line) {
  ASSIGN_OR_RETURN(const Request request, Parse(line));
  return PlanLoad(request.command, request.options);
}

// Both steps, for verify too; the message of whichever refuses it.
std::string WhyRefused(const std::string& line) {
  const auto request = Parse(line);
  if (!request) return request.error().message();
  if (request->command == Command::kVerify) {
    const auto target = PlanTarget(request->options);
    return target ? "" : target.error().message();
  }
  const auto plan = PlanLoad(request->command, request->options);
  return plan ? "" : plan.error().message();
}

TEST_SUITE("stress/plan") {
  TEST_CASE("every flag of the manual is taken, by load and by run") {
    const std::string all =
        " --hosts 127.0.0.1:7701,127.0.0.2:7801 --workload mixed:30 --records 5000 --operations "
        "4000 --duration 20s --distribution sequential --value-size 64 --connections 3 --in-flight "
        "5 --rate 1000 --consistency ONE --warmup 5s --json a.json --check --history h --seed 7 "
        "--timeout 2s --keyspace k";
    for (const char* command : {"load", "run"}) {
      const auto plan = PlanOf(command + all);
      REQUIRE(plan.has_value());
      EXPECT(plan->target.hosts.size() == 2);
      EXPECT(plan->target.hosts[1].port == 7801);
      EXPECT(plan->target.timeout == base::seconds(2));
      EXPECT(plan->load.keyspace == "k");
      EXPECT(plan->load.records == 5000);
      EXPECT(plan->load.value_bytes == 64);
      EXPECT(plan->load.slots == 15);
      EXPECT(plan->load.rate == 1000);
      EXPECT(plan->load.level == wire::Consistency::kOne);
      EXPECT(plan->load.duration == base::seconds(20));
      EXPECT(plan->load.warmup == base::seconds(5));
      EXPECT(plan->load.distribution == Distribution::kSequential);
      EXPECT(plan->load.seed == 7);
      EXPECT(plan->load.keep_history);
    }
  }

  TEST_CASE("load writes every record once, whatever else is said") {
    const auto plan = PlanOf("load --workload c --records 700 --check");
    REQUIRE(plan.has_value());
    EXPECT(plan->load.issues_max == 700);
    EXPECT(plan->load.duration == base::Duration{0});
    EXPECT(plan->load.mix.reads == 0);
    EXPECT(plan->load.deletes == 0);
    EXPECT(plan->load.distribution == Distribution::kSequential);
    EXPECT(PlanOf("load --records 700 --operations 10")->load.issues_max == 10);
  }

  TEST_CASE("run goes on for 30 s unless told otherwise") {
    EXPECT(PlanOf("run")->load.duration == base::seconds(30));
    EXPECT(PlanOf("run")->load.operations == 0);
    EXPECT(PlanOf("run --operations 10")->load.duration == base::Duration{0});
    EXPECT(PlanOf("run --operations 10")->load.operations == 10);
    EXPECT(PlanOf("run --operations 10 --duration 1m")->load.duration == base::seconds(60));
  }

  TEST_CASE(
      "YCSB's workloads are zipfian by themselves, others uniform; deletes come with --check") {
    EXPECT(PlanOf("run")->load.distribution == Distribution::kZipfian);
    EXPECT(PlanOf("run --workload f")->load.distribution == Distribution::kZipfian);
    EXPECT(PlanOf("run --workload write")->load.distribution == Distribution::kUniform);
    EXPECT(PlanOf("run --workload a --distribution uniform")->load.distribution ==
           Distribution::kUniform);
    EXPECT(PlanOf("run")->load.deletes == 0);
    EXPECT(PlanOf("run --check")->load.deletes == doctest::Approx(0.05));
    EXPECT(PlanOf("run --check --deletes 0")->load.deletes == 0);
    EXPECT(PlanOf("run --deletes 20")->load.deletes == doctest::Approx(0.2));
  }

  TEST_CASE("two loads can be told apart by their values") {
    const auto plan = PlanOf("run --seed 1");
    EXPECT(plan->load.run >= 1);
    EXPECT(plan->load.run <= kRunMax);
    int same = 0;
    for (int i = 0; i < 5; ++i) same += PlanOf("run --seed 1")->load.run == plan->load.run ? 1 : 0;
    EXPECT(same < 5);
  }

  TEST_CASE("what is wrong is refused, and the flag is named") {
    const std::vector<std::pair<std::string, std::string>> lines = {
        {"", "subcommand"},
        {"fly", "fly"},
        {"load run", "run"},
        {"run extra", "extra"},
        {"run --speed 9", "--speed"},
        {"load --speed 9", "--speed"},
        {"run --workload", "--workload"},
        {"run --workload d", "--workload"},
        {"load --workload d", "--workload"},
        {"run --workload mixed:101", "--workload"},
        {"run --records 0", "--records"},
        {"run --records -5", "--records"},
        {"run --records many", "--records"},
        {"run --records 2000000001", "--records"},
        {"run --operations 0", "--operations"},
        {"run --operations 1.5", "--operations"},
        {"load --records 5 --operations 6", "--operations"},
        {"run --duration 30", "--duration"},
        {"run --duration 0s", "--duration"},
        {"run --duration soon", "--duration"},
        {"run --duration -1s", "--duration"},
        {"run --distribution zipf", "--distribution"},
        {"load --distribution uniform", "--distribution"},
        {"run --value-size 16777217", "--value-size"},
        {"run --value-size big", "--value-size"},
        {"run --check --value-size 15", "--value-size"},
        {"run --history h --value-size 15", "--value-size"},
        {"run --connections 0", "--connections"},
        {"run --connections 5000", "--connections"},
        {"run --in-flight 0", "--in-flight"},
        {"run --rate 0", "--rate"},
        {"run --rate -1", "--rate"},
        {"run --rate nan", "--rate"},
        {"run --rate fast", "--rate"},
        {"run --consistency SOME", "--consistency"},
        {"run --warmup 5", "--warmup"},
        {"run --deletes 101", "--deletes"},
        {"load --deletes 5", "--deletes"},
        {"run --timeout 0s", "--timeout"},
        {"run --hosts :7701", "--hosts"},
        {"run --hosts 127.0.0.1:0", "--hosts"},
        {"run --hosts 127.0.0.1:99999", "--hosts"},
        {"run --hosts 127.0.0.1,", "--hosts"},
        {"run --check=perhaps", "--check"},
        {"run --seed x", "--seed"},
        {"verify", "--history"},
        {"verify --history h --records 5", "--records"},
        {"verify --history h --hosts 1.2.3.4:x", "--hosts"},
        {"verify --history h --timeout never", "--timeout"}};
    for (const auto& wrong : lines) {
      const std::string why = WhyRefused(wrong.first);
      DOCTEST_CAPTURE(wrong.first);
      DOCTEST_CAPTURE(why);
      EXPECT(why.find(wrong.second) != std::string::npos);
      EXPECT(why.find('\n') == std::string::npos);
    }
  }

  TEST_CASE("what is right is not refused") {
    for (const char* line : {"load", "run", "run --value-size 0", "run --check --value-size 16",
                             "run --rate 0.5", "run --workload mixed:0", "run --consistency quorum",
                             "verify --history h", "verify --history h --hosts 127.0.0.1:7701"})
      EXPECT(WhyRefused(line) == "");
  }

  TEST_CASE("what the user may not have meant is remarked upon") {
    EXPECT(PlanOf("run --check")->remarks.empty());
    EXPECT(PlanOf("run --check --consistency ONE")->remarks.size() == 1);
    EXPECT(PlanOf("run --check --workload write")->remarks.size() == 1);
  }

  TEST_CASE("help is no failure, and names the commands and their flags") {
    const auto help = Parse("--help");
    REQUIRE(help.has_value());
    EXPECT(help->command == Command::kHelp);
    for (const char* command : {"load", "run", "verify"})
      EXPECT(help->help.find(command) != std::string::npos);
    const auto run = Parse("run --help");
    REQUIRE(run.has_value());
    EXPECT(run->command == Command::kHelp);
    EXPECT(run->help.find("--in-flight") != std::string::npos);
  }
}

}  // namespace
}  // namespace starling::stress
