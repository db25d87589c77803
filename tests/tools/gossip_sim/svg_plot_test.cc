// Goal:   plots are well-formed, their values at the right places, their ticks round.
// Method: small charts, looked at as text.
#include "tools/gossip_sim/svg_plot.h"

#include "tests/test.h"

namespace starling::gossip_sim::svg {
namespace {

bool Has(const std::string& text, std::string_view what) {
  return text.find(what) != std::string::npos;
}

TEST_SUITE("tools/gossip_sim/svg_plot") {
  TEST_CASE("ticks are 1, 2 or 5 times a power of ten apart, and not too many") {
    EXPECT(TickStep(1, 8) == doctest::Approx(0.2));
    EXPECT(TickStep(8, 8) == doctest::Approx(1));
    EXPECT(TickStep(12, 8) == doctest::Approx(2));
    EXPECT(TickStep(33, 8) == doctest::Approx(5));
    EXPECT(TickStep(41, 8) == doctest::Approx(10));
    EXPECT(TickStep(100'000, 8) == doctest::Approx(20'000));
    EXPECT(TickStep(0.03, 8) == doctest::Approx(0.005));
    for (double end = 0.001; end < 1e7; end *= 1.37) EXPECT(end / TickStep(end, 8) <= 8.001);
  }

  TEST_CASE("a line goes from corner to corner, and shares are axes to 100 %") {
    Panel panel{.title = "T", .x_axis = "x", .y_axis = "y", .y_unit = Unit::kPercent};
    panel.lines.push_back({.name = "line", .points = {{0, 0}, {10, 1}}});
    const std::string svg = Draw("Title", "below", {panel});
    EXPECT(Has(svg, "points=\"64.0,374.0 460.0,118.0 \""));
    EXPECT(Has(svg, ">0 %</text>"));
    EXPECT(Has(svg, ">100 %</text>"));
    EXPECT(Has(svg, ">10</text>"));
    EXPECT(Has(svg, ">line</text>"));
  }

  TEST_CASE("a second panel is to the right of the first") {
    Panel panel{.title = "T", .x_axis = "x", .y_axis = "y"};
    panel.bars.push_back({.name = "bars", .points = {{1, 5}, {2, 10}}});
    const std::string svg = Draw("Title", "below", {panel, panel});
    EXPECT(Has(svg, "width=\"960\" height=\"430\""));
    EXPECT(Has(svg, "x=\"64.0\" y=\"82.0\">T<"));
    EXPECT(Has(svg, "x=\"544.0\" y=\"82.0\">T<"));
  }

  TEST_CASE("large values have short ticks") {
    Panel panel{.title = "T", .x_axis = "x", .y_axis = "y"};
    panel.bars.push_back({.name = "bars", .points = {{1, 190'000}}});
    EXPECT(Has(Draw("Title", "", {panel}), ">150 k</text>"));
    panel.bars[0].points[0].y = 3'900'000;
    EXPECT(Has(Draw("Title", "", {panel}), ">4 M</text>"));
  }

  TEST_CASE("a chart of nothing, and of zeros, is drawn with finite numbers") {
    Panel empty{.title = "T", .x_axis = "x", .y_axis = "y"};
    Panel zeros = empty;
    zeros.lines.push_back({.name = "zero", .points = {{0, 0}}});
    const std::string svg = Draw("Title", "", {empty, zeros});
    EXPECT(!Has(svg, "nan"));
    EXPECT(!Has(svg, "inf"));
  }

  TEST_CASE("text is text, whatever is in it") {
    Panel panel{.title = "a < b & c", .x_axis = "x", .y_axis = "<y>"};
    const std::string svg = Draw("<script>", "&", {panel});
    EXPECT(Has(svg, "a &lt; b &amp; c"));
    EXPECT(Has(svg, "&lt;y&gt;"));
    EXPECT(!Has(svg, "<script>"));
  }
}

}  // namespace
}  // namespace starling::gossip_sim::svg
