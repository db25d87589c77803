// Goal:   nothing is proved unless every owner reported the same, in the round's epoch.
// Method: rounds with reports at random, missing, twice, of another epoch; what travels, cut short.
#include "server/purge/round.h"

#include <algorithm>

#include "base/random.h"
#include "tests/test.h"

namespace starling::server::purge {
namespace {

merkle::Digest Of(std::uint64_t number) { return {number, number * 3, number * 7}; }

Plan ThreeOwners() {
  return {.keyspace = 1, .epoch = 5, .horizon = 900, .owners = {1, 2, 3}, .buckets = {10, 20, 30}};
}

Report Same() { return {5, {Of(1), Of(2), Of(3)}}; }

OwnerFacts Good() {
  return {.epoch = 5,
          .ready = true,
          .enabled = true,
          .syncs_all = true,
          .wall_ms = 10'000,
          .write_timeout_ms = 2000};
}

TEST_SUITE("server/purge/round") {
  TEST_CASE("V5: nothing is proved before every owner has reported") {
    Round round(ThreeOwners());
    round.OnReport(1, Same());
    round.OnReport(2, Same());
    round.OnReport(2, Same());
    round.OnReport(9, Same());  // No owner.
    EXPECT(!round.over());
    EXPECT(round.Proved().empty());
    round.OnReport(3, Same());
    EXPECT(round.over());
    EXPECT(round.Proved() == std::vector<std::uint16_t>{10, 20, 30});
  }

  TEST_CASE("V1: a bucket of which one report differs is not proved, the others are") {
    Round round(ThreeOwners());
    round.OnReport(1, Same());
    round.OnReport(2, {5, {Of(1), Of(99), Of(3)}});
    round.OnReport(3, Same());
    EXPECT(round.Proved() == std::vector<std::uint16_t>{10, 30});
  }

  TEST_CASE("an owner that refuses, is in another epoch or reports too little ends the round") {
    const auto play = [](auto&& last) {
      Round round(ThreeOwners());
      round.OnReport(1, Same());
      round.OnReport(2, Same());
      last(round);
      EXPECT(round.over());
      EXPECT(round.blocked_by() == 3);
      EXPECT(!round.reason().empty());
      EXPECT(round.Proved().empty());
      round.OnReport(3, Same());  // Too late.
      EXPECT(round.Proved().empty());
    };
    play([](Round& round) { round.OnRefused(3, "it is down"); });
    play([](Round& round) { round.OnReport(3, {4, {Of(1), Of(2), Of(3)}}); });
    play([](Round& round) { round.OnReport(3, {5, {Of(1), Of(2)}}); });
  }

  TEST_CASE("what is proved is what all reported alike, whatever the reports") {
    base::Random random(17);
    for (int i = 0; i < 500; ++i) {
      Plan plan = ThreeOwners();
      std::vector<Report> reports(3, Report{5, {}});
      std::vector<std::uint16_t> expected;
      for (const std::uint16_t bucket : plan.buckets) {
        for (Report& report : reports) report.digests.push_back(Of(random.Below(2)));
        const merkle::Digest& first = reports[0].digests.back();
        if (std::all_of(reports.begin(), reports.end(),
                        [&](const Report& each) { return each.digests.back() == first; }))
          expected.push_back(bucket);
      }
      Round round(plan);
      for (std::size_t owner = 0; owner < 3; ++owner)
        round.OnReport(plan.owners[owner], reports[owner]);
      EXPECT(round.Proved() == expected);
    }
  }

  TEST_CASE("V3, V8: an owner takes part only in the round's own epoch, and only if it is ready") {
    const Request request{Step::kCommit, 5, 1, (5000ULL << 16) - 1, {10}};
    EXPECT(MayTakePart(Good(), request).ok());
    OwnerFacts facts = Good();
    facts.epoch = 6;
    EXPECT(!MayTakePart(facts, request).ok());
    facts = Good();
    facts.ready = false;
    EXPECT(!MayTakePart(facts, request).ok());
    facts = Good();
    facts.enabled = false;
    EXPECT(!MayTakePart(facts, request).ok());
  }

  TEST_CASE("V10: who does not sync what it says takes no part") {
    OwnerFacts facts = Good();
    facts.syncs_all = false;
    EXPECT(!MayTakePart(facts, {Step::kProve, 5, 1, (5000ULL << 16) - 1, {10}}).ok());
  }

  TEST_CASE("a horizon that writes under way may be older than is refused") {
    EXPECT(MayTakePart(Good(), {Step::kProve, 5, 1, 8000ULL << 16, {10}}).ok());
    EXPECT(!MayTakePart(Good(), {Step::kProve, 5, 1, 8001ULL << 16, {10}}).ok());
  }

  TEST_CASE("requests and reports travel whole, or are refused") {
    const Request request{Step::kProve, 5, 1, 77, {10, 65535}};
    const std::string sent = EncodeRequest(request);
    const auto read = DecodeRequest(sent);
    REQUIRE(read.has_value());
    EXPECT(read->step == Step::kProve);
    EXPECT(read->epoch == 5);
    EXPECT(read->keyspace == 1);
    EXPECT(read->horizon == 77);
    EXPECT(read->buckets == request.buckets);
    for (std::size_t size = 0; size < sent.size(); ++size)
      EXPECT(!DecodeRequest(sent.substr(0, size)).has_value());
    EXPECT(!DecodeRequest('\x09' + sent.substr(1)).has_value());
    const std::string report = EncodeReport(Same());
    const auto told = DecodeReport(report);
    REQUIRE(told.has_value());
    EXPECT(told->epoch == 5);
    EXPECT(told->digests == Same().digests);
    for (std::size_t size = 0; size < report.size(); ++size)
      EXPECT(!DecodeReport(report.substr(0, size)).has_value());
  }
}

}  // namespace
}  // namespace starling::server::purge
