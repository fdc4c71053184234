#pragma once
// Small made-up runs for tests.

#include <string>
#include <string_view>
#include <vector>

#include "record/run_record.h"

namespace assay {

/// One character per example: '.' pass, 'x' fail, 'E' error. Slices of `slice_size` examples are named "s0", "s1" …; 0:
/// one slice "all".
inline RunRecord MadeRun(std::string_view outcomes, size_t slice_size = 0, const std::string& format = "bf16") {
  RunRecord run;
  run.header.model = {"demo", "f-" + format, "llama", format, 16, 1000};
  run.header.task_name = "task.jsonl";
  run.header.task_hash = "task";
  run.header.tokenizer_hash = "tokens";
  run.header.template_hash = "chat";
  run.header.sampling = {{"temperature", 0}};
  run.header.arithmetic = "deployed";
  run.complete = true;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    ExampleResult result;
    result.id = "e" + std::to_string(i);
    result.index = static_cast<int64_t>(i);
    result.slice = slice_size ? "s" + std::to_string(i / slice_size) : "all";
    result.prompt_hash = "p" + std::to_string(i);
    result.answer = outcomes[i] == '.' ? "right" : "wrong";
    result.answer_ids = {outcomes[i] == '.' ? 1 : 2};
    result.finish = "stop";
    result.pass = outcomes[i] == '.';
    result.checks = {{"equals", result.pass, result.pass ? "" : "wrong value", ""}};
    if (outcomes[i] == 'E') {
      result.error = "server said 500";
      result.finish = "error";
      result.checks.clear();
    }
    run.examples.push_back(std::move(result));
  }
  return run;
}

/// The same with several samples: one text per example, one character per sample.
inline RunRecord SampledRun(const std::vector<std::string>& outcomes, size_t slice_size = 0,
                            const std::string& format = "bf16") {
  std::string all;
  for (const std::string& samples : outcomes) all += samples;
  const size_t samples = outcomes[0].size();
  RunRecord run = MadeRun(all, slice_size * samples, format);
  run.header.samples = static_cast<int64_t>(samples);
  run.header.sampling = {{"temperature", 1}};
  for (size_t i = 0; i < run.examples.size(); ++i) {
    ExampleResult& result = run.examples[i];
    result.id = "e" + std::to_string(i / samples);
    result.index = static_cast<int64_t>(i / samples);
    result.sample = static_cast<int64_t>(i % samples);
    result.prompt_hash = "p" + std::to_string(i / samples);
  }
  return run;
}

/// `passes` passes, then `fails` failures.
inline std::string Outcomes(size_t passes, size_t fails) {
  return std::string(passes, '.') + std::string(fails, 'x');
}

}  // namespace assay
