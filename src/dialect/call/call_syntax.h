#pragma once
// Tool calls out of raw answer text, in the syntaxes that models are trained on. Text that is meant as a call but is
// none is an error of its own, never silently text. Linear in the text.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

struct ToolCall {
  std::string name;
  Json arguments;  // object
};

struct ParsedCalls {
  std::vector<ToolCall> calls;
  std::string syntax;      // name of the row that read them; empty: no call in the text
  bool recovered = false;  // read from a ```json fence
  std::string error;       // not empty: call text that cannot be read, and why
};

inline constexpr size_t kMaxCalls = 256;  // per answer

/// `text` keeps its special tokens and has no reasoning left (reasoning.h). `tools` are those offered, in OpenAI's
/// format, or null: an unmarked call needs one of them where the text alone would be ambiguous, and values without
/// quotes get the types that they declare. A text that is JSON or Python from its first byte to its last is read as
/// that; else all syntaxes are tried: `first` (a row's name, may be empty), those with marks as their marks stand in
/// the text, then those without.
ParsedCalls ParseCalls(std::string_view text, const Json& tools, std::string_view first = {});

/// The syntax that a chat template renders calls in, empty when it names none.
std::string_view CallSyntaxOf(std::string_view chat_template);

/// Names of all syntaxes.
std::vector<std::string_view> CallSyntaxNames();

/// Renders calls in a syntax (for prompts that show one, and for tests).
std::string RenderCalls(const std::vector<ToolCall>& calls, std::string_view syntax);

}  // namespace assay
