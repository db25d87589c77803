// Goal:   what Prometheus reads is what was measured, in its text format.
// Method: small pages against their exact text.
#include "server/exposition.h"

#include <limits>

#include "tests/test.h"

namespace starling::server {
namespace {

using Type = Exposition::Type;

TEST_SUITE("server/exposition") {
  TEST_CASE("a family has its help and type once, then its samples") {
    Exposition out;
    out.Family("starling_members", Type::kGauge, "Members by state.");
    out.Sample(3, {{"state", "alive"}});
    out.Sample(0.25, {{"state", "dead"}, {"dc", "dc1"}});
    out.Counter("starling_puts_total", "Puts.", 18014398509481984.0);
    EXPECT(out.text() ==
           "# HELP starling_members Members by state.\n"
           "# TYPE starling_members gauge\n"
           "starling_members{state=\"alive\"} 3\n"
           "starling_members{state=\"dead\",dc=\"dc1\"} 0.25\n"
           "# HELP starling_puts_total Puts.\n"
           "# TYPE starling_puts_total counter\n"
           "starling_puts_total 1.8014398509481984e+16\n");
  }

  TEST_CASE("labels and help are escaped") {
    Exposition out;
    out.Family("a", Type::kGauge, "back\\slash and\nnewline");
    out.Sample(1, {{"name", "a\"b\\c\nd"}});
    EXPECT(out.text() ==
           "# HELP a back\\\\slash and\\nnewline\n"
           "# TYPE a gauge\n"
           "a{name=\"a\\\"b\\\\c\\nd\"} 1\n");
  }

  TEST_CASE("what is no number is left out") {
    Exposition out;
    out.Gauge("a", "Help.", std::numeric_limits<double>::quiet_NaN());
    out.Gauge("b", "Help.", std::numeric_limits<double>::infinity());
    EXPECT(out.text() == "# HELP a Help.\n# TYPE a gauge\n# HELP b Help.\n# TYPE b gauge\n");
  }

  TEST_CASE("a histogram is cumulative, in seconds, and ends with all of it") {
    base::Histogram times(3);
    for (const std::uint64_t us : {10, 63, 64, 100, 128, 20'000'000}) times.Record(us);
    Exposition out;
    out.Family("t_seconds", Type::kHistogram, "Times.");
    out.Histogram(times, {{"kind", "put"}});
    const auto has = [&](const std::string& line) {
      return out.text().find('\n' + line + '\n') != std::string::npos;
    };
    EXPECT(has("t_seconds_bucket{kind=\"put\",le=\"6.4e-05\"} 2"));
    EXPECT(has("t_seconds_bucket{kind=\"put\",le=\"0.000128\"} 4"));
    EXPECT(has("t_seconds_bucket{kind=\"put\",le=\"0.000256\"} 5"));
    EXPECT(has("t_seconds_bucket{kind=\"put\",le=\"8.388608\"} 5"));
    EXPECT(has("t_seconds_bucket{kind=\"put\",le=\"+Inf\"} 6"));
    EXPECT(has("t_seconds_sum{kind=\"put\"} 20.000365"));
    EXPECT(has("t_seconds_count{kind=\"put\"} 6"));
  }
}

}  // namespace
}  // namespace starling::server
