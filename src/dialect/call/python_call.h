#pragma once
// Tool calls written as Python: [f(a=1, b="x"), g.h()], with literal arguments by keyword.

#include <string>
#include <string_view>
#include <vector>

#include "dialect/call/call_syntax.h"

namespace assay {

/// `text` begins with '[' and a (dotted) name and '('.
bool LooksLikePythonList(std::string_view text);

/// Parses the whole text: a list of calls, or calls separated by commas, semicolons or new lines. Returns an error,
/// empty on success.
std::string ParsePythonCalls(std::string_view text, size_t max_calls, std::vector<ToolCall>& calls);

/// Parses the whole text as one literal; false when it is none.
bool ParsePythonLiteral(std::string_view text, Json& value);

/// Behind the string whose quote stands at `at`, npos when it does not end.
size_t PythonStringEnd(std::string_view text, size_t at);

std::string RenderPythonCall(const ToolCall& call);

}  // namespace assay
