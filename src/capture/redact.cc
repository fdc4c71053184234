#include "capture/redact.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/core.h>
#include <pcre2.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/error.h"
#include "base/strings.h"
#include "capture/redaction_rules.h"
#include "dialect/answer_text.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::string_view kStays[] = {"role", "type", "tool_call_id"};
constexpr size_t kShortestAgain = 5;  // bytes: a shorter value is taken out where its rule finds it alone

/// A value that was taken out, whatever its spaces and case: "DE44 5001 …" is "DE445001…".
std::string KeyOf(std::string_view value) {
  std::string key;
  for (char c : ToLowerAscii(value))
    if (c != ' ' && c != '-') key += c;
  return key;
}

/// Nothing where the text is no JSON object or list.
std::optional<Json> InnerJson(const std::string& text) {
  const std::string_view trimmed = Trim(text);
  if (!trimmed.starts_with('{') && !trimmed.starts_with('[')) return std::nullopt;
  try {
    return ParseJson(text, "");
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// `name`: of the member whose value the text is, empty for others.
using Edit = std::function<void(std::string& text, std::string_view name)>;

/// Every text below; in a text that is JSON, the texts in it, so that it stays JSON.
void EachText(Json& json, const Edit& edit, std::string_view name = {}) {
  if (json.is_string()) {
    std::string& text = json.get_ref<std::string&>();
    if (std::optional<Json> inner = InnerJson(text)) {
      const Json before = *inner;
      EachText(*inner, edit);
      if (*inner != before) text = DumpJson(*inner);
    } else {
      edit(text, name);
    }
  } else if (json.is_array()) {
    for (Json& item : json) EachText(item, edit);
  } else if (json.is_object()) {
    for (const auto& [key, value] : json.items())
      if (std::find(std::begin(kStays), std::end(kStays), key) == std::end(kStays)) EachText(value, edit, key);
  } else if (json.is_number_integer()) {
    // A card's number without quotes. What it becomes is a text, which no number can be.
    std::string digits = DumpJson(json);
    const std::string before = digits;
    if (digits.size() >= 13) edit(digits, name);
    if (digits != before) json = digits;
  }
}

bool InWord(std::string_view text, size_t begin, size_t end) {
  const auto word = [&](size_t at) {
    const auto c = static_cast<unsigned char>(text[at]);
    return std::isalnum(c) || c == '_' || c >= 0x80;
  };
  return (begin > 0 && word(begin - 1) && word(begin)) || (end < text.size() && word(end - 1) && word(end));
}

}  // namespace

struct Redaction::Rule {
  const RedactionRule* rule;
  pcre2_code* code = nullptr;
  int group = 0;

  explicit Rule(const RedactionRule& of) : rule(&of) {
    int error = 0;
    PCRE2_SIZE at = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(of.pattern.data()), of.pattern.size(), PCRE2_UTF | PCRE2_UCP,
                         &error, &at, nullptr);
    if (!code) Fail(ErrorKind::kInvalid, "redaction rule {}: PCRE2 error {} at {}", of.name, error, at);
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    group = std::max(0, pcre2_substring_number_from_name(code, reinterpret_cast<PCRE2_SPTR>("v")));
  }
  ~Rule() { pcre2_code_free(code); }
  Rule(const Rule&) = delete;

  /// Each find that holds is replaced by what `placeholder` gives. `text` is valid UTF-8.
  void Apply(std::string& text, const std::function<std::string(std::string_view)>& placeholder) const {
    pcre2_match_data* data = pcre2_match_data_create_from_pattern(code, nullptr);
    if (!data) Fail(ErrorKind::kResource, "no memory for a search");
    std::string out;
    size_t from = 0, copied = 0;
    while (from <= text.size() && pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                              from == 0 ? 0 : PCRE2_NO_UTF_CHECK, data, nullptr) > 0) {
      const PCRE2_SIZE* at = pcre2_get_ovector_pointer(data);
      const size_t begin = at[2 * group], end = at[2 * group + 1];
      const std::string_view found = std::string_view(text).substr(begin, end - begin);
      from = std::max<size_t>(at[1], from + 1);
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
      // What an earlier rule put there is nobody's.
      const bool ours = begin > 0 && text[begin - 1] == '[' && text.substr(end, 1) == "]";
      if (found.empty() || ours || (rule->holds && !rule->holds(found))) continue;
      out.append(text, copied, begin - copied);
      out += placeholder(found);
      copied = end;
    }
    pcre2_match_data_free(data);
    if (copied == 0 && out.empty()) return;
    out.append(text, copied);
    text = std::move(out);
  }
};

Redaction::Redaction(const std::vector<std::string>& without) {
  std::vector<std::string> names;
  for (const RedactionRule& rule : RedactionRules()) names.emplace_back(rule.name);
  for (const std::string& name : without)
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string near = Nearest(name, names);
      Fail(ErrorKind::kInvalid, "no redaction rule {}{}", name,
           near.empty() ? "; --list-rules names them" : "; did you mean " + near + "?");
    }
  for (const RedactionRule& rule : RedactionRules())
    if (std::find(without.begin(), without.end(), rule.name) == without.end())
      rules_.push_back(std::make_unique<Rule>(rule));
}

Redaction::~Redaction() = default;

void Redaction::Apply(const std::vector<Json*>& parts, RedactionCounts& counts) const {
  struct Taken {
    std::string placeholder;
    std::vector<std::string> written;  // as it was written, each way once
  };
  std::map<std::string, Taken> taken;   // by KeyOf
  std::map<std::string, int> of_label;  // placeholders given
  for (const auto& rule : rules_) {
    const auto placeholder = [&](std::string_view found) {
      Taken& one = taken[KeyOf(found)];
      if (one.placeholder.empty()) {
        const std::string label(rule->rule->label);
        one.placeholder = fmt::format("[{}_{}]", label, ++of_label[label]);
        ++counts[std::string(rule->rule->name)];
      }
      if (std::find(one.written.begin(), one.written.end(), found) == one.written.end())
        one.written.emplace_back(found);
      return one.placeholder;
    };
    for (Json* part : parts)
      EachText(*part, [&](std::string& text, std::string_view name) {
        if (!IsValidUtf8(text)) text = ValidUtf8(text);
        if (!rule->rule->by_name || name.empty()) return rule->Apply(text, placeholder);
        std::string words = ValidUtf8(name) + ": ";
        std::replace(words.begin(), words.end(), '_', ' ');
        std::string named = words + text;
        rule->Apply(named, placeholder);
        if (named.starts_with(words)) text = named.substr(words.size());
      });
  }
  // The same value where no rule would see it: a name without its title, a number in an answer.
  std::vector<std::pair<std::string, std::string>> again;
  for (const auto& [key, one] : taken)
    for (const std::string& written : one.written)
      if (written.size() >= kShortestAgain) again.emplace_back(written, one.placeholder);
  std::stable_sort(again.begin(), again.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  for (Json* part : parts)
    EachText(*part, [&](std::string& text, std::string_view) {
      for (const auto& [value, placeholder] : again)
        for (size_t at = text.find(value); at != std::string::npos; at = text.find(value, at)) {
          if (InWord(text, at, at + value.size())) {
            ++at;
            continue;
          }
          text.replace(at, value.size(), placeholder);
          at += placeholder.size();
        }
    });
}

}  // namespace assay
