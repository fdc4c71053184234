#include "base/error.h"
#include "evidence/advice.h"
#include "record/json_fields.h"
#include "record/quant_record.h"
#include "report/report.h"

namespace assay {
namespace {

Json CostJson(const Arm& arm) {
  Json json;
  json["format"] = arm.model().format;
  json.update(ToJson(arm.cost));
  return json;
}

int64_t Passed(const RunRecord& run) {
  int64_t passed = 0;
  for (const ExampleResult& result : run.examples) passed += result.pass;
  return passed;
}

}  // namespace

Json RenderJson(const CheckRecord& record, std::span<const Comparison> comparisons) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  Json json;
  json["schema"] = "assay.check";
  json["version"] = kReportVersion;
  json["task"] = record.task_name;
  json["text"] = record.text_name.empty() ? Json(nullptr) : Json(record.text_name);
  json["advice"] = Advice(record, comparisons);
  const Walk walk = WalkDown(record, comparisons);
  const std::optional<size_t> recommended = walk.recommended();
  json["recommended"] = recommended ? Json(comparisons[*recommended].candidate) : Json(nullptr);
  json["walk"] = Json::array();  // in the order in which candidates were looked at; the first `walk_held` hold
  for (size_t i : walk.order) json["walk"].push_back(comparisons[i].candidate);
  json["walk_held"] = walk.held;
  Json& baseline = json["baseline"];
  baseline["model"] = ToJson(record.baseline.model());
  baseline["examples"] = record.baseline.run.example_count();
  baseline["answers"] = record.baseline.run.examples.size();
  baseline["passed"] = Passed(record.baseline.run);
  baseline["quality"] = ToJson(record.baseline.quality);
  json["noise"] = record.noise.measured() ? ToJson(record.noise) : Json(nullptr);
  json["verdicts"] = Json::array();
  for (size_t i = 0; i < comparisons.size(); ++i) {
    Json item = ToJson(comparisons[i]);
    item["model"] = ToJson(record.candidates[i].model());
    item["quality"] = ToJson(record.candidates[i].quality);
    json["verdicts"].push_back(std::move(item));
  }
  Json& cost = json["cost"];
  cost["started"] = record.started;
  cost["elapsed_s"] = NumberJson(record.elapsed_s);
  cost["build"] = record.build;
  cost["machine"] = record.machine;
  cost["arms"] = Json::array();
  cost["arms"].push_back(CostJson(record.baseline));
  for (const Arm& arm : record.candidates) cost["arms"].push_back(CostJson(arm));
  return json;
}

}  // namespace assay
