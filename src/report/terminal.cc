#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "evidence/advice.h"
#include "evidence/noise.h"
#include "report/escape.h"
#include "report/headline.h"
#include "report/notes.h"
#include "report/numbers.h"
#include "report/report.h"
#include "report/served.h"

namespace assay {
namespace {

struct Cell {
  std::string text;
  const char* color = "";  // ANSI
};

struct Column {
  std::string title;
  int keep;  // dropped first when small; 9: never
  bool right;
  std::vector<Cell> cells;
  size_t width() const {
    size_t widest = ColumnCount(title);
    for (const Cell& cell : cells) widest = std::max(widest, ColumnCount(cell.text));
    return widest;
  }
  bool empty() const {
    return std::all_of(cells.begin(), cells.end(),
                       [](const Cell& cell) { return cell.text.empty() || cell.text == kDash; });
  }
};

const char* ColorOf(const Judgement& group, bool comparable) {
  if (!comparable || !group.judged) return "\x1b[2m";
  switch (group.verdict) {
    case Verdict::kHolds:
      return "\x1b[32m";
    case Verdict::kCracks:
      return "\x1b[31m";
    case Verdict::kCantTell:
      return "\x1b[33m";
  }
  return "";
}

std::string Pad(const Cell& cell, size_t width, bool right, bool color, bool last) {
  const size_t have = ColumnCount(cell.text);
  const std::string fill(width > have ? width - have : 0, ' ');
  std::string text = cell.text;
  if (color && *cell.color) text = cell.color + text + "\x1b[0m";
  if (right) return fill + text;
  return last ? text : text + fill;
}

constexpr std::string_view kGap = "  ";

size_t TotalWidth(const std::vector<Column>& columns) {
  size_t total = 0;
  for (const Column& column : columns) total += column.width() + kGap.size();
  return total ? total - kGap.size() : 0;
}

std::string Table(std::vector<Column> columns, const TerminalOptions& options) {
  std::erase_if(columns, [](const Column& column) { return column.empty(); });
  while (TotalWidth(columns) > static_cast<size_t>(std::max(options.width, 1))) {
    auto least = std::min_element(columns.begin(), columns.end(),
                                  [](const Column& a, const Column& b) { return a.keep < b.keep; });
    if (least == columns.end() || least->keep >= 9) break;
    columns.erase(least);
  }
  if (columns.empty()) return {};
  std::string out;
  for (size_t row = 0; row <= columns[0].cells.size(); ++row) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      const Column& column = columns[i];
      const Cell cell = row ? column.cells[row - 1] : Cell{column.title, "\x1b[2m"};
      if (i) line += kGap;
      line += Pad(cell, column.width(), column.right, options.color, i + 1 == columns.size());
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

/// Breaks at spaces; the first line starts with `first`, the others are indented.
std::string Wrap(const std::string& text, int width, size_t indent, const std::string& first = "") {
  std::string out, line;
  const size_t room = static_cast<size_t>(std::max(width, 20));
  for (const std::string& word : Split(text, ' ')) {
    if (!line.empty() && ColumnCount(line) + 1 + ColumnCount(word) > room) {
      out += line + "\n";
      line = std::string(indent, ' ');
      line += word;
    } else {
      line += (line.empty() ? first : " ") + word;
    }
  }
  return out + line + "\n";
}

std::vector<Column> VerdictColumns(const CheckRecord& record, std::span<const Comparison> comparisons) {
  std::vector<Column> columns = {{"format", 9, false, {}},     {"bits", 3, true, {}},       {"size", 7, true, {}},
                                 {"perplexity", 6, true, {}},  {"KL", 4, true, {}},         {"passed", 9, true, {}},
                                 {"lost", 9, true, {}},        {"gained", 8, true, {}},     {"verdict", 9, false, {}},
                                 {"prefill t/s", 2, true, {}}, {"decode t/s", 5, true, {}}, {"memory", 1, true, {}}};
  auto add = [&](const Arm& arm, const Comparison* comparison, const std::string& passed) {
    const ArmQuality& quality = arm.quality;
    size_t i = 0;
    auto put = [&](std::string text, const char* color = "") {
      columns[i++].cells.push_back({std::move(text), color});
    };
    put(NameText(arm.model().format, 24));
    put(BitsText(arm.model().bits_per_weight));
    put(SizeText(arm.model().file_bytes));
    put(PerplexityText(quality.perplexity));
    put(DivergenceText(quality.mean_kl));
    put(passed);
    put(comparison ? std::to_string(comparison->all.counts.regressions) : "");
    put(comparison ? std::to_string(comparison->all.counts.fixes) : "");
    put(comparison ? VerdictText(*comparison) : "baseline",
        comparison ? ColorOf(comparison->all, comparison->comparable) : "\x1b[2m");
    put(SpeedText(arm.cost.prefill_tokens_per_s));
    put(SpeedText(arm.cost.decode_tokens_per_s));
    put(SizeText(arm.cost.peak_memory_bytes));
  };
  int64_t passed = 0;
  for (const ExampleResult& result : record.baseline.run.examples) passed += result.pass;
  add(record.baseline, nullptr, fmt::format("{}/{}", passed, record.baseline.run.examples.size()));
  for (size_t i = 0; i < comparisons.size(); ++i) {
    const Judgement& all = comparisons[i].all;
    add(record.candidates[i], &comparisons[i], fmt::format("{}/{}", all.candidate_passed, all.answers));
  }
  return columns;
}

/// Nothing lost and too few to tell is the usual case of ten examples: it has no colour.
const char* SliceColor(const Judgement& slice, bool comparable) {
  const bool quiet = slice.judged && slice.verdict == Verdict::kCantTell && slice.counts.regressions == 0;
  return quiet ? "" : ColorOf(slice, comparable);
}

/// One block per group of candidates that fits the width.
std::string SliceTables(const Comparison& first, std::span<const Comparison> comparisons,
                        const TerminalOptions& options) {
  std::vector<Column> head = {{"slice", 9, false, {}}, {NameText(first.baseline, 12), 9, true, {}}};
  for (const Judgement& slice : first.slices) {
    head[0].cells.push_back({TerminalText(slice.name.empty() ? "(no slice)" : slice.name, 28)});
    head[1].cells.push_back({fmt::format("{}/{}", slice.baseline_passed, slice.answers)});
  }
  std::string out;
  std::vector<Column> columns = head;
  for (const Comparison& comparison : comparisons) {
    Column column{NameText(comparison.candidate, 20), 9, true, {}};
    for (const Judgement& slice : first.slices) {
      auto same = std::find_if(comparison.slices.begin(), comparison.slices.end(),
                               [&](const Judgement& j) { return j.name == slice.name; });
      Cell cell{kDash};
      if (same != comparison.slices.end())
        cell = {SliceText(*same, comparison.comparable), SliceColor(*same, comparison.comparable)};
      column.cells.push_back(cell);
    }
    columns.push_back(column);
    if (columns.size() > head.size() + 1 && TotalWidth(columns) > static_cast<size_t>(options.width)) {
      Column over = columns.back();
      columns.pop_back();
      out += Table(columns, options) + "\n";
      columns = head;
      columns.push_back(over);
    }
  }
  out += Table(columns, options);
  return out + Wrap(std::string(kSliceLegend), options.width, 0);
}

std::string Reasons(std::span<const Comparison> comparisons, const TerminalOptions& options) {
  std::string out;
  const Notes notes = NotesOf(comparisons);
  for (size_t i = 0; i < comparisons.size(); ++i) {
    const Comparison& comparison = comparisons[i];
    const std::string name = TerminalText(comparison.candidate);
    std::string text = name + ": " + VerdictText(comparison);
    if (comparison.comparable) {
      text += " (" + comparison.all.reason + ")";
      if (comparison.all.verdict == Verdict::kCantTell && comparison.all.examples_to_settle)
        text += fmt::format("; about {} examples would settle it", *comparison.all.examples_to_settle);
      if (comparison.all.verdict == Verdict::kCantTell && comparison.all.detectable_drop)
        text += fmt::format("; this run finds drops from {} points", PointsText(*comparison.all.detectable_drop));
    } else {
      text += ": " + Join(comparison.obstacles, "; ");
    }
    out += Wrap(TerminalText(text), options.width, 2);
    if (comparison.unlabelled)
      out += Wrap(TerminalText(UnlabelledText(*comparison.unlabelled)), options.width, 4, "  ");
    for (const std::string& note : notes.own[i]) out += Wrap("note: " + TerminalText(note), options.width, 4, "  ");
  }
  for (const std::string& note : notes.common)
    out += Wrap("note on all of them: " + TerminalText(note), options.width, 2);
  return out;
}

}  // namespace

std::string RenderTerminal(const CheckRecord& record, std::span<const Comparison> comparisons,
                           const TerminalOptions& options) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  std::string out;
  if (comparisons.empty()) return TerminalText(Advice(record, comparisons)) + "\n";
  const size_t slices = comparisons[0].slices.size();
  out += Wrap(TerminalText(fmt::format("{}: {} in {} slice{}, margin {:g} points", record.task_name,
                                       ExamplesText(record.baseline.run), slices, slices == 1 ? "" : "s",
                                       comparisons[0].margin)),
              options.width, 2);
  out += "\n" + Table(VerdictColumns(record, comparisons), options);
  if (slices > 1) out += "\n" + SliceTables(comparisons[0], comparisons, options);
  out += "\n" + Reasons(comparisons, options);
  for (const std::string& line : Split(ServedLines(record), '\n'))
    if (!line.empty()) out += Wrap(TerminalText(line), options.width, 2);
  if (record.noise.measured()) out += Wrap(TerminalText(NoiseText(record.noise)), options.width, 2);
  std::string advice = Wrap(TerminalText(Advice(record, comparisons)), options.width, 0);
  if (options.color) advice = "\x1b[1m" + advice.substr(0, advice.size() - 1) + "\x1b[0m\n";
  out += "\n" + advice;
  for (const std::string& step : NextSteps(record, comparisons))
    out += Wrap(TerminalText(step), options.width, 2, "- ");
  return out;
}

}  // namespace assay
