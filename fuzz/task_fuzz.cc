// Task files, and answers against every check: no input may crash, hang or allocate without bound. The input is a task
// file; what comes after the first byte 0x1E is the answer that all its checks are run on, and that the call parser
// reads.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "dialect/call/call_syntax.h"
#include "task/check/number_text.h"
#include "task/task.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  size_t split = input.find('\x1E');
  std::string_view text = input.substr(0, split);
  std::string_view answer = split == std::string_view::npos ? input : input.substr(split + 1);

  static const Json kTools = Json::parse(R"([{"type":"function","function":{"name":"f","parameters":{"type":"object",
      "properties":{"a":{"type":"string"},"n":{"anyOf":[{"type":"integer"},{"type":"string"}]}}}}}])");
  ParseCalls(answer, kTools);
  FindNumbers(answer, size % 2 == 0);
  CheckTaskText(text, "fuzz.jsonl");
  try {
    Task task = ParseTask(text, "fuzz.jsonl");
    for (const Example& example : task.examples)
      for (const Check& check : example.expect) {
        CheckResult result = RunCheck(check, {answer, "stop"}, example);
        if (result.pass != result.failure.empty()) __builtin_trap();
      }
  } catch (const Error&) {
  }
  return 0;
}
