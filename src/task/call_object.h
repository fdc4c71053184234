#pragma once
// Objects that are tool calls, told from objects that are data or describe a tool.

#include <string>
#include <string_view>

#include "base/json.h"
#include "task/call_body.h"

namespace assay {

/// A call as our syntaxes write it: {"name" | "tool_name": …, "arguments" | "parameters": {…}}, maybe inside
/// {"function": …} or a list; without arguments only for a tool on offer, since {"name": …} may just be data. The
/// description of a tool is none.
bool IsCall(const Json& json, const OfferedTools& tools);

/// Anywhere in `json`: a call in any shape that models are known to write, ours and others ({"action", "action_input"},
/// {"function": "NAME", …}, {"NAME": {arguments}} …).
bool HoldsCall(const Json& json, const OfferedTools& tools);

/// Text that is meant to be replaced by a value: surely ("<city>", "your city", "...", nothing), or likely ("string",
/// the parameter's own name, "city_name").
enum class Placeholder : uint8_t { kNo, kLikely, kSure };
Placeholder PlaceholderOf(std::string_view text, std::string_view parameter);

}  // namespace assay
