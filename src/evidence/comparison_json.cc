#include <cmath>

#include "evidence/comparison.h"
#include "record/json_fields.h"

namespace assay {
namespace {

/// Six decimals: finer differences are noise of the mathematics library, and would make two builds differ.
Json Rounded(double value) {
  if (!std::isfinite(value)) return NumberJson(value);
  const double rounded = std::round(value * 1e6) / 1e6;
  return rounded == 0 ? 0.0 : rounded;  // no "-0.0"
}

Json Points(double share) {
  return Rounded(100 * share);
}

Json DisplacementJson(const DisplacementSummary& summary) {
  if (!summary.measured) return nullptr;
  Json json;
  json["examples"] = summary.examples;
  json["tokens"] = summary.tokens;
  json["mean_kl"] = Rounded(summary.mean_kl);
  json["max_kl"] = Rounded(summary.max_kl);
  json["same_top"] = Rounded(summary.same_top);
  json["diverged"] = Rounded(summary.diverged);
  json["lower_bounds"] = summary.at_least;
  if (summary.at_least) {
    json["known_tokens"] = summary.known_tokens;
    json["whole_answers"] = summary.whole_answers;
  }
  json["large"] = summary.large();
  return json;
}

Json JudgementJson(const Judgement& group) {
  Json json;
  if (!group.name.empty()) json["slice"] = group.name;
  json["verdict"] = VerdictName(group.verdict);
  json["judged"] = group.judged;
  json["reason"] = group.reason;
  json["examples"] = group.counts.n;
  json["answers"] = group.answers;
  json["baseline_passed"] = group.baseline_passed;
  json["candidate_passed"] = group.candidate_passed;
  json["regressions"] = group.counts.regressions;
  json["fixes"] = group.counts.fixes;
  json["drop"] = Points(group.loss());
  json["drop_bounds"] = {Points(group.drop.lower), Points(group.drop.upper)};
  json["sources"] = group.clustered ? Json(group.sources) : Json(nullptr);
  json["crack_test"] = CrackTestName(group.crack_test);
  json["cracks_p"] = Rounded(group.cracks_p);
  json["mid_p"] = Rounded(group.mid_p);
  json["exact_p"] = Rounded(group.exact_p);
  json["holds_p"] = Rounded(group.holds_p);
  json["adjusted_cracks_p"] = Rounded(group.adjusted_cracks_p);
  json["adjusted_holds_p"] = Rounded(group.adjusted_holds_p);
  json["chance_worse"] = group.chance_worse ? Rounded(*group.chance_worse) : Json(nullptr);
  json["chance_beyond_margin"] = group.chance_beyond_margin ? Rounded(*group.chance_beyond_margin) : Json(nullptr);
  json["detectable_drop"] = group.detectable_drop ? Points(*group.detectable_drop) : Json(nullptr);
  json["examples_to_settle"] = group.examples_to_settle ? Json(*group.examples_to_settle) : Json(nullptr);
  json["downgraded"] = group.downgraded;
  json["weak_baseline"] = group.weak_baseline;
  json["displacement"] = DisplacementJson(group.displacement);
  return json;
}

Json UnlabelledJson(const Unlabelled& found) {
  Json json;
  json["file"] = found.file;
  json["summary"] = found.summary;
  json["obstacles"] = found.obstacles;
  json["prompts"] = found.prompts;
  json["errors"] = found.errors;
  json["labelled_too"] = found.labelled_too;
  json["compared_as"] = Json::object();
  for (const auto& [notion, count] : found.notions) json["compared_as"][notion] = count;
  json["differing"] = found.differing;
  json["bound"] = Points(found.bound);
  json["lost"] = found.lost;
  json["gained"] = found.gained;
  json["no_loss"] = found.same_worth;
  json["unknown"] = found.unknown;
  json["used"] = found.used;
  json["examples"] = found.examples;
  json["holds_p"] = Rounded(found.holds_p);
  json["cracks_p"] = Rounded(found.cracks_p);
  json["decided"] = found.decided;
  return json;
}

}  // namespace

Json ToJson(const Comparison& comparison) {
  Json json;
  json["version"] = comparison.version;
  json["baseline"] = comparison.baseline;
  json["candidate"] = comparison.candidate;
  json["margin"] = Rounded(comparison.margin);
  json["level"] = Rounded(comparison.level);
  json["comparable"] = comparison.comparable;
  json["obstacles"] = comparison.obstacles;
  json["notes"] = comparison.notes;
  json["excluded"] = comparison.excluded;
  json["all"] = JudgementJson(comparison.all);
  json["slices"] = Json::array();
  for (const Judgement& slice : comparison.slices) json["slices"].push_back(JudgementJson(slice));
  json["unlabelled"] = comparison.unlabelled ? UnlabelledJson(*comparison.unlabelled) : Json(nullptr);
  json["failures"] = Json::array();
  for (const FailureCount& count : comparison.failures) {
    Json item;
    item["class"] = count.failure;
    item["baseline"] = count.baseline;
    item["candidate"] = count.candidate;
    json["failures"].push_back(std::move(item));
  }
  for (const char* key : {"regressions", "fixes", "changed"}) json[key] = Json::array();
  for (const ExamplePair& pair : comparison.pairs) {
    if (pair.outcome == Outcome::kRegression) {
      Json item;
      item["id"] = pair.id;
      item["slice"] = pair.slice;
      item["failure"] = pair.candidate->failure();
      if (pair.samples.size() > 1) {
        item["sample"] = pair.candidate->sample;
        item["baseline_passes"] = pair.baseline_passes;
        item["candidate_passes"] = pair.candidate_passes;
      }
      json["regressions"].push_back(std::move(item));
    } else if (pair.outcome == Outcome::kFix) {
      json["fixes"].push_back(pair.id);
    } else if (pair.changed) {
      json["changed"].push_back(pair.id);  // another answer, the same outcome
    }
  }
  return json;
}

}  // namespace assay
