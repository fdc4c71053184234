// Questions with options and the letter or number of the right one: MMLU-Pro ("options", "answer": "I"), MMLU
// ("choices", "answer": 2), ARC ("choices": {"text", "label"}, "answerKey").
#include <fmt/core.h>

#include <algorithm>

#include "base/json_member.h"
#include "base/strings.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

constexpr size_t kMostOptions = 26;

struct Options {
  std::vector<std::string> texts, labels;  // labels empty: A, B, C …
};

Options OptionsOf(const Json& row) {
  Options out;
  const Json* list = FindMember(row, "options");
  if (!list) list = FindMember(row, "choices");
  if (!list) return out;
  const Json* labels = nullptr;
  if (list->is_object()) {
    labels = FindMember(*list, "label");
    list = FindMember(*list, "text");
  }
  if (!list || !list->is_array()) return out;
  for (const Json& one : *list)
    if (one.is_string()) out.texts.push_back(one.get<std::string>());
  if (out.texts.size() != list->size()) out.texts.clear();
  if (labels && labels->is_array() && labels->size() == out.texts.size())
    for (const Json& one : *labels) out.labels.push_back(one.is_string() ? one.get<std::string>() : DumpJson(one));
  return out;
}

// The place of the right option, npos: not known.
size_t RightOf(const Json& row, const Options& options) {
  for (const char* key : {"answerKey", "answer", "answer_index", "label"}) {
    const Json* value = FindMember(row, key);
    if (!value) continue;
    if (value->is_number_integer() && *value >= 0) return value->get<size_t>();
    if (!value->is_string()) continue;
    const std::string text(Trim(value->get_ref<const std::string&>()));
    if (const auto at = std::find(options.labels.begin(), options.labels.end(), text); at != options.labels.end())
      return static_cast<size_t>(at - options.labels.begin());
    if (text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z') return static_cast<size_t>(text[0] - 'A');
    if (const auto at = std::find(options.texts.begin(), options.texts.end(), text); at != options.texts.end())
      return static_cast<size_t>(at - options.texts.begin());
  }
  return std::string::npos;
}

}  // namespace

bool FitsMultipleChoice(const ImportSource& source) {
  return (RowsHave(source, {"question", "options"}) || RowsHave(source, {"question", "choices"})) &&
         !OptionsOf(source.rows[0].value).texts.empty();
}

void ReadMultipleChoice(const ImportSource& source, const KindOptions&, ImportSink& sink) {
  sink.Note(
      "the options stand below the question with letters, and the wording around them is this program's: no "
      "worked examples are put before");
  for (const ImportRow& row : source.rows) {
    const Json* question = FindMember(row.value, "question");
    const Options options = OptionsOf(row.value);
    const size_t right = RightOf(row.value, options);
    if (!question || !question->is_string() || options.texts.empty() || options.texts.size() > kMostOptions ||
        right >= options.texts.size()) {
      sink.Skip(row.place, fmt::format("expected a text \"question\", up to {} texts as options and the right one's "
                                       "letter or number",
                                       kMostOptions));
      continue;
    }
    std::string text = question->get<std::string>() + "\n";
    for (size_t i = 0; i < options.texts.size(); ++i)
      text += fmt::format("\n{}) {}", static_cast<char>('A' + i), options.texts[i]);
    text += "\n\nFinish with: the answer is (X), where X is the letter of the right option.";
    Json line = Json::object();
    for (const char* key : {"question_id", "id"})
      if (const Json* id = FindMember(row.value, key); id && !line.contains("id")) line["id"] = *id;
    for (const char* key : {"category", "subject"})
      if (const Json* slice = FindMember(row.value, key); slice && !line.contains("slice")) line["slice"] = *slice;
    line["messages"] = UserMessages(text);
    line["expect"] = Json::array(
        {{{"type", "choice"}, {"value", std::string(1, static_cast<char>('A' + right))}, {"choices", options.texts}}});
    for (const auto& [key, value] : row.value.items())
      if (key == "src" || key == "cot_content" || key == "source" || key == "explanation") sink.Drop("\"" + key + "\"");
    sink.Add(row, std::move(line));
  }
}

}  // namespace assay
