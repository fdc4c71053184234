#pragma once
// Prompts of models whose folders state them in Python code instead of a chat template.

#include <string>
#include <string_view>

namespace assay {

/// A chat template that renders what the code published with models of this architecture (ModelConfig::architecture)
/// does; empty where there is none. Variables: `thinking` (or `enable_thinking`), false when missing.
///   deepseek32: encoding_dsv32.py of DeepSeek V3.2's folder (V3.2-Exp ships a template, which wins)
///   deepseek4: encoding_dsv4.py of DeepSeek V4's folders
std::string PublishedChatTemplate(std::string_view architecture);

}  // namespace assay
