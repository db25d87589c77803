// tools/gossip_sim/svg_plot.h: charts that a browser shows: one or more panels side by side.
//
//   svg::Panel panel{.title = "Spread", .x_axis = "rounds", .y_axis = "nodes that know",
//                    .y_unit = svg::Unit::kPercent};
//   panel.lines.push_back({.name = "mean", .points = {{0, 0.02}, {1, 0.06}}});
//   file << svg::Draw("A rumor", "50 nodes", {panel});
//
// Axes begin at 0. Colours are Okabe and Ito's, which the colour-blind can tell apart.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace starling::gossip_sim::svg {

enum class Unit : std::uint8_t {
  kPlain,
  kPercent,  // Values are shares: 1 is 100 %.
};

struct Point {
  double x = 0, y = 0;
};
struct Line {
  std::string name;
  std::vector<Point> points{};
};
struct Band {
  struct Slice {
    double x = 0, low = 0, high = 0;
  };
  std::string name;
  std::vector<Slice> slices{};
};
// One a whole number of x.
struct Bars {
  std::string name;
  std::vector<Point> points{};
};

struct Panel {
  std::string title, x_axis, y_axis;
  Unit y_unit = Unit::kPlain;
  std::vector<Band> bands{};  // Drawn first.
  std::vector<Bars> bars{};
  std::vector<Line> lines{};
};

std::string Draw(std::string_view title, std::string_view subtitle,
                 const std::vector<Panel>& panels);

// The distance of ticks on an axis from 0 to `end`: 1, 2 or 5 times a power of ten, so that there
// are at most `count` of them above 0. REQUIRES: end > 0.
double TickStep(double end, int count);

}  // namespace starling::gossip_sim::svg
