#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "base/counted.h"
#include "base/strings.h"
#include "evidence/unlabelled.h"
#include "report/diff.h"
#include "report/escape.h"
#include "report/html_parts.h"
#include "report/numbers.h"

namespace assay {
namespace {

/// What the outcome buttons choose between.
enum Kind { kLost, kGained, kStillWrong, kStillRight, kKinds };
constexpr const char* kKindName[] = {"Regressions", "Fixes", "Both wrong", "Both right"};
constexpr const char* kKindChip[] = {"regression", "fix", "wrong both times, differently",
                                     "right both times, differently"};
constexpr const char* kKindClass[] = {"regression", "fix", "same", "same"};

Kind KindOf(const ExamplePair& pair) {
  switch (pair.outcome) {
    case Outcome::kRegression:
      return kLost;
    case Outcome::kFix:
      return kGained;
    case Outcome::kBothFail:
      return kStillWrong;
    default:
      return kStillRight;
  }
}

bool Shown(const ExamplePair& pair) {
  return pair.outcome != Outcome::kExcluded &&
         (pair.changed || pair.outcome == Outcome::kRegression || pair.outcome == Outcome::kFix);
}

/// `heading` is markup.
std::string Side(const std::string& heading, const std::vector<DiffPart>& parts, bool before) {
  std::string body;
  for (const DiffPart& part : parts) {
    const std::string_view text = before ? part.before : part.after;
    if (text.empty()) continue;
    const std::string escaped = EscapeHtml(text);
    if (part.kind == DiffPart::kSame) {
      body += escaped;
    } else {
      body += before ? "<del>" + escaped + "</del>" : "<ins>" + escaped + "</ins>";
    }
  }
  if (body.empty()) body = "<span class=\"empty\">empty answer</span>";
  // A <pre> swallows a line feed right after its tag.
  return "<div class=\"side\"><h4>" + heading + "</h4><pre>\n" + body + "</pre></div>";
}

std::string FailureText(const ExampleResult& result) {
  if (result.pass) return {};
  for (const CheckResult& check : result.checks)
    if (!check.pass) return EscapeHtml(check.failure + (check.detail.empty() ? "" : ": " + check.detail));
  return EscapeHtml(result.failure());
}

std::string MovedText(const ExamplePair& pair) {
  if (!pair.displacement || pair.baseline->sample != 0) return {};  // it is of the first sample
  const Displacement& moved = *pair.displacement;
  std::string text = fmt::format("mean KL {}{}, same top token {:.0f}%", moved.known_tokens > 0 ? "at least " : "",
                                 DivergenceText(moved.mean_kl), 100 * moved.same_top);
  if (moved.first_divergence >= 0) text += fmt::format(", parts at token {}", moved.first_divergence + 1);
  if (moved.first_divergence >= 0 && !pair.baseline->answer_ids.empty())
    text += fmt::format(" of {}", pair.baseline->answer_ids.size());
  return " <span class=\"moved\">" + text + "</span>";
}

std::string PairHtml(const ExamplePair& pair, size_t candidate, const Comparison& comparison) {
  const Kind kind = KindOf(pair);
  std::string why = FailureText(kind == kGained ? *pair.baseline : *pair.candidate);
  if (kind == kGained && !why.empty()) why = "was " + why;
  if (pair.samples.size() > 1)
    why = fmt::format("{} and {} of {} samples pass; sample {}{}{}", pair.baseline_passes, pair.candidate_passes,
                      pair.samples.size(), pair.baseline->sample + 1, why.empty() ? "" : ": ", why);
  const std::vector<DiffPart> parts = DiffWords(pair.baseline->answer, pair.candidate->answer);
  std::string out = fmt::format(
      "<article class=\"pair\" data-c=\"{}\" data-o=\"{}\" tabindex=\"-1\"><header><b>{}</b><span class=\"o "
      "{}\">{}</span>",
      candidate, static_cast<int>(kind), EscapeHtml(comparison.candidate), kKindClass[kind], kKindChip[kind]);
  if (!why.empty()) out += "<span class=\"why\">" + why + "</span>";
  out += "</header><div class=\"sides\">" + Side(EscapeHtml(comparison.baseline), parts, true);
  out += Side(EscapeHtml(comparison.candidate) + MovedText(pair), parts, false);
  return out + "</div></article>\n";
}

std::string PromptHtml(const ExampleText* text) {
  if (!text || text->prompt.empty()) return {};
  std::string out = "<details><summary>Prompt</summary><div class=\"prompt\">";
  for (const PromptPart& part : text->prompt) {
    if (!part.role.empty()) out += "<p class=\"role\">" + EscapeHtml(part.role) + "</p>";
    out += "<pre>\n" + EscapeHtml(part.text) + "</pre>";
  }
  return out + "</div></details>";
}

std::string Options(std::string_view id, std::string_view label, std::string_view all,
                    const std::vector<std::string>& names) {
  std::string out = fmt::format(
      "<label class=\"vh\" for=\"{}\">{}</label><select id=\"{}\"><option value=\"\">{}</option>", id, label, id, all);
  for (size_t i = 0; i < names.size(); ++i)
    out += fmt::format("<option value=\"{}\">{}</option>", i, EscapeHtml(names[i]));
  return out + "</select>";
}

std::string Filters(std::span<const Comparison> comparisons, const std::vector<std::string>& slices,
                    const std::array<int64_t, kKinds>& counts, int64_t total) {
  std::vector<std::string> names;
  for (const Comparison& comparison : comparisons) names.push_back(comparison.candidate);
  std::string out = "<div class=\"filters\" role=\"group\" aria-label=\"Choose pairs\">";
  out += Options("f-arm", "Candidate", "All candidates", names);
  out += Options("f-slice", "Slice", "All slices", slices);
  // Begin with what decides a verdict, unless there is nothing of the kind.
  const bool flips = counts[kLost] + counts[kGained] > 0;
  for (int kind = 0; kind < kKinds; ++kind) {
    const bool on = flips ? kind <= kGained : true;
    if (counts[static_cast<size_t>(kind)] == 0) continue;
    out += fmt::format("<button type=\"button\" data-o=\"{}\" aria-pressed=\"{}\">{} {}</button>", kind, on,
                       kKindName[kind], counts[static_cast<size_t>(kind)]);
  }
  return out + fmt::format("<span class=\"count\" id=\"f-count\" aria-live=\"polite\">{} pairs</span></div>", total);
}

}  // namespace

std::string PairsHtml(const CheckRecord& record, std::span<const Comparison> comparisons) {
  std::unordered_map<std::string, const ExampleText*> texts;
  for (const ExampleText& text : record.examples) texts.emplace(text.id, &text);
  // Every candidate's pairs by example; comparisons of incomparable runs may lack some.
  std::vector<std::string> slices;
  std::array<int64_t, kKinds> counts{};
  int64_t total = 0;
  std::vector<std::unordered_map<std::string, const ExamplePair*>> pairs(comparisons.size());
  for (size_t c = 0; c < comparisons.size(); ++c) {
    for (const ExamplePair& pair : comparisons[c].pairs) {
      if (std::find(slices.begin(), slices.end(), pair.slice) == slices.end()) slices.push_back(pair.slice);
      if (!Shown(pair)) continue;
      pairs[c].emplace(pair.id, &pair);
      ++counts[KindOf(pair)];
      ++total;
    }
  }
  std::string out = "<section aria-labelledby=\"pairs\"><h2 id=\"pairs\">Where answers differ</h2>";
  if (total == 0) return out + "<p class=\"sub\">Every answer is the same under every candidate.</p></section>\n";
  out +=
      "<p class=\"sub\">Baseline on the left, candidate on the right; what one has and the other has not is marked. "
      "Keys j and k move "
      "between pairs.</p>";
  out += Filters(comparisons, slices, counts, total);
  for (const ExampleResult& result : record.baseline.run.examples) {
    if (result.sample != 0) continue;
    std::string body;
    for (size_t c = 0; c < comparisons.size(); ++c)
      if (auto it = pairs[c].find(result.id); it != pairs[c].end()) body += PairHtml(*it->second, c, comparisons[c]);
    if (body.empty()) continue;
    const auto text = texts.find(result.id);
    const ExampleText* shown = text == texts.end() ? nullptr : text->second;
    const auto slice = std::find(slices.begin(), slices.end(), result.slice) - slices.begin();
    out += fmt::format("<section class=\"ex\" data-s=\"{}\"><header><h3>{}</h3><span class=\"tag\">{}</span></header>",
                       slice, EscapeHtml(result.id), EscapeHtml(result.slice));
    if (shown && !shown->expected.empty())
      out += "<p class=\"expected\">Expected: <code>" + EscapeHtml(shown->expected) + "</code></p>";
    out += PromptHtml(shown) + body + "</section>\n";
  }
  return out + "<p class=\"sub\" id=\"f-none\" hidden>No pair matches these filters.</p></section>\n";
}

std::string UnlabelledHtml(const CheckRecord& record) {
  const std::vector<DifferingPrompt> prompts = DifferingPrompts(record, {});
  if (prompts.empty()) return {};
  std::string out =
      "<section aria-labelledby=\"unlabelled\"><h2 id=\"unlabelled\">Unlabelled prompts whose answers differ</h2>";
  out += fmt::format(
      "<p class=\"sub\">{} of {}: nobody has said beforehand what is right. Equal answers cannot be worse; these can. "
      "<code>docs/tasks.md</code> tells how to label them.</p>",
      prompts.size(), Counted(std::ssize(record.baseline.unlabelled.examples), "prompt"));
  for (const DifferingPrompt& prompt : prompts) {
    out += "<section class=\"unlabelled\"><header><h3>" + EscapeHtml(prompt.id) + "</h3></header>";
    for (const OtherAnswer& other : prompt.answers) {
      const std::vector<DiffPart> parts = DiffWords(prompt.draft.answer, other.answer);
      const std::string from = EscapeHtml(Join(other.from, ", "));
      out += "<article class=\"other\"><header><b>" + from + "</b><span class=\"why\">" +
             EscapeHtml(other.right.empty() ? "without a label" : "right: " + other.right) +
             "</span></header><div class=\"sides\">" + Side(EscapeHtml(prompt.draft.from), parts, true) +
             Side(from, parts, false) + "</div></article>\n";
    }
    out += "</section>\n";
  }
  return out + "</section>\n";
}

}  // namespace assay
