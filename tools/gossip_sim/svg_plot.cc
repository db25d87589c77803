// tools/gossip_sim/svg_plot.cc: places, and the elements that go there.
#include "tools/gossip_sim/svg_plot.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "base/check.h"

namespace starling::gossip_sim::svg {
namespace {

constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};

constexpr double kPanelWidth = 480, kHeight = 430;
constexpr double kLeft = 64, kRight = 20, kTop = 118, kBottom = 56;  // Around the plot in a panel.
constexpr double kPlotWidth = kPanelWidth - kLeft - kRight;
constexpr double kPlotHeight = kHeight - kTop - kBottom;
constexpr int kTicksMax = 8;
constexpr double kBarShare = 0.8;         // Of the room that a bar has.
constexpr double kHeadroom = 1.05;        // Above the highest value.
constexpr double kLegendCharacter = 6.3;  // Width, about.
constexpr std::size_t kMarkedPointsMax = 40;

constexpr char kStyle[] =
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    "fill:#333}"
    ".title{font-size:18px;font-weight:600;fill:#111}.subtitle{font-size:12.5px;fill:#666}"
    ".panel{font-size:13.5px;font-weight:600}.label{font-size:12px;fill:#444}"
    ".tick{font-size:11px;fill:#555}.grid{stroke:#e8e8e8}.axis{stroke:#555}"
    ".middle{text-anchor:middle}.end{text-anchor:end}";

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else
      escaped += c;
  }
  return escaped;
}

class PanelDrawing {
 public:
  PanelDrawing(const Panel& panel, double left) : panel_(panel), left_(left + kLeft) {
    for (const Line& line : panel.lines) {
      for (const Point& point : line.points) Reach(point.x, point.y);
    }
    for (const Band& band : panel.bands) {
      for (const Band::Slice& slice : band.slices) Reach(slice.x, slice.high);
    }
    for (const Bars& bars : panel.bars) {
      for (const Point& bar : bars.points) Reach(bar.x + 0.5, bar.y);
    }
    if (x_end_ <= 0) x_end_ = 1;
    if (y_end_ <= 0) y_end_ = 1;
    const bool whole = panel.y_unit == Unit::kPercent && y_end_ > 0.9;
    y_end_ = whole ? 1 : y_end_ * kHeadroom;
  }

  std::string Draw() {
    Text("panel", left_, kTop - 36, panel_.title);
    DrawGrid();
    DrawLegend();
    for (std::size_t i = 0; i < panel_.bands.size(); ++i) DrawBand(panel_.bands[i], i);
    for (std::size_t i = 0; i < panel_.bars.size(); ++i) DrawBars(panel_.bars[i], i);
    for (std::size_t i = 0; i < panel_.lines.size(); ++i) DrawLine(panel_.lines[i], i);
    DrawAxes();
    return std::move(out_);
  }

 private:
  void Reach(double x, double y) {
    x_end_ = std::max(x_end_, x);
    y_end_ = std::max(y_end_, y);
  }

  double X(double x) const { return left_ + x / x_end_ * kPlotWidth; }
  double Y(double y) const { return kTop + (1 - y / y_end_) * kPlotHeight; }

  template <typename... Values>
  void Put(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Values>(values)...);
  }
  void Text(std::string_view style, double x, double y, std::string_view text) {
    Put("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", style, x, y, Escape(text));
  }

  void DrawGrid() {
    const double y_step = TickStep(y_end_, kTicksMax);
    for (double y = 0; y <= y_end_ * (1 + 1e-9); y += y_step) {
      Put("<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", left_,
          Y(y), left_ + kPlotWidth, Y(y));
      Text("tick end", left_ - 8, Y(y) + 4, YTick(y));
    }
  }

  // Short, since there is room for six characters.
  std::string YTick(double y) const {
    if (panel_.y_unit == Unit::kPercent) return fmt::format("{:.4g} %", 100 * y);
    if (y >= 1e6) return fmt::format("{:.4g} M", y / 1e6);
    if (y >= 1e4) return fmt::format("{:.4g} k", y / 1e3);
    return fmt::format("{:.6g}", y);
  }

  void DrawAxes() {
    const double bottom = kTop + kPlotHeight;
    Put("<path class=\"axis\" fill=\"none\" d=\"M{0:.1f} {1:.1f}V{2:.1f}H{3:.1f}\"/>\n", left_,
        kTop, bottom, left_ + kPlotWidth);
    const double x_step = std::max(1.0, TickStep(x_end_, kTicksMax));  // Rounds are whole.
    for (double x = 0; x <= x_end_ * (1 + 1e-9); x += x_step) {
      Put("<line class=\"axis\" x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\"/>\n",
          X(x), bottom, bottom + 5);
      Text("tick middle", X(x), bottom + 19, fmt::format("{:.6g}", x));
    }
    Text("label middle", left_ + kPlotWidth / 2, kHeight - 16, panel_.x_axis);
    const double middle = kTop + kPlotHeight / 2;
    Put("<text class=\"label middle\" transform=\"translate({:.1f} {:.1f}) "
        "rotate(-90)\">{}</text>\n",
        left_ - 48, middle, Escape(panel_.y_axis));
  }

  // Above the plot, so that it never covers anything.
  void DrawLegend() {
    double x = left_;
    const double y = kTop - 16;
    const auto name = [&](std::string_view text) {
      Text("label", x + 24, y + 4, text);
      x += 24 + kLegendCharacter * static_cast<double>(text.size()) + 20;
    };
    for (std::size_t i = 0; i < panel_.lines.size(); ++i) {
      Put("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
          "stroke-width=\"2.5\"/>\n",
          x, y, x + 18, y, Colour(i));
      name(panel_.lines[i].name);
    }
    const auto box = [&](std::size_t colour, double opacity) {
      Put("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"18\" height=\"10\" fill=\"{}\" "
          "fill-opacity=\"{}\"/>\n",
          x, y - 5, Colour(colour), opacity);
    };
    for (std::size_t i = 0; i < panel_.bands.size(); ++i) {
      box(i, kBandOpacity);
      name(panel_.bands[i].name);
    }
    for (std::size_t i = 0; i < panel_.bars.size(); ++i) {
      box(i, kBarOpacity);
      name(panel_.bars[i].name);
    }
  }

  void DrawBand(const Band& band, std::size_t colour) {
    std::string points;
    for (const Band::Slice& slice : band.slices)
      points += fmt::format("{:.1f},{:.1f} ", X(slice.x), Y(slice.high));
    for (auto slice = band.slices.rbegin(); slice != band.slices.rend(); ++slice)
      points += fmt::format("{:.1f},{:.1f} ", X(slice->x), Y(slice->low));
    Put("<polygon fill=\"{}\" fill-opacity=\"{}\" points=\"{}\"/>\n", Colour(colour), kBandOpacity,
        points);
  }

  void DrawBars(const Bars& bars, std::size_t colour) {
    const double width = kBarShare * kPlotWidth / x_end_;
    for (const Point& bar : bars.points) {
      Put("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
          "fill-opacity=\"{}\"><title>{:.6g}: {}</title></rect>\n",
          X(bar.x) - width / 2, Y(bar.y), width, Y(0) - Y(bar.y), Colour(colour), kBarOpacity,
          bar.x, YTick(bar.y));
    }
  }

  void DrawLine(const Line& line, std::size_t colour) {
    std::string points;
    for (const Point& point : line.points)
      points += fmt::format("{:.1f},{:.1f} ", X(point.x), Y(point.y));
    Put("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2.2\" stroke-linejoin=\"round\" "
        "points=\"{}\"/>\n",
        Colour(colour), points);
    if (line.points.size() > kMarkedPointsMax) return;
    for (const Point& point : line.points) {
      Put("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{:.6g}: {}</title>"
          "</circle>\n",
          X(point.x), Y(point.y), Colour(colour), point.x, YTick(point.y));
    }
  }

  static const char* Colour(std::size_t index) { return kColours[index % kColours.size()]; }

  static constexpr double kBandOpacity = 0.2, kBarOpacity = 0.85;

  const Panel& panel_;
  double left_;  // Of the plot.
  double x_end_ = 0, y_end_ = 0;
  std::string out_;
};

}  // namespace

double TickStep(double end, int count) {
  CHECK(end > 0);
  CHECK(count > 0);
  const double least = end / count;
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string Draw(std::string_view title, std::string_view subtitle,
                 const std::vector<Panel>& panels) {
  const double width = kPanelWidth * static_cast<double>(panels.size());
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" role=\"img\">\n<title>{2}</title>\n<style>{3}</style>\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n"
      "<text class=\"title\" x=\"24\" y=\"32\">{2}</text>\n"
      "<text class=\"subtitle\" x=\"24\" y=\"53\">{4}</text>\n",
      width, kHeight, Escape(title), kStyle, Escape(subtitle));
  for (std::size_t i = 0; i < panels.size(); ++i)
    out += PanelDrawing(panels[i], kPanelWidth * static_cast<double>(i)).Draw();
  return out + "</svg>\n";
}

}  // namespace starling::gossip_sim::svg
