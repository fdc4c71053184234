#include "record/bench_record.h"

#include <algorithm>
#include <cmath>

#include "record/members.h"
#include "statistics/summary.h"

namespace assay {
namespace {

std::vector<double> Measured(std::vector<double> rates) {
  std::erase_if(rates, [](double rate) { return std::isnan(rate); });
  return rates;
}

}  // namespace

double BenchRow::median() const {
  const std::vector<double> rates = Measured(tokens_per_s);
  return rates.empty() ? 0.0 : Quantile(rates, 0.5);
}

double BenchRow::standard_deviation() const {
  MeanAccumulator rates;
  for (double rate : Measured(tokens_per_s)) rates.Add(rate);
  return std::sqrt(rates.variance());
}

void Members(auto& json, MaybeConst<BenchRow> auto& row) {
  json.Required("test", row.test);
  json.Member("tokens", row.tokens);
  json.Derived("median_tokens_per_s", row.median());
  json.Derived("standard_deviation", row.standard_deviation());
  json.Required("tokens_per_s", row.tokens_per_s);
}

void Members(auto& json, MaybeConst<BenchRecord> auto& record) {
  json.Version("assay_bench", record.version, kBenchRecordVersion, "a benchmark record");
  json.Required("model", record.model);
  json.Member("threads", record.threads);
  json.Member("arithmetic", record.arithmetic);
  json.Member("build", record.build);
  json.Member("machine", record.machine);
  json.Member("started", record.started);
  json.Member("load_s", record.load_s);
  json.Member("peak_memory_bytes", record.peak_memory_bytes);
  json.Required("rows", record.rows);
}

Json ToJson(const BenchRecord& record) {
  return JsonWriter::Written(record);
}

BenchRecord BenchRecordFromJson(const Json& json, std::string_view where) {
  return ReadJson<BenchRecord>(json, where);
}

}  // namespace assay
