#define PCRE2_CODE_UNIT_WIDTH 8
#include "checkpoint/hf/packing/targets.h"

#include <pcre2.h>

#include <algorithm>

#include "base/error.h"

namespace assay {

void ModuleTarget::Free::operator()(void* code) const {
  pcre2_code_free(static_cast<pcre2_code*>(code));
}

ModuleTarget::ModuleTarget(std::string text, const std::string& where) : text_(std::move(text)) {
  if (!text_.starts_with("re:")) return;
  int error = 0;
  PCRE2_SIZE at = 0;
  std::string_view pattern = std::string_view(text_).substr(3);
  if (pattern.size() > 4096) Fail(ErrorKind::kUnsupported, "{}: a pattern of {} characters", where, pattern.size());
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_ANCHORED, &error, &at,
                            nullptr));
  if (!code_) Fail(ErrorKind::kInvalid, "{}: \"{}\" is not a regular expression (character {})", where, text_, at);
}

ModuleTarget ModuleTarget::Pattern(const std::string& pattern, const std::string& where) {
  return ModuleTarget("re:" + pattern, where);
}

int ModuleTarget::Match(std::string_view module, std::string_view class_name) const {
  if (!code_) return text_ == module ? 3 : text_ == class_name ? 1 : 0;
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(pcre2_match_data_create(1, nullptr),
                                                                           pcre2_match_data_free);
  std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(pcre2_match_context_create(nullptr),
                                                                                    pcre2_match_context_free);
  pcre2_set_match_limit(context.get(), 100'000);
  pcre2_set_depth_limit(context.get(), 1'000);
  int result = pcre2_match(static_cast<pcre2_code*>(code_.get()), reinterpret_cast<PCRE2_SPTR>(module.data()),
                           module.size(), 0, 0, data.get(), context.get());
  if (result < 0 && result != PCRE2_ERROR_NOMATCH)
    Fail(ErrorKind::kInvalid, "quantization_config: \"{}\" cannot be matched against {} within its limits", text_,
         module);
  return result >= 0 ? 2 : 0;
}

int MatchAny(const std::vector<ModuleTarget>& targets, std::string_view module, std::string_view class_name) {
  int best = 0;
  for (const ModuleTarget& target : targets) best = std::max(best, target.Match(module, class_name));
  return best;
}

std::vector<std::string> ReadNames(const Json& object, const char* key, const std::string& where) {
  std::vector<std::string> out;
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return out;
  if (!it->is_array() || it->size() > 1'000'000)
    Fail(ErrorKind::kInvalid, "{}: \"{}\" should be a list of names", where, key);
  for (const Json& item : *it) {
    if (!item.is_string())
      Fail(ErrorKind::kInvalid, "{}: \"{}\" should hold strings, found {}", where, key, DumpJson(item));
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::vector<ModuleTarget> ReadTargets(const Json& object, const char* key, const std::string& where) {
  std::vector<ModuleTarget> out;
  for (std::string& name : ReadNames(object, key, where)) out.emplace_back(std::move(name), where);
  return out;
}

bool NamedIn(const std::vector<std::string>& names, std::string_view module) {
  for (const std::string& name : names) {
    if (name.empty() || name.size() > module.size()) continue;
    for (size_t at = module.find(name); at != std::string_view::npos; at = module.find(name, at + 1)) {
      size_t end = at + name.size();
      bool begins = at == 0 || module[at - 1] == '.', ends = end == module.size() || module[end] == '.';
      if (begins && ends && (at == 0 || end == module.size())) return true;
    }
  }
  return false;
}

}  // namespace assay
