#include "record/bench_record.h"

#include <cmath>

#include "base/error.h"
#include "record/json_fields.h"
#include "record/quant_record.h"
#include "statistics/summary.h"

namespace assay {

double BenchRow::median() const {
  return tokens_per_s.empty() ? 0.0 : Quantile(tokens_per_s, 0.5);
}

double BenchRow::standard_deviation() const {
  MeanAccumulator values;
  for (double value : tokens_per_s) values.Add(value);
  return std::sqrt(values.variance());
}

Json ToJson(const BenchRecord& record) {
  Json json;
  json["assay_bench"] = record.version;
  json["model"] = ToJson(record.model);
  json["threads"] = record.threads;
  json["arithmetic"] = record.arithmetic;
  json["build"] = record.build;
  json["machine"] = record.machine;
  json["started"] = record.started;
  json["load_s"] = NumberJson(record.load_s);
  json["peak_memory_bytes"] = record.peak_memory_bytes;
  Json rows = Json::array();
  for (const BenchRow& row : record.rows) {
    Json item;
    item["test"] = row.test;
    item["tokens"] = row.tokens;
    item["median_tokens_per_s"] = NumberJson(row.median());
    item["standard_deviation"] = NumberJson(row.standard_deviation());
    item["tokens_per_s"] = Json::array();
    for (double value : row.tokens_per_s) item["tokens_per_s"].push_back(NumberJson(value));
    rows.push_back(std::move(item));
  }
  json["rows"] = std::move(rows);
  return json;
}

BenchRecord BenchRecordFromJson(const Json& json, std::string_view where) {
  BenchRecord record;
  record.version = JsonVersion(json, "assay_bench", kBenchRecordVersion, "a benchmark record", where);
  record.model = ModelIdentityFromJson(JsonObject(json, "model", where), where);
  record.threads = static_cast<int>(JsonInt(json, "threads", where, 0));
  record.arithmetic = JsonString(json, "arithmetic", where, "");
  record.build = JsonString(json, "build", where, "");
  record.machine = JsonString(json, "machine", where, "");
  record.started = JsonString(json, "started", where, "");
  record.load_s = JsonDouble(json, "load_s", where);
  record.peak_memory_bytes = JsonUnsigned(json, "peak_memory_bytes", where);
  for (const Json& item : JsonArray(json, "rows", where)) {
    BenchRow row;
    row.test = JsonString(item, "test", where);
    row.tokens = JsonInt(item, "tokens", where, 0);
    for (const Json& value : JsonArray(item, "tokens_per_s", where)) {
      if (!value.is_number()) Fail(ErrorKind::kCorrupt, "{}: \"tokens_per_s\" should hold numbers", where);
      row.tokens_per_s.push_back(value.get<double>());
    }
    record.rows.push_back(std::move(row));
  }
  return record;
}

}  // namespace assay
