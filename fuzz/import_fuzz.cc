// Files of other tools: no input may crash, hang or allocate without bound; what is made of them is a task that this
// program reads, and a file of prompts. What stands behind the first byte 0x1E is the file of possible answers.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "import/import.h"
#include "task/task.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = input.find('\x1E');
  ImportOptions options;
  if (split != std::string_view::npos) {
    options.from = "bfcl";
    options.kind.answers = std::string(input.substr(split + 1));
    options.kind.answers_name = "answers.json";
  } else if (size % 4 != 0) {  // kinds that only a flag chooses for such rows
    options.from = std::string(ImportKinds()[size % ImportKinds().size()].name);
  }
  ImportResult result;
  try {
    result = ImportTask(input.substr(0, split), "f", options);
  } catch (const Error&) {
    return 0;
  }
  // Lines of a task are read as a whole by whoever writes them; all others one by one, before.
  if (result.examples > 0 && result.kind != "task") ParseTask(result.task_text, "task.jsonl");
  if (!result.rest_text.empty()) ParsePrompts(result.rest_text, "rest.jsonl");
  return 0;
}
