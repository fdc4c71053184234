#pragma once
// Captured requests become a task and a file of unlabelled prompts: near-duplicates removed, secrets taken out, some
// chosen, checks drafted from what was answered.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "capture/captured.h"
#include "capture/example_line.h"
#include "capture/redact.h"
#include "capture/strata.h"

namespace assay {

struct CaptureOptions {
  int64_t count = 50;
  uint64_t seed = 0;
  double near_duplicates = 0.85;  // similarity from which a request repeats another; above 1: none does
  bool redact = true;
  std::vector<std::string> without_rules;
  bool keep_sampling = false;
};

struct CaptureResult {
  std::string task_text, rest_text;                          // JSON lines
  int64_t requests = 0;                                      // that were read
  std::vector<std::pair<std::string, std::string>> refused;  // place, why: no task can hold them
  struct Duplicate {
    std::string place, of;
  };
  std::vector<Duplicate> duplicates;
  LeftOut left_out;
  RedactionCounts redacted;
  std::vector<Stratum> strata;
  int64_t chosen = 0, drafted = 0, rest = 0;
  int64_t over = 0;  // that the unlabelled file has no room for: as many as can be read, 100,000 and 240 MiB
  std::map<std::string, int64_t> slices;                       // of the drafted
  std::vector<std::pair<std::string, std::string>> undrafted;  // id, why: of the chosen, first in rest_text
};

/// Throws Error{kInvalid} for a rule that there is not.
CaptureResult MakeTask(const std::vector<Captured>& requests, const CaptureOptions& options);

}  // namespace assay
