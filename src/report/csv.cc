#include <fmt/core.h>

#include <array>
#include <map>
#include <utility>

#include "base/error.h"
#include "report/escape.h"
#include "report/report.h"

namespace assay {
namespace {

/// What makes a spreadsheet compute, in front of a cell: = + - @, their full-width forms, and white space before them.
bool ActsInSpreadsheet(std::string_view text) {
  for (std::string_view begin :
       {"=", "+", "-", "@", "\t", "\r", "\n", "\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D", "\xEF\xBC\xA0"})
    if (text.starts_with(begin)) return true;
  return false;
}

/// A field of foreign text.
std::string Field(std::string_view text) {
  std::string visible = VisibleText(text, true);
  if (ActsInSpreadsheet(visible)) visible.insert(visible.begin(), '\'');
  if (visible.find_first_of(",;\"\r\n\t") == std::string::npos) return visible;
  std::string out = "\"";
  for (char c : visible) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

using Outcomes = std::map<std::pair<std::string_view, int64_t>, std::string_view>;  // of an example's sample

/// Of every sample what became of that very sample, for an example counts all of them.
Outcomes OutcomesOf(const Comparison& comparison) {
  Outcomes outcomes;
  for (const ExamplePair& pair : comparison.pairs) {
    if (pair.samples.empty() && pair.candidate)
      outcomes[{pair.candidate->id, pair.candidate->sample}] = OutcomeName(pair.outcome);
    for (const SamplePair& sample : pair.samples) {
      const bool was = sample.baseline->pass, is = sample.candidate->pass;
      const Outcome outcome = pair.outcome == Outcome::kExcluded ? Outcome::kExcluded
                              : was && is                        ? Outcome::kBothPass
                              : was                              ? Outcome::kRegression
                              : is                               ? Outcome::kFix
                                                                 : Outcome::kBothFail;
      outcomes[{sample.candidate->id, sample.candidate->sample}] = OutcomeName(outcome);
    }
  }
  return outcomes;
}

std::string Rows(const Arm& arm, std::string_view role, const Outcomes& outcomes) {
  std::map<std::string_view, const Displacement*> moved;
  for (const Displacement& displacement : arm.displacement) moved.emplace(displacement.id, &displacement);
  std::string out;
  for (const ExampleResult& result : arm.run.examples) {
    std::string failure, detail;
    for (const CheckResult& check : result.checks)
      if (!check.pass && failure.empty()) {
        failure = check.failure;
        detail = check.detail;
      }
    const auto outcome = outcomes.find({result.id, result.sample});
    const auto displacement = moved.find(result.id);
    const bool of_this = displacement != moved.end() && result.sample == 0;  // it is of the first sample
    out +=
        Field(arm.model().format) + "," + std::string(role) + "," + Field(result.id) + "," + Field(result.slice) + ",";
    out += fmt::format("{},{},{},", result.sample, result.error.empty() ? result.pass ? "1" : "0" : "",
                       outcome == outcomes.end() ? "" : outcome->second);
    out += Field(failure) + "," + Field(detail) + "," + Field(result.finish) + "," + Field(result.error) + ",";
    out += fmt::format("{},{},", result.prompt_tokens, result.answer_ids.size());
    out +=
        of_this ? fmt::format("{:.6g},{:.6g},", displacement->second->mean_kl, displacement->second->same_top) : ",,";
    out += Field(result.answer) + "\r\n";
  }
  return out;
}

}  // namespace

std::string RenderCsv(const CheckRecord& record, std::span<const Comparison> comparisons) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  std::string out = std::string(kCsvHead) + Rows(record.baseline, "baseline", {});
  for (size_t i = 0; i < comparisons.size(); ++i)
    out += Rows(record.candidates[i], "candidate", OutcomesOf(comparisons[i]));
  return out;
}

}  // namespace assay
