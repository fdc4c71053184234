#pragma once
// What the tokenizer's code in Kimi's folders does with tool definitions before the chat template sees them
// (tokenization_kimi.py, tool_declaration_ts.py): keys are sorted, and templates from K2.5 on get them as TypeScript.

#include <optional>
#include <string>

#include "base/json.h"
#include "dialect/chat_template.h"

namespace assay {

/// Sorts input.tools and sets `tools_ts_str` where the template is one of Kimi's; else changes nothing.
void PrepareKimiTools(const ChatTemplate& chat_template, ChatTemplate::Input& input);

/// `tools`: OpenAI's format, keys sorted. Nothing where the schemas say what the published code gives up on; the
/// template then shows JSON.
std::optional<std::string> TypeScriptTools(const Json& tools);

}  // namespace assay
