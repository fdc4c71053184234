#pragma once
// Speed of one model, in the table shape of llama-bench: one row per test.

#include <cstdint>
#include <string>
#include <vector>

#include "record/run_record.h"

namespace assay {

inline constexpr int kBenchRecordVersion = 1;

struct BenchRow {
  std::string test;  // "pp512": a prompt of 512 tokens; "tg128": 128 tokens generated
  int64_t tokens = 0;
  std::vector<double> tokens_per_s;  // one per repetition; NaN: not measured
  /// Of those measured; 0 without any.
  double median() const;
  double standard_deviation() const;
};

struct BenchRecord {
  int version = kBenchRecordVersion;
  ModelIdentity model;
  int threads = 0;
  std::string arithmetic, build, machine, started;
  double load_s = 0;
  uint64_t peak_memory_bytes = 0;
  std::vector<BenchRow> rows;
};

Json ToJson(const BenchRecord& record);
BenchRecord BenchRecordFromJson(const Json& json, std::string_view where);

}  // namespace assay
