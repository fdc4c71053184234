// Two JSON texts parted by a line end: a schema and a value. Compiling and validating end, in errors or in an Error.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "schema/json_schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t cut = text.find('\n');
  if (cut == std::string_view::npos) return 0;
  try {
    assay::Json schema = assay::ParseJson(text.substr(0, cut), "schema");
    auto compiled = assay::JsonSchema::Compile(schema, "schema");
    compiled.Validate(assay::ParseJson(text.substr(cut + 1), "value"));
    compiled.Validate(schema);
  } catch (const assay::Error&) {
  }
  return 0;
}
