#pragma once
// Objects that are tool calls, told from objects that are data or describe a tool.

#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "dialect/call/call_body.h"

namespace assay {

/// Members that hold a tool's name and its arguments, in what models write.
inline constexpr std::string_view kCallNameKeys[] = {"name",           "tool_name", "tool",         "function",
                                                     "function_name",  "func",      "action",       "api_name",
                                                     "recipient_name", "toolName",  "functionName", "tool_call"};
inline constexpr std::string_view kCallArgumentKeys[] = {"arguments",  "parameters",      "args",      "params",
                                                         "input",      "inputs",          "kwargs",    "action_input",
                                                         "tool_input", "tool_parameters", "tool_args", "toolInput"};
/// Pairs of them that say "call" whatever the tool.
inline constexpr std::pair<std::string_view, std::string_view> kSureCallPairs[] = {
    {"name", "arguments"},
    {"name", "parameters"},
    {"tool_name", "parameters"},
    {"tool_name", "arguments"},
    {"action", "action_input"},
    {"tool", "tool_input"},
    {"tool", "arguments"},
    {"tool", "parameters"},
    {"function", "arguments"},
    {"function", "parameters"},
    {"function_name", "arguments"},
    {"function_name", "parameters"},
    {"recipient_name", "parameters"},
};

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
