// Goal:   work is done on the lane and answered in order, and what would wait too long is refused.
// Method: works that note that they ran; the test plays the lane.
#include "server/admin_jobs.h"

#include <string>
#include <vector>

#include "tests/client/fake_world.h"
#include "tests/test.h"

namespace starling::server {
namespace {

TEST_SUITE("server/admin_jobs") {
  TEST_CASE("work is done on the lane, and whoever asked hears what it came to") {
    client::FakeWorld world;
    AdminJobs jobs(world);
    std::vector<std::string> answers;
    const auto then = [&](const base::Result<base::Json>& answer) {
      answers.push_back(answer ? answer->Text() : answer.error().message());
    };
    REQUIRE(jobs.Start([] { return base::Json{{"done", true}}; }, then).ok());
    REQUIRE(jobs.Start([] { return base::Fail(base::Io("no disk")); }, then).ok());
    EXPECT(answers.empty());
    while (!world.jobs().empty()) world.RunOldestJob();
    EXPECT(answers == std::vector<std::string>{R"({"done":true})", "no disk"});
  }

  TEST_CASE("one more than may wait is refused, and there is room again once one is done") {
    client::FakeWorld world;
    AdminJobs jobs(world);
    std::size_t done = 0;
    const auto start = [&] {
      return jobs.Start([] { return base::Json(); },
                        [&](const base::Result<base::Json>&) { ++done; });
    };
    for (std::size_t i = 0; i < AdminJobs::kJobsMax; ++i) REQUIRE(start().ok());
    EXPECT(start().code() == base::Code::kOverloaded);
    EXPECT(world.jobs().size() == AdminJobs::kJobsMax);
    world.RunOldestJob();
    EXPECT(done == 1);
    EXPECT(start().ok());
  }

  TEST_CASE("what is asked for by an answer has its place") {
    client::FakeWorld world;
    AdminJobs jobs(world);
    bool second = false;
    const auto started = jobs.Start([] { return base::Json(); },
                                    [&](const base::Result<base::Json>&) {
                                      for (std::size_t i = 0; i < AdminJobs::kJobsMax; ++i)
                                        second = jobs.Start([] { return base::Json(); },
                                                            [](const base::Result<base::Json>&) {})
                                                     .ok();
                                    });
    REQUIRE(started.ok());
    world.RunOldestJob();
    EXPECT(second);
  }
}

}  // namespace
}  // namespace starling::server
