// A chat template is somebody else's program: parsing and rendering it ends, in text or in an Error.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const assay::Json variables = assay::ParseJson(
      R"({"messages":[{"role":"user","content":"Hi é"},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f",)"
      R"("arguments":{"a":1,"b":[true,2.5]}}}]}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],)"
      R"("add_generation_prompt":true,"bos_token":"<s>","eos_token":"</s>","n":7,"l":[3,1,2],"d":{"k":"v"}})",
      "variables");
  static const assay::jinja::Limits limits{.steps = 20'000, .output_bytes = 1 << 16};
  try {
    auto parsed = assay::jinja::Template::Parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    parsed->Render(variables, 0, limits);
  } catch (const assay::Error&) {
  }
  return 0;
}
