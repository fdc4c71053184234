#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "evidence/advice.h"
#include "evidence/noise.h"
#include "report/escape.h"
#include "report/html_parts.h"
#include "report/notes.h"
#include "report/numbers.h"
#include "report/report.h"
#include "report/served.h"

namespace assay {
namespace {

constexpr std::string_view kDoctype = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
constexpr std::string_view kGenerator = "<meta name=\"generator\" content=\"assay\">\n";

/// SHA-256 in base64, as a content security policy wants it.
std::string Sha256Base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string hex = Sha256Hex(text);
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  for (char c : hex) {
    bits = bits << 4 | static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    have += 4;
    if (have >= 6) {
      have -= 6;
      out += kDigits[bits >> have & 63];
    }
  }
  if (have) out += kDigits[bits << (6 - have) & 63];
  while (out.size() % 4) out += '=';
  return out;
}

/// `notes`: those of this candidate alone.
std::string Reason(const Comparison& comparison, const std::vector<std::string>& notes) {
  if (!comparison.comparable) return EscapeHtml(Join(comparison.obstacles, "; "));
  const Judgement& all = comparison.all;
  std::string text = all.reason;
  if (all.judged && all.verdict == Verdict::kCantTell) {
    if (all.examples_to_settle) text += fmt::format(". About {} examples would settle it", *all.examples_to_settle);
    if (all.detectable_drop)
      text += fmt::format("; this run finds drops from {} points", PointsText(*all.detectable_drop));
  }
  if (comparison.unlabelled) text += ". " + UnlabelledText(*comparison.unlabelled);
  for (const std::string& note : notes) text += ". " + AsSentence(note);
  return EscapeHtml(text + ".");
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

std::string VerdictTable(const CheckRecord& record, std::span<const Comparison> comparisons) {
  const DropScale scale = ScaleOf(comparisons);
  const std::vector<MeasureColumn> measures = MeasuresOf(record);
  const Notes notes = NotesOf(comparisons);
  int64_t passed = 0;
  for (const ExampleResult& result : record.baseline.run.examples) passed += result.pass;
  std::string out =
      "<section aria-labelledby=\"verdicts\"><h2 id=\"verdicts\">Verdicts</h2><p class=\"sub\">The strip shows the "
      "drop in passes between its two one-sided "
      "bounds; the solid line is no drop, the shade begins at the margin.</p><div class=\"scroll\"><table "
      "class=\"verdicts\">"
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
    out += fmt::format(
        "<tr class=\"why\"><td colspan=\"{}\">{} <a href=\"#pairs\" data-c=\"{}\">Answers<span class=\"vh\"> of "
        "{}</span></a></td></tr>\n",
        5 + measures.size(), Reason(comparison, notes.own[i]), i, EscapeHtml(comparison.candidate));
  }
  out += "</tbody></table></div>";
  if (!notes.common.empty()) out += "<ul class=\"notes\">";
  for (const std::string& note : notes.common) out += "<li>" + EscapeHtml(AsSentence(note)) + ".</li>";
  if (!notes.common.empty()) out += "</ul>";
  return out + "</section>\n";
}

std::string SliceTable(std::span<const Comparison> comparisons) {
  if (comparisons.empty() || comparisons[0].slices.empty()) return {};
  std::string out =
      "<section aria-labelledby=\"slices\"><h2 id=\"slices\">Slices</h2><p class=\"sub\">Passed of all, then lost and "
      "gained. Judged together with "
      "a correction for their number, so a slice needs more evidence than the whole. \xE2\x9C\x93 holds, \xE2\x9C\x97 "
      "cracks, ? can\xE2\x80\x99t tell, "
      "\xE2\x80\x93 not judged.</p><div class=\"scroll\"><table class=\"slices\"><thead><tr><th "
      "scope=\"col\">Slice</th>";
  out += "<th scope=\"col\">" + EscapeHtml(comparisons[0].baseline) + "</th>";
  for (const Comparison& comparison : comparisons)
    out += "<th scope=\"col\">" + EscapeHtml(comparison.candidate) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (size_t s = 0; s < comparisons[0].slices.size(); ++s) {
    const Judgement& first = comparisons[0].slices[s];
    out += "<tr><th scope=\"row\">" + EscapeHtml(first.name.empty() ? "(no slice)" : first.name) + "</th>";
    out += fmt::format("<td><span class=\"cell plain\">{}/{}</span></td>", first.baseline_passed, first.answers);
    for (size_t c = 0; c < comparisons.size(); ++c) {
      const auto& slices = comparisons[c].slices;
      const auto slice =
          std::find_if(slices.begin(), slices.end(), [&](const Judgement& j) { return j.name == first.name; });
      if (slice == slices.end()) {
        out += "<td></td>";
        continue;
      }
      const bool comparable = comparisons[c].comparable;
      std::string flips;
      if (slice->counts.regressions) flips += fmt::format("\xE2\x88\x92{}", slice->counts.regressions);
      if (slice->counts.fixes) flips += fmt::format("{}+{}", flips.empty() ? "" : " ", slice->counts.fixes);
      // Where something flipped, the cell leads to the answers.
      const std::string open =
          flips.empty() ? "span" : fmt::format("a href=\"#pairs\" data-c=\"{}\" data-s=\"{}\"", c, s);
      out +=
          fmt::format("<td><{} class=\"cell {}\" title=\"{}\">{} {}/{}{}<span class=\"vh\">, {}</span></{}></td>", open,
                      VerdictClass(*slice, comparable), EscapeHtml(slice->reason), VerdictMark(*slice, comparable),
                      slice->candidate_passed, slice->answers, flips.empty() ? "" : "<small>" + flips + "</small>",
                      EscapeHtml(VerdictText(*slice, comparable)), flips.empty() ? "span" : "a");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></section>\n";
}

std::string FailureTable(std::span<const Comparison> comparisons) {
  // Classes in order of how much any candidate gained.
  struct Row {
    std::string name;
    int64_t gain = 0, baseline = 0;
  };
  std::vector<Row> rows;
  for (const Comparison& comparison : comparisons)
    for (const FailureCount& count : comparison.failures) {
      auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == count.failure; });
      if (row == rows.end())
        row = rows.insert(rows.end(), {count.failure, count.candidate - count.baseline, count.baseline});
      row->gain = std::max(row->gain, count.candidate - count.baseline);
      row->baseline = std::max(row->baseline, count.baseline);
    }
  if (rows.empty()) return {};
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.gain > b.gain; });
  std::string out =
      "<section aria-labelledby=\"failures\"><h2 id=\"failures\">How answers fail</h2><p class=\"sub\">Failed answers "
      "by the first check that "
      "did not pass.</p><div class=\"scroll\"><table class=\"slices\"><thead><tr><th scope=\"col\">Failure</th>";
  out += "<th scope=\"col\">" + EscapeHtml(comparisons[0].baseline) + "</th>";
  for (const Comparison& comparison : comparisons)
    out += "<th scope=\"col\">" + EscapeHtml(comparison.candidate) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const Row& row : rows) {
    out += fmt::format("<tr><th scope=\"row\">{}</th><td><span class=\"cell plain{}\">{}</span></td>",
                       EscapeHtml(row.name), row.baseline ? "" : " zero", row.baseline);
    for (const Comparison& comparison : comparisons) {
      auto count = std::find_if(comparison.failures.begin(), comparison.failures.end(),
                                [&](const FailureCount& f) { return f.failure == row.name; });
      const int64_t value = count == comparison.failures.end() ? 0 : count->candidate;
      out += fmt::format("<td><span class=\"cell plain{}\">{}</span></td>", value ? "" : " zero", value);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></section>\n";
}

std::string Provenance(const CheckRecord& record, std::span<const Comparison> comparisons) {
  const RunHeader& header = record.baseline.run.header;
  std::string out = "<section class=\"method\" aria-labelledby=\"method\"><h2 id=\"method\">How this was decided</h2>";
  out += fmt::format(
      "<p>Both models answered the same rendered prompts, and the margin of {:g} points was fixed before. A candidate "
      "<b>holds</b> when the exact test of \xE2\x80\x9Cworse by the margin or more\xE2\x80\x9D (E+M on "
      "Tango\xE2\x80\x99s score) "
      "rejects at {:g}. Otherwise it <b>cracks</b> when Suissa and Shuster\xE2\x80\x99s exact test on lost against "
      "gained "
      "examples does. Otherwise the run <b>can\xE2\x80\x99t tell</b>. Slices are judged at the same level: "
      "<i>cracks</i> by mid-p "
      "with the correction of Tarone and Holm (at a lower one where more than a tenth of the examples flip), "
      "<i>holds</i> with Holm\xE2\x80\x99s. Examples that share a source count "
      "as one; their losses, and several answers to an example, are tested by flipping signs (<i>cracks</i>) and by "
      "Gaffke\xE2\x80\x99s bound "
      "(<i>holds</i>). Unlabelled prompts are tested together with the examples. Beyond 600 examples <i>holds</i> is "
      "Tango\xE2\x80\x99s score bound. Where the baseline itself fails more often than not, "
      "nothing is said to hold. "
      "What is recommended is the last that holds on the way from the largest file down (or in the order given), with "
      "no slice that cracks.</p>"
      "<p>Displacement (KL divergence and agreement on the top token along the baseline\xE2\x80\x99s answers) says how "
      "far the outputs moved, not whether "
      "they got worse. It can turn \xE2\x80\x9Cholds\xE2\x80\x9D into \xE2\x80\x9C"
      "can\xE2\x80\x99t tell\xE2\x80\x9D when it is as large as that of 2-bit "
      "quantization and there are fewer than {} examples, never the other way.</p>",
      comparisons.empty() ? record.margin : comparisons[0].margin, comparisons.empty() ? kLevel : comparisons[0].level,
      kSmallSample);
  out += "<dl>";
  auto row = [&](std::string_view term, const std::string& value) {
    if (!value.empty()) out += fmt::format("<dt>{}</dt><dd>{}</dd>", term, EscapeHtml(value));
  };
  row("Task", record.task_name + " " + header.task_hash);
  row("Text", record.text_name);
  row("Sampling", header.sampling.is_null() ? "" : DumpJson(header.sampling));
  row("Arithmetic", header.arithmetic);
  row("Tokenizer", header.tokenizer_hash);
  row("Chat template", header.template_hash);
  row("Template variables", header.template_variables.is_null() ? "" : DumpJson(header.template_variables));
  row("Template clock", header.now);
  for (const std::string& remark : header.generation_remarks) row("Not applied", remark);
  row("Build", record.build);
  row("Machine", record.machine);
  row("Started", record.started + (record.elapsed_s > 0 ? ", took " + FormatDuration(record.elapsed_s) : ""));
  row("Baseline", header.model.name + " " + header.model.fingerprint);
  for (const Arm& arm : record.candidates)
    row("Candidate", arm.model().format + ": " + arm.model().name + " " + arm.model().fingerprint);
  return out + "</dl></section>\n";
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

bool IsReport(std::string_view head) {
  return head.starts_with(kDoctype) && head.substr(kDoctype.size()).starts_with(kGenerator);
}

std::string RenderHtml(const CheckRecord& record, std::span<const Comparison> comparisons) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  const std::string advice = Advice(record, comparisons);
  // The first sentence is the headline. A period inside a number or name is followed by no space.
  const size_t end = advice.find(". ");
  const std::string headline = end == std::string::npos ? advice : advice.substr(0, end + 1);
  const std::string rest = end == std::string::npos ? "" : advice.substr(end + 2);
  std::string out = std::string(kDoctype) + std::string(kGenerator);
  // Whatever slips through the escaping may neither run nor load.
  out += fmt::format(
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; "
      "style-src 'unsafe-inline'; script-src 'sha256-{}'\">\n",
      Sha256Base64(ReportScript()));
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Assay: " +
         EscapeHtml(record.task_name) + "</title>\n<style>" + std::string(ReportStyle()) +
         "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#verdicts\">Skip to the verdicts</a>\n";
  const size_t slices = comparisons.empty() ? 0 : comparisons[0].slices.size();
  out +=
      "<header class=\"top\"><div class=\"bar\"><span>Assay report</span><button type=\"button\" id=\"theme\">Light or "
      "dark</button></div><h1>" +
      EscapeHtml(headline) + "</h1>";
  if (!rest.empty()) out += "<p class=\"lead\">" + EscapeHtml(rest) + "</p>";
  out += fmt::format(
      "<p class=\"lead\">{}: {} in {} slice{}, {} against {} candidate{}, margin {:g} "
      "points.{}</p></header>\n<main>\n",
      EscapeHtml(record.task_name), ExamplesText(record.baseline.run), slices, slices == 1 ? "" : "s",
      EscapeHtml(record.baseline.model().format), comparisons.size(), comparisons.size() == 1 ? "" : "s",
      comparisons.empty() ? record.margin : comparisons[0].margin,
      record.noise.measured() ? " " + EscapeHtml(NoiseText(record.noise)) : "");
  if (!comparisons.empty()) {
    out += VerdictTable(record, comparisons);
    out += SliceTable(comparisons);
    out += PlotsHtml(record, comparisons);
    out += FailureTable(comparisons);
    out += ServedHtml(record);
    out += PairsHtml(record, comparisons);
    out += UnlabelledHtml(record);
  }
  out += Provenance(record, comparisons);
  out += "<footer>One file, nothing is loaded from elsewhere.</footer>\n</main>\n<script>" +
         std::string(ReportScript()) + "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace assay
