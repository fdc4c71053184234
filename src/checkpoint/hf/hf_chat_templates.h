#pragma once
// The chat templates of a Hugging Face folder. Several files may hold some, and not the same: the tokenizer of
// transformers reads chat_template.jinja and additional_chat_templates/, else tokenizer_config.json; the processor of a
// model of text and images reads processor_config.json, else chat_template.json, else the tokenizer's files. vLLM asks
// the processor for chats without tools and the tokenizer for those with tools.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace assay {

struct HfChatTemplates {
  std::string main;                          // empty: none
  std::map<std::string, std::string> named;  // others, "tool_use" among them
  std::vector<std::string> remarks;          // which of different texts was taken, for people
};

/// `has_processor`: of a model of text and images. Throws Error{kCorrupt}.
HfChatTemplates ReadHfChatTemplates(const std::filesystem::path& folder, bool has_processor);

/// The folder has a template where a language model's tokenizer does not look for one.
bool HasProcessorTemplate(const std::filesystem::path& folder);

}  // namespace assay
