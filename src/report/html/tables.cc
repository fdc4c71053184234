// Verdicts, slices and failures: a table each, which a narrow page shows as blocks, so that nothing scrolls sideways.

#include <fmt/core.h>

#include <algorithm>

#include "base/counted.h"
#include "base/strings.h"
#include "report/escape.h"
#include "report/html/parts.h"
#include "report/notes.h"
#include "report/numbers.h"

namespace assay {
namespace {

/// More columns than this are blocks on a tablet, too.
constexpr size_t kManyColumns = 7;

std::string Why(const Comparison& comparison) {
  if (!comparison.comparable) return EscapeHtml(Join(comparison.obstacles, "; ")) + ".";
  const Judgement& all = comparison.all;
  std::string text = all.reason + ".";
  if (all.judged && all.verdict == Verdict::kCantTell && all.examples_to_settle)
    text += fmt::format(" About {} examples would settle it.", *all.examples_to_settle);
  if (comparison.unlabelled) text += " " + comparison.unlabelled->summary + ".";
  return EscapeHtml(text);
}

struct MeasureColumn {
  const char *title, *label;  // heading of the column; label beside the value on a phone
  bool optional;              // left out on a tablet
  std::string (*value)(const Arm& arm);
};
constexpr MeasureColumn kMeasures[] = {
    {"Perplexity", "Perplexity", false, [](const Arm& arm) { return PerplexityText(arm.quality.perplexity); }},
    {"KL", "KL", false, [](const Arm& arm) { return DivergenceText(arm.quality.mean_kl); }},
    {"Prefill<br>tokens/s", "Prefill t/s", true,
     [](const Arm& arm) { return SpeedText(arm.cost.prefill_tokens_per_s); }},
    {"Decode<br>tokens/s", "Decode t/s", false, [](const Arm& arm) { return SpeedText(arm.cost.decode_tokens_per_s); }},
    {"Peak<br>memory", "Memory", true, [](const Arm& arm) { return SizeText(arm.cost.peak_memory_bytes); }},
};

/// The measures that at least one arm has.
std::vector<MeasureColumn> MeasuresOf(const CheckRecord& record) {
  std::vector<MeasureColumn> columns;
  for (const MeasureColumn& column : kMeasures) {
    bool known = column.value(record.baseline) != kDash;
    for (const Arm& arm : record.candidates) known |= column.value(arm) != kDash;
    if (known) columns.push_back(column);
  }
  return columns;
}

std::string ModelCells(const Arm& arm, const ModelIdentity& baseline, const std::vector<MeasureColumn>& measures) {
  std::string size = SizeText(arm.model().file_bytes);
  if (arm.model().file_bytes && baseline.file_bytes && &arm.model() != &baseline)
    size += fmt::format(" <span class=\"base\">{:.0f}%</span>",
                        100.0 * static_cast<double>(arm.model().file_bytes) / static_cast<double>(baseline.file_bytes));
  std::string out = "<td class=\"n\" data-l=\"Size\">" + size + "</td>";
  for (const MeasureColumn& column : measures)
    out += fmt::format("<td class=\"n{}\" data-l=\"{}\">{}</td>", column.optional ? " opt" : "", column.label,
                       column.value(arm));
  return out;
}

std::string FormatHeading(const ModelIdentity& model) {
  std::string bits =
      model.bits_per_weight > 0 ? fmt::format("<small>{:.2f} bits per weight</small>", model.bits_per_weight) : "";
  return "<th scope=\"row\">" + EscapeHtml(model.format) + bits + "</th>";
}

/// The head of a table with a column for each arm.
std::string ArmTable(const char* what, std::span<const Comparison> comparisons) {
  std::string out =
      fmt::format("<table class=\"grid{}\"><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th>",
                  comparisons.size() + 2 > kManyColumns ? " many" : "", what, EscapeHtml(comparisons[0].baseline));
  for (const Comparison& comparison : comparisons)
    out += "<th scope=\"col\">" + EscapeHtml(comparison.candidate) + "</th>";
  return out + "</tr></thead><tbody>\n";
}

/// A cell of it. `attributes`: of a link to the answers; empty: there is nothing to see.
std::string ArmCell(const std::string& arm, std::string_view kind, const std::string& attributes,
                    const std::string& markup) {
  const char* tag = attributes.empty() ? "span" : "a";
  return fmt::format("<td data-l=\"{}\"><{}{} class=\"cell {}\">{}</{}></td>", EscapeHtml(VisibleText(arm, false)), tag,
                     attributes, kind, markup, tag);
}

}  // namespace

std::string_view VerdictClass(const Judgement& group, bool comparable) {
  if (!comparable || !group.judged) return "none";
  return group.verdict == Verdict::kHolds ? "holds" : group.verdict == Verdict::kCracks ? "cracks" : "unsure";
}

std::string_view VerdictMark(const Judgement& group, bool comparable) {
  if (!comparable || !group.judged) return kDash;
  return group.verdict == Verdict::kHolds ? "\xE2\x9C\x93" : group.verdict == Verdict::kCracks ? "\xE2\x9C\x97" : "?";
}

std::string VerdictsHtml(const CheckRecord& record, std::span<const Comparison> comparisons) {
  const DropScale scale = ScaleOf(comparisons);
  const std::vector<MeasureColumn> measures = MeasuresOf(record);
  const Notes notes = NotesOf(comparisons);
  int64_t passed = 0;
  for (const ExampleResult& result : record.baseline.run.examples) passed += result.pass;
  std::string out =
      "<section aria-labelledby=\"verdicts\"><h2 id=\"verdicts\">Verdicts</h2><p class=\"sub\">The strip shows how "
      "many "
      "points fewer are passed, from the best to the worst that it may be. The solid line is no drop, the shade begins "
      "at the margin: a bar that stays left of the shade holds.</p><table class=\"verdicts\">"
      "<thead><tr><th scope=\"col\">Format</th><th scope=\"col\">Verdict</th><th scope=\"col\" class=\"n\">Passed</th>"
      "<th scope=\"col\">Drop, points</th><th scope=\"col\" class=\"n\">Size</th>";
  for (const MeasureColumn& column : measures)
    out += fmt::format("<th scope=\"col\" class=\"n{}\">{}</th>", column.optional ? " opt" : "", column.title);
  out += "</tr></thead><tbody>\n";
  out += "<tr class=\"base-row\">" + FormatHeading(record.baseline.model()) +
         fmt::format(
             "<td class=\"verdict base\">baseline</td><td class=\"n\" data-l=\"Passed\">{}/{}</td><td "
             "class=\"drop\"></td>",
             passed, record.baseline.run.examples.size()) +
         ModelCells(record.baseline, record.baseline.model(), measures) + "</tr>\n";
  for (size_t i = 0; i < comparisons.size(); ++i) {
    const Comparison& comparison = comparisons[i];
    const Judgement& all = comparison.all;
    out += "<tr class=\"has-why\">" + FormatHeading(record.candidates[i].model());
    out += fmt::format("<td class=\"verdict\"><span class=\"v {}\">{} {}</span></td>",
                       VerdictClass(all, comparison.comparable), VerdictMark(all, comparison.comparable),
                       EscapeHtml(VerdictText(comparison)));
    out += fmt::format("<td class=\"n\" data-l=\"Passed\">{}/{}</td><td class=\"drop\">{}</td>", all.candidate_passed,
                       all.answers, DropStrip(all, comparison.comparable, scale));
    out += ModelCells(record.candidates[i], record.baseline.model(), measures) + "</tr>\n";
    const auto remarks = static_cast<int64_t>(notes.own[i].size() + notes.common.size());
    std::string more = fmt::format("<a href=\"#answers\" data-c=\"{}\">Answers<span class=\"vh\"> of {}</span></a>", i,
                                   EscapeHtml(comparison.candidate));
    if (remarks > 0) more += fmt::format(" <a href=\"#method\">{}</a>", Counted(remarks, "remark"));
    out += fmt::format("<tr class=\"why\"><td colspan=\"{}\">{} {}</td></tr>\n", 5 + measures.size(), Why(comparison),
                       more);
  }
  return out + "</tbody></table></section>\n";
}

std::string SlicesHtml(std::span<const Comparison> comparisons) {
  if (comparisons.empty() || comparisons[0].slices.empty()) return {};
  std::string out =
      "<section aria-labelledby=\"slices\"><h2 id=\"slices\">Slices</h2><p class=\"sub\">" + std::string(kSliceLegend) +
      " A slice needs more evidence than the whole, because there are several.</p>" + ArmTable("Slice", comparisons);
  for (size_t s = 0; s < comparisons[0].slices.size(); ++s) {
    const Judgement& first = comparisons[0].slices[s];
    out += "<tr><th scope=\"row\">" + EscapeHtml(first.name.empty() ? "(no slice)" : first.name) + "</th>";
    out += ArmCell(comparisons[0].baseline, "plain", "", fmt::format("{}/{}", first.baseline_passed, first.answers));
    for (size_t c = 0; c < comparisons.size(); ++c) {
      const auto& slices = comparisons[c].slices;
      const auto slice =
          std::find_if(slices.begin(), slices.end(), [&](const Judgement& j) { return j.name == first.name; });
      if (slice == slices.end()) {
        out += "<td class=\"absent\"></td>";
        continue;
      }
      const bool comparable = comparisons[c].comparable;
      const std::string flips = FlipsText(slice->counts);
      const std::string_view kind = VerdictClass(*slice, comparable);
      // Unsure and nothing lost is the usual case of ten examples: no reason for alarm.
      const bool quiet = kind == "unsure" && slice->counts.regressions == 0;
      std::string markup =
          kind == "holds" || kind == "cracks" ? std::string(VerdictMark(*slice, comparable)) + " " : "";
      markup += fmt::format("{}/{}", slice->candidate_passed, slice->answers);
      markup += "<small>" + (flips.empty() ? "none lost" : flips) + "</small><span class=\"vh\">, " +
                EscapeHtml(VerdictText(*slice, comparable)) + "</span>";
      const std::string title = " title=\"" + EscapeHtml(VisibleText(slice->reason, false)) + "\"";
      out += ArmCell(comparisons[c].candidate, quiet ? "quiet" : kind,
                     fmt::format(" href=\"#answers\" data-c=\"{}\" data-s=\"{}\"{}", c, s, title), markup);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></section>\n";
}

std::vector<std::string> FailureClasses(std::span<const Comparison> comparisons) {
  struct Class {
    std::string name;
    int64_t gain = 0;  // the most that any candidate has beyond the baseline
  };
  std::vector<Class> classes;
  for (const Comparison& comparison : comparisons)
    for (const FailureCount& count : comparison.failures) {
      auto found =
          std::find_if(classes.begin(), classes.end(), [&](const Class& c) { return c.name == count.failure; });
      if (found == classes.end())
        found = classes.insert(classes.end(), {count.failure, count.candidate - count.baseline});
      found->gain = std::max(found->gain, count.candidate - count.baseline);
    }
  std::stable_sort(classes.begin(), classes.end(), [](const Class& a, const Class& b) { return a.gain > b.gain; });
  std::vector<std::string> names;
  for (Class& c : classes) names.push_back(std::move(c.name));
  return names;
}

std::string FailuresHtml(std::span<const Comparison> comparisons) {
  const std::vector<std::string> classes = FailureClasses(comparisons);
  if (classes.empty()) return {};
  std::string out =
      "<section aria-labelledby=\"failures\"><h2 id=\"failures\">How answers fail</h2><p class=\"sub\">Answers that do "
      "not pass, by the first check that they fail.</p>" +
      ArmTable("Failure", comparisons);
  for (size_t f = 0; f < classes.size(); ++f) {
    int64_t baseline = 0;
    auto count_of = [&](const Comparison& comparison) {
      const auto found = std::find_if(comparison.failures.begin(), comparison.failures.end(),
                                      [&](const FailureCount& count) { return count.failure == classes[f]; });
      return found == comparison.failures.end() ? FailureCount{} : *found;
    };
    for (const Comparison& comparison : comparisons) baseline = std::max(baseline, count_of(comparison).baseline);
    out += "<tr><th scope=\"row\">" + EscapeHtml(classes[f]) + "</th>" +
           ArmCell(comparisons[0].baseline, baseline ? "plain" : "plain zero", "", std::to_string(baseline));
    for (size_t c = 0; c < comparisons.size(); ++c) {
      const int64_t count = count_of(comparisons[c]).candidate;
      out += ArmCell(comparisons[c].candidate, count ? "plain" : "plain zero",
                     count ? fmt::format(" href=\"#answers\" data-c=\"{}\" data-f=\"{}\"", c, f) : "",
                     std::to_string(count));
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></section>\n";
}

}  // namespace assay
