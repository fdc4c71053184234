// Files of other tools, and files of answers: no input may crash, hang or allocate without bound.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "record/scored_runs.h"
#include "task/answers_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    ScoreChoice choice;
    choice.threshold = 0.5;
    ParseScoredRun(text, "fuzz", choice);
  } catch (const Error&) {
  }
  static const Task kTask = ParseTask(
      R"({"id": "a", "prompt": "?", "expect": [{"type": "tool_calls", "calls": [{"name": "f"}]}]})", "fuzz.jsonl");
  ScoreAnswers(kTask, ReadAnswers(text, "fuzz"));
  return 0;
}
