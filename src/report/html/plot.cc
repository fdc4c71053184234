#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/strings.h"
#include "report/escape.h"
#include "report/html/parts.h"
#include "report/numbers.h"

namespace assay {
namespace {

constexpr double kWidth = 380, kHeight = 270, kLeft = 46, kRight = 372, kTop = 18, kBottom = 234;

struct Point {
  std::string name;
  double x = 0, y = 0;
  bool has_range = false;
  double low = 0, high = 0;
  std::string_view ink;  // class of its colour; empty: the baseline
};

/// A round step that cuts `span` into about `parts`.
double NiceStep(double span, int parts) {
  const double raw = span / parts, power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 2.5, 5.0, 10.0})
    if (raw <= factor * power * (1 + 1e-9)) return factor * power;
  return 10 * power;
}

struct Axis {
  double low = 0, high = 1, from = 0, to = 1;  // data range, pixels
  bool logarithmic = false;
  double At(double value) const {
    const double part = logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + std::clamp(part, -0.02, 1.02) * (to - from);
  }
  std::vector<double> Ticks() const {
    std::vector<double> ticks;
    if (logarithmic) {
      for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10)
        for (double factor : {1.0, 2.0, 5.0})
          if (factor * power >= low * 0.999 && factor * power <= high * 1.001) ticks.push_back(factor * power);
      if (ticks.size() < 2) return {low, high};
      // Labels need room: powers of ten alone, and of those as many as have it.
      constexpr size_t kMostTicks = 8;
      if (ticks.size() > kMostTicks)
        std::erase_if(ticks, [](double tick) { return std::abs(std::remainder(std::log10(tick), 1)) > 1e-6; });
      for (size_t each = ticks.size() / kMostTicks + 1, i = ticks.size(); each > 1 && i-- > 0;)
        if (i % each) ticks.erase(ticks.begin() + static_cast<std::ptrdiff_t>(i));
      return ticks;
    }
    const double step = NiceStep(high - low, 4);
    for (double tick = std::ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step)
      ticks.push_back(std::abs(tick) < step * 1e-6 ? 0 : tick);
    return ticks;
  }
};

std::string Number(double value) {
  return fmt::format("{:g}", std::round(value * 1e6) / 1e6);
}

/// Marks differ in shape as well as colour: circle holds, cross cracks, diamond can't tell.
std::string MarkSvg(const Point& point, double x, double y) {
  if (point.ink.empty()) return fmt::format("<circle class=\"hollow\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"/>", x, y);
  if (point.ink == "holds")
    return fmt::format("<circle class=\"ink holds\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"/>", x, y);
  if (point.ink == "cracks")
    return fmt::format(
        "<path class=\"ink cracks\" stroke-width=\"2.6\" stroke-linecap=\"round\" d=\"M{:.1f} {:.1f}l8 8m0 -8l-8 8\"/>",
        x - 4, y - 4);
  return fmt::format("<path class=\"ink {}\" d=\"M{:.1f} {:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z\"/>", point.ink, x,
                     y - 5.5);
}

struct Box {
  double left, top, right, bottom;
  bool Meets(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

/// Where a name may stand around its point; far ones are led to it by a line.
struct Place {
  double dx, dy;
  const char* anchor;
  bool far = false;
};

std::vector<Place> Places() {
  std::vector<Place> places = {{9, 4, "start"},  {-9, 4, "end"},  {0, -10, "middle"}, {0, 19, "middle"},
                               {8, -8, "start"}, {-8, -8, "end"}, {8, 17, "start"},   {-8, 17, "end"}};
  constexpr int kAngles = 16;
  for (int radius = 22; radius <= 150; radius += 8)
    for (int i = 0; i < kAngles; ++i) {
      const double angle = 2 * std::numbers::pi * i / kAngles;
      const double dx = radius * std::cos(angle), dy = radius * std::sin(angle);
      places.push_back({dx, dy + 4, std::abs(dx) < 1 ? "middle" : dx > 0 ? "start" : "end", true});
    }
  return places;
}

/// Names beside their points, each at the first place around its point where it meets no mark, no other name and, if
/// there is such a place, no whisker.
std::string NamesSvg(const std::vector<Point>& points, const Axis& x_axis, const Axis& y_axis) {
  std::vector<Box> taken, whiskers;
  for (const Point& point : points) {
    const double x = x_axis.At(point.x), y = y_axis.At(point.y);
    taken.push_back({x - 6, y - 6, x + 6, y + 6});
    if (point.has_range)
      whiskers.push_back(
          {x - 1, y_axis.At(std::min(y_axis.high, point.high)), x + 1, y_axis.At(std::max(y_axis.low, point.low))});
  }
  static const std::vector<Place> places = Places();
  std::string out;
  for (const Point& point : points) {
    const std::string name = TerminalText(point.name, 14);
    const double x = x_axis.At(point.x), y = y_axis.At(point.y), width = 7.8 * static_cast<double>(ColumnCount(name));
    auto free = [&](const Place& place, Box& box, bool of_whiskers) {
      const std::string_view anchor = place.anchor;
      const double left = x + place.dx - (anchor == "start" ? 0 : anchor == "end" ? width : width / 2);
      box = {left, y + place.dy - 11, left + width, y + place.dy + 3};
      const auto meets = [&](const Box& other) { return box.Meets(other); };
      return box.left >= kLeft - 4 && box.right <= kWidth && box.top >= 2 && box.bottom <= kBottom - 1 &&
             std::none_of(taken.begin(), taken.end(), meets) &&
             (!of_whiskers || std::none_of(whiskers.begin(), whiskers.end(), meets));
    };
    // A line that passes another mark would name that one.
    auto clear = [&](const Place& place) {
      return std::none_of(points.begin(), points.end(), [&](const Point& other) {
        const double ox = x_axis.At(other.x) - x, oy = y_axis.At(other.y) - y;
        const double length = place.dx * place.dx + place.dy * place.dy;
        const double along = std::clamp((ox * place.dx + oy * place.dy) / length, 0.0, 1.0);
        return &other != &point && std::hypot(ox - along * place.dx, oy - along * place.dy) < 7;
      });
    };
    Box box{};
    auto place = places.end();
    for (bool far : {false, true})
      for (bool of_whiskers : {true, false})
        if (place == places.end())
          place = std::find_if(places.begin(), places.end(), [&](const Place& p) {
            return p.far == far && free(p, box, of_whiskers) && (!far || clear(p));
          });
    if (place == places.end()) continue;  // over a hundred of them: the table names it
    taken.push_back(box);
    if (place->far)
      out += fmt::format("<line class=\"lead-line\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", x, y,
                         x + place->dx, y + place->dy - 4);
    out += fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>", x + place->dx,
                       y + place->dy, place->anchor, EscapeHtml(name));
  }
  return out;
}

struct Panel {
  std::string title, subtitle, label;
  std::vector<Point> points;  // the baseline first
  bool share = false;         // y is a share, shown as percent from 0 to 100
  bool gib = false;
};

Axis SizeAxis(const Panel& panel) {
  Axis axis{0, 1, kLeft, kRight, false};
  for (const Point& point : panel.points) axis.high = std::max(axis.high, point.x);
  double most = 0;
  for (const Point& point : panel.points) most = std::max(most, point.x);
  axis.high = most * 1.04;
  return axis;
}

Axis ValueAxis(const Panel& panel) {
  Axis axis{0, 1, kBottom, kTop, false};
  if (panel.share) {
    double least = 1;
    for (const Point& point : panel.points)
      least = std::min(least, point.has_range ? std::min(point.low, point.y) : point.y);
    axis.low = least > 0.62 ? 0.5 : 0;
    axis.high = 1.0;
    return axis;
  }
  double least = HUGE_VAL, most = 0;
  for (const Point& point : panel.points) {
    least = std::min(least, point.y);
    most = std::max(most, point.y);
  }
  axis.logarithmic = least > 0 && most / least > 4;
  if (axis.logarithmic) {
    axis.low = least / 1.15;
    axis.high = most * 1.15;
  } else {
    const double pad = std::max((most - least) * 0.12, most * 0.01);
    axis.low = std::max(0.0, least - pad);
    axis.high = most + pad;
  }
  return axis;
}

std::string PanelHtml(const Panel& panel) {
  const Axis x_axis = SizeAxis(panel), y_axis = ValueAxis(panel);
  std::string svg = fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">", kWidth, kHeight,
                                EscapeHtml(panel.label));
  for (double tick : y_axis.Ticks()) {
    const double y = y_axis.At(tick);
    svg += fmt::format(
        "<line class=\"gridline\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}</text>",
        kLeft, kRight, y, y, kLeft - 7, y + 4, panel.share ? Number(100 * tick) + "%" : Number(tick));
  }
  const double unit = panel.gib ? 1024.0 * 1024 * 1024 : 1024.0 * 1024;
  Axis shown = x_axis;
  shown.high /= unit;
  for (double tick : shown.Ticks())
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", shown.At(tick), kBottom + 17,
                       Number(tick));
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">size, {}</text>", kRight, kBottom + 33,
                     panel.gib ? "GiB" : "MiB");
  const double reference = y_axis.At(panel.points[0].y);
  svg += fmt::format("<line class=\"ref\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, kRight, reference,
                     reference);
  for (const Point& point : panel.points) {
    if (!point.has_range) continue;
    const double x = x_axis.At(point.x);
    svg += fmt::format("<line class=\"whisker ink {}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>",
                       point.ink, x, x, y_axis.At(std::max(y_axis.low, point.low)),
                       y_axis.At(std::min(y_axis.high, point.high)));
  }
  for (const Point& point : panel.points) svg += MarkSvg(point, x_axis.At(point.x), y_axis.At(point.y));
  svg += NamesSvg(panel.points, x_axis, y_axis) + "</svg>";
  return "<figure><figcaption>" + EscapeHtml(panel.title) + "<small>" + EscapeHtml(panel.subtitle) +
         "</small></figcaption>" + svg + "</figure>\n";
}

/// Index of the slice that lost most over all candidates; none when there is one slice only or none lost anything.
const Judgement* WorstSlice(std::span<const Comparison> comparisons) {
  const Judgement* worst = nullptr;
  double most = 0;
  for (const Judgement& slice : comparisons[0].slices) {
    double drop = 0;
    for (const Comparison& comparison : comparisons)
      for (const Judgement& other : comparison.slices)
        if (other.name == slice.name) drop += other.loss();
    if (drop > most) {
      most = drop;
      worst = &slice;
    }
  }
  return comparisons[0].slices.size() > 1 ? worst : nullptr;
}

double Rate(int64_t passed, int64_t n) {
  return n ? static_cast<double>(passed) / static_cast<double>(n) : 0;
}

/// Passes of all examples (empty name) or of one slice.
Panel PassPanel(const CheckRecord& record, std::span<const Comparison> comparisons, const std::string& slice,
                bool whole) {
  Panel panel;
  panel.share = true;
  panel.title = whole ? "All examples" : "Slice: " + slice;
  panel.subtitle = whole ? "passed; whiskers: bounds of the drop" : "passed; the slice that lost most";
  panel.label = "Size against share of passed examples, " + (whole ? std::string("all slices") : slice) +
                "; the figures are in the tables above.";
  auto group = [&](const Comparison& comparison) -> const Judgement* {
    if (whole) return &comparison.all;
    for (const Judgement& candidate : comparison.slices)
      if (candidate.name == slice) return &candidate;
    return nullptr;
  };
  const Judgement* first = group(comparisons[0]);
  if (!first) return panel;
  const double base = Rate(first->baseline_passed, first->answers);
  panel.points.push_back(
      {comparisons[0].baseline, static_cast<double>(record.baseline.model().file_bytes), base, false, 0, 0, ""});
  for (size_t i = 0; i < comparisons.size(); ++i) {
    const Judgement* judged = group(comparisons[i]);
    if (!judged || !judged->counts.n) continue;
    panel.points.push_back({comparisons[i].candidate, static_cast<double>(record.candidates[i].model().file_bytes),
                            Rate(judged->candidate_passed, judged->answers), true, base - judged->drop.upper,
                            base - judged->drop.lower, VerdictClass(*judged, comparisons[i].comparable)});
  }
  return panel;
}

/// Perplexity where measured, else mean KL on the text.
Panel AveragePanel(const CheckRecord& record, std::span<const Comparison> comparisons) {
  Panel panel;
  const bool perplexity = record.baseline.quality.perplexity.has_value();
  panel.title = perplexity ? "The average: perplexity" : "The average: KL divergence";
  panel.subtitle = (record.text_name.empty() ? std::string("general text") : record.text_name) + "; lower is better";
  panel.label = "Size against " + std::string(perplexity ? "perplexity" : "KL divergence") +
                " on a general text; the figures are in the table above.";
  auto add = [&](const Arm& arm, std::optional<double> value, std::string_view ink) {
    if (!value || !std::isfinite(*value)) return;
    panel.points.push_back({arm.model().format, static_cast<double>(arm.model().file_bytes), *value, false, 0, 0, ink});
  };
  auto measured = [&](const Arm& arm) { return perplexity ? arm.quality.perplexity : arm.quality.mean_kl; };
  add(record.baseline, perplexity ? measured(record.baseline) : 0, "");
  for (size_t i = 0; i < comparisons.size(); ++i)
    add(record.candidates[i], measured(record.candidates[i]),
        VerdictClass(comparisons[i].all, comparisons[i].comparable));
  return panel;
}

}  // namespace

DropScale ScaleOf(std::span<const Comparison> comparisons) {
  DropScale scale;
  for (const Comparison& comparison : comparisons) {
    scale.margin = std::max(scale.margin, comparison.margin);
    scale.low = std::min(scale.low, 100 * comparison.all.drop.lower);
    scale.high = std::max(scale.high, 100 * comparison.all.drop.upper);
  }
  scale.low = std::min(scale.low, -scale.margin / 2) - 1;
  scale.high = std::max(scale.high, 1.5 * scale.margin) + 1;
  return scale;
}

std::string DropStrip(const Judgement& group, bool comparable, const DropScale& scale) {
  if (group.counts.n == 0) return {};
  const Axis axis{scale.low, scale.high, 4, 186, false};
  const double zero = axis.At(0), margin = axis.At(scale.margin), low = axis.At(100 * group.drop.lower),
               high = axis.At(100 * group.drop.upper);
  const double drop = axis.At(100 * group.loss());
  return fmt::format(
      "<svg class=\"strip {}\" viewBox=\"0 0 190 26\" preserveAspectRatio=\"xMinYMid meet\" role=\"img\" "
      "aria-label=\"drop {} points, bounds {} to {}\">"
      "<rect class=\"beyond\" x=\"{:.1f}\" y=\"2\" width=\"{:.1f}\" height=\"22\"/><line class=\"axis\" x1=\"4\" "
      "x2=\"186\" y1=\"13\" y2=\"13\"/>"
      "<line class=\"zero\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"4\" y2=\"22\"/><line class=\"margin\" x1=\"{:.1f}\" "
      "x2=\"{:.1f}\" y1=\"2\" y2=\"24\"/>"
      "<line class=\"ink\" stroke-width=\"2.5\" stroke-linecap=\"round\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"13\" "
      "y2=\"13\"/>"
      "<circle class=\"ink\" cx=\"{:.1f}\" cy=\"13\" r=\"4.5\"/></svg>",
      VerdictClass(group, comparable), PointsText(group.loss()), PointsText(group.drop.lower),
      PointsText(group.drop.upper), margin, 186 - margin, zero, zero, margin, margin, low, high, drop);
}

std::string PlotsHtml(const CheckRecord& record, std::span<const Comparison> comparisons) {
  if (comparisons.empty() || !record.baseline.model().file_bytes) return {};
  for (const Arm& arm : record.candidates)
    if (!arm.model().file_bytes) return {};
  std::vector<Panel> panels = {AveragePanel(record, comparisons), PassPanel(record, comparisons, "", true)};
  if (const Judgement* worst = WorstSlice(comparisons))
    panels.push_back(PassPanel(record, comparisons, worst->name, false));
  std::string out =
      "<section aria-labelledby=\"plots\"><h2 id=\"plots\">Size against quality</h2><p class=\"sub\">An average can "
      "stay put while a "
      "slice breaks. Dashed: the baseline. Circle holds, diamond can\xE2\x80\x99t tell, cross cracks.</p><div "
      "class=\"plots\">\n";
  for (Panel& panel : panels) {
    if (panel.points.size() < 2) continue;
    panel.gib = record.baseline.model().file_bytes >= uint64_t{2} << 30;
    out += PanelHtml(panel);
  }
  return out + "</div></section>\n";
}

}  // namespace assay
