// How the verdicts came about, folded away behind the evidence.

#include <fmt/core.h>

#include "base/strings.h"
#include "evidence/noise.h"
#include "report/escape.h"
#include "report/html/parts.h"
#include "report/notes.h"
#include "report/numbers.h"

namespace assay {
namespace {

std::string HowJudged(const CheckRecord& record, std::span<const Comparison> comparisons) {
  return fmt::format(
      "<p>Both models answered the same rendered prompts, and the margin of {:g} points was fixed before. A candidate "
      "<b>holds</b> when the exact test of \xE2\x80\x9Cworse by the margin or more\xE2\x80\x9D (E+M on "
      "Tango\xE2\x80\x99s score) rejects at {:g}. Otherwise it <b>cracks</b> when Suissa and Shuster\xE2\x80\x99s "
      "exact "
      "test on lost against gained examples does. Otherwise the run <b>can\xE2\x80\x99t tell</b>. Slices are judged at "
      "the same level: <i>cracks</i> by mid-p with the correction of Tarone and Holm (at a lower one where more than a "
      "tenth of the examples flip), <i>holds</i> with Holm\xE2\x80\x99s. Examples that share a source count as one; "
      "their losses, and several answers to an example, are tested by flipping signs (<i>cracks</i>) and by "
      "Gaffke\xE2\x80\x99s bound (<i>holds</i>). Unlabelled prompts are tested together with the examples. Beyond 600 "
      "examples <i>holds</i> is Tango\xE2\x80\x99s score bound. Where the baseline itself fails more often than not, "
      "nothing is said to hold. What is recommended is the last that holds on the way from the largest file down (or "
      "in "
      "the order given), with no slice that cracks.</p>"
      "<p>Displacement (KL divergence and agreement on the top token along the baseline\xE2\x80\x99s answers) says how "
      "far the outputs moved, not whether they got worse. It can turn \xE2\x80\x9Cholds\xE2\x80\x9D into \xE2\x80\x9C"
      "can\xE2\x80\x99t tell\xE2\x80\x9D when it is as large as that of 2-bit quantization and there are fewer than {} "
      "examples, never the other way.</p>",
      comparisons.empty() ? record.margin : comparisons[0].margin, comparisons.empty() ? kLevel : comparisons[0].level,
      kSmallSample);
}

std::string Item(const std::string& text) {
  return "<li>" + EscapeHtml(text) + "</li>";
}

/// Of one candidate, what the front leaves out.
std::string Figures(const Comparison& comparison, const std::vector<std::string>& notes) {
  const Judgement& all = comparison.all;
  std::string items;
  if (comparison.comparable && !all.reason.empty()) items += Item(AsSentence(all.reason) + ".");
  if (comparison.comparable && all.judged && all.detectable_drop)
    items += Item(fmt::format("So many examples find drops from {} points in four of five runs.",
                              PointsText(*all.detectable_drop)));
  if (all.displacement.measured)
    items += Item(fmt::format("Along the baseline\xE2\x80\x99s answers: mean KL {}{}, same top token {:.1f}%.",
                              all.displacement.at_least ? "at least " : "", DivergenceText(all.displacement.mean_kl),
                              100 * all.displacement.same_top));
  if (comparison.unlabelled) items += Item(AsSentence(UnlabelledText(*comparison.unlabelled)) + ".");
  for (const std::string& obstacle : comparison.obstacles) items += Item(AsSentence(obstacle) + ".");
  for (const std::string& note : notes) items += Item(AsSentence(note) + ".");
  for (const Judgement& slice : comparison.slices)
    if (comparison.slices.size() > 1 && slice.judged)
      items += Item(fmt::format("{}: {} ({}).", slice.name.empty() ? "(no slice)" : slice.name,
                                VerdictText(slice, comparison.comparable), slice.reason));
  return "<h3>" + EscapeHtml(comparison.candidate) + ": " + EscapeHtml(VerdictText(comparison)) + "</h3><ul>" + items +
         "</ul>";
}

std::string WhatWasRun(const CheckRecord& record, std::string_view judged_by) {
  const RunHeader& header = record.baseline.run.header;
  std::string out = "<h3>What was run</h3><dl>";
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
  row("Judged again by", std::string(judged_by));
  row("Machine", record.machine);
  row("Started", record.started + (record.elapsed_s > 0 ? ", took " + FormatDuration(record.elapsed_s) : ""));
  row("Baseline", header.model.name + " " + header.model.fingerprint);
  for (const Arm& arm : record.candidates)
    row("Candidate", arm.model().format + ": " + arm.model().name + " " + arm.model().fingerprint);
  return out + "</dl>";
}

}  // namespace

std::string MethodHtml(const CheckRecord& record, std::span<const Comparison> comparisons, std::string_view judged_by) {
  const Notes notes = NotesOf(comparisons);
  std::string out =
      "<section class=\"method\" aria-labelledby=\"method\"><details><summary><h2 id=\"method\">How this was "
      "judged</h2></summary>";
  if (!judged_by.empty())
    out += "<p>The answers are those of the check; the verdicts are this build\xE2\x80\x99s: " +
           EscapeHtml(std::string(judged_by)) + ".</p>";
  if (!notes.common.empty() || record.noise.measured()) {
    out += "<h3>Of all candidates</h3><ul>";
    for (const std::string& note : notes.common) out += Item(AsSentence(note) + ".");
    if (record.noise.measured()) out += Item(NoiseText(record.noise));
    out += "</ul>";
  }
  for (size_t i = 0; i < comparisons.size(); ++i) out += Figures(comparisons[i], notes.own[i]);
  out += "<h3>The rules</h3>" + HowJudged(record, comparisons) + WhatWasRun(record, judged_by);
  return out + "</details></section>\n";
}

}  // namespace assay
