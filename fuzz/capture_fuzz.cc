// Request logs: no input may crash, hang or allocate without bound; and what is made of them is a task and a file of
// prompts that this program reads.
#include <cstdint>
#include <string_view>

#include "capture/capture.h"
#include "capture/log_reader.h"
#include "task/task.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = input.find('\x1E');  // two logs
  LogReader reader;
  reader.Read(input.substr(0, split), "a.log");
  if (split != std::string_view::npos) reader.Read(input.substr(split + 1), "b.jsonl");
  CaptureOptions options;
  options.count = 3;
  options.keep_sampling = size % 2 == 0;
  options.redact = size % 16 == 0;  // compiling its patterns takes longer than all else
  const CaptureResult result = MakeTask(reader.Take(), options);
  if (!result.task_text.empty()) ParseTask(result.task_text, "task.jsonl");
  if (!result.rest_text.empty()) ParsePrompts(result.rest_text, "rest.jsonl");
  return 0;
}
