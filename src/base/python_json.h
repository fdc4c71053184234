#pragma once
// JSON as Python's json module writes it (config.json, generation_config.json, quantize_config.json …): NaN, Infinity,
// -Infinity, numbers beyond double and transformers' {"__float__": "Infinity"} are numbers.

#include <string>
#include <string_view>

#include "base/json.h"

namespace assay {

/// As ParseJson, not strict.
Json ParsePythonJson(std::string_view text, std::string_view where);

/// The text as JSON proper: such numbers are null. For parsers that do not need them.
std::string StrictJsonOfPython(std::string_view text);

/// As DumpJson, but numbers that are not finite are written as Python does (DumpJson makes them null).
std::string DumpPythonJson(const Json& value, int indent = -1);

}  // namespace assay
