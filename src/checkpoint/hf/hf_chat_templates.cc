#include "checkpoint/hf/hf_chat_templates.h"

#include <fmt/format.h>

#include <string_view>

#include "base/error.h"
#include "base/python_json.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxBytes = 64u << 20;
constexpr const char *kDefault = "default", *kToolUse = "tool_use", *kJinja = "chat_template.jinja",
                     *kFolder = "additional_chat_templates", *kTokenizerConfig = "tokenizer_config.json",
                     *kLegacy = "chat_template.json", *kProcessorConfig = "processor_config.json";

/// Templates by name from one place; empty: the place holds none.
struct Source {
  std::string place;
  std::map<std::string, std::string> texts;

  std::string Default() const {
    auto it = texts.find(kDefault);
    return it == texts.end() ? "" : it->second;
  }
};

Source FromFiles(const fs::path& folder) {
  Source source{kJinja, {}};
  std::error_code ignored;
  if (fs::exists(folder / kJinja, ignored)) source.texts[kDefault] = ReadFile(folder / kJinja, kMaxBytes);
  if (!fs::is_directory(folder / kFolder, ignored)) return source;
  if (source.texts.empty()) source.place = kFolder;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / kFolder))
    if (entry.path().extension() == ".jinja")
      source.texts[entry.path().stem().string()] = ReadFile(entry.path(), kMaxBytes);
  return source;
}

/// The member chat_template: a text, or texts by name, of which a later one wins.
Source FromJson(const fs::path& folder, const char* name) {
  Source source{name, {}};
  const std::string where = (folder / name).string();
  std::error_code ignored;
  if (!fs::exists(folder / name, ignored)) return source;
  const std::string text = ReadFile(folder / name, kMaxBytes);
  if (text.empty()) return source;
  const Json json = ParsePythonJson(text, where);
  if (!json.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", where, json.type_name());
  auto it = json.find("chat_template");
  if (it == json.end() || it->is_null()) return source;
  if (it->is_string()) {
    source.texts[kDefault] = it->get<std::string>();
  } else if (it->is_array()) {
    for (const Json& item : *it) source.texts[JsonString(item, "name", where)] = JsonString(item, "template", where);
  } else if (it->is_object()) {
    for (const auto& [key, value] : it->items()) source.texts[key] = JsonString(*it, key, where);
  } else {
    Fail(ErrorKind::kCorrupt, "{}: chat_template: expected text, or templates by name, found {}", where,
         it->type_name());
  }
  return source;
}

/// The line end that a file has at its end is no part of the template.
std::string_view Trimmed(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

/// `other` says something that `taken` says otherwise, or not at all.
bool Differs(const Source& other, const Source& taken) {
  for (const auto& [name, text] : other.texts) {
    auto it = taken.texts.find(name);
    if (it == taken.texts.end() || Trimmed(it->second) != Trimmed(text)) return true;
  }
  return false;
}

}  // namespace

HfChatTemplates ReadHfChatTemplates(const fs::path& folder, bool has_processor) {
  const Source files = FromFiles(folder), config = FromJson(folder, kTokenizerConfig),
               legacy = FromJson(folder, kLegacy), own = has_processor ? FromJson(folder, kProcessorConfig) : Source();
  HfChatTemplates out;
  const Source& tokenizers = files.texts.empty() ? config : files;
  Source taken = tokenizers;
  auto tell_left = [&](const Source& other) {
    if (Differs(other, taken))
      out.remarks.push_back(fmt::format("{} holds another chat template than {}, which is taken, as transformers does",
                                        other.place, taken.place));
  };
  if (taken.texts.empty() && !legacy.texts.empty()) {
    taken = legacy;
    if (!has_processor)
      out.remarks.push_back(fmt::format(
          "the chat template is taken from {}, which no tokenizer of transformers reads; there is no other", kLegacy));
  } else if (!files.texts.empty()) {
    tell_left(config);
  }
  const Source& processors = !own.texts.empty() ? own : legacy;
  if (has_processor && !processors.Default().empty()) {
    if (&processors == &own && Differs(legacy, own))
      out.remarks.push_back(fmt::format("{} holds another chat template than {}, which is taken, as transformers does",
                                        legacy.place, own.place));
    const std::string with_tools = taken.Default();
    taken.texts[kDefault] = processors.Default();
    if (!with_tools.empty() && Trimmed(with_tools) != Trimmed(processors.Default())) {
      taken.texts.emplace(kToolUse, with_tools);
      out.remarks.push_back(
          fmt::format("{} and {} hold different chat templates; chats without tools get the former, those with tools "
                      "the latter, as vLLM does",
                      processors.place, tokenizers.place));
    }
  } else if (!tokenizers.texts.empty()) {
    tell_left(legacy);
  }
  if (auto it = taken.texts.find(kDefault); it != taken.texts.end()) {
    out.main = it->second;
    taken.texts.erase(it);
  }
  out.named = std::move(taken.texts);
  return out;
}

bool HasProcessorTemplate(const fs::path& folder) {
  return !FromJson(folder, kLegacy).texts.empty() || !FromJson(folder, kProcessorConfig).texts.empty();
}

}  // namespace assay
