// A table (CSV, TSV), or JSON rows, of a question and its right answer: which column is which, the names say, or --map.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "dialect/answer_text.h"
#include "import/answer_checks.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

struct Field {
  std::string_view name;
  std::initializer_list<std::string_view> columns;  // by which it is known, the first that is there
};
const Field kFields[] = {
    {"prompt",
     {"prompt", "question", "query", "input", "inputs", "instruction", "user", "request", "message", "text",
      "utterance"}},
    {"expected",
     {"expected", "expected_output", "expected_answer", "answer", "answers", "ideal", "target", "targets", "reference",
      "ground_truth", "label", "output", "response", "completion", "gold"}},
    {"id", {"id", "_id", "uid", "key", "question_id"}},
    {"slice", {"slice", "category", "capability", "topic", "tag", "subject", "group"}},
    {"cluster", {"cluster"}},
    {"system", {"system", "system_prompt"}},
    {"context", {"context", "passage", "document"}},
};

std::vector<std::string> ColumnsOf(const ImportSource& source) {
  if (source.is_table()) return source.columns;
  std::vector<std::string> names;
  if (!source.rows.empty())
    for (const auto& [key, value] : source.rows[0].value.items()) names.push_back(key);
  return names;
}

// Field → column, as the names say.
std::map<std::string, std::string> Known(const std::vector<std::string>& columns) {
  std::map<std::string, std::string> known;
  std::vector<std::string> free = columns;
  for (const Field& field : kFields)
    for (std::string_view name : field.columns) {
      const auto column = std::find_if(free.begin(), free.end(), [&](const std::string& one) {
        std::string lower = ToLowerAscii(one);
        std::replace(lower.begin(), lower.end(), ' ', '_');
        return lower == name;
      });
      if (column == free.end()) continue;
      known[std::string(field.name)] = *column;
      free.erase(column);
      break;
    }
  return known;
}

std::map<std::string, std::string> Mapped(const ImportSource& source, const KindOptions& options) {
  const std::vector<std::string> columns = ColumnsOf(source);
  std::map<std::string, std::string> map = Known(columns);
  for (const auto& [field, column] : options.columns) {
    if (std::none_of(std::begin(kFields), std::end(kFields),
                     [&, f = field](const Field& one) { return one.name == f; })) {
      std::vector<std::string> names;
      for (const Field& one : kFields) names.emplace_back(one.name);
      Fail(ErrorKind::kInvalid, "--map {}={}: expected one of the fields {} before the =", field, column,
           Join(names, ", "));
    }
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) {
      const std::string near = Nearest(column, columns);
      Fail(ErrorKind::kInvalid, "--map {}={}: {} has no such column, its columns are {}{}", field, column, source.name,
           Join(columns, ", "), near.empty() ? "" : "; did you mean " + Quote(near) + "?");
    }
    // What the names said of this column does not hold then.
    std::erase_if(map, [&, c = column](const auto& one) { return one.second == c; });
    map[field] = column;
  }
  return map;
}

// Options in columns A, B, C …, at least two.
std::vector<std::string> OptionColumns(const std::vector<std::string>& columns) {
  std::vector<std::string> options;
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    const auto at = std::find_if(columns.begin(), columns.end(), [&](const std::string& name) {
      return ToLowerAscii(name) == std::string(1, static_cast<char>(letter - 'A' + 'a'));
    });
    if (at == columns.end()) break;
    options.push_back(*at);
  }
  return options.size() < 2 ? std::vector<std::string>() : options;
}

std::string TextOf(const Json& row, const std::string& column) {
  const Json* value = FindMember(row, column);
  return !value ? "" : value->is_string() ? value->get<std::string>() : DumpJson(*value);
}

}  // namespace

bool FitsTable(const ImportSource& source) {
  if (source.rows.empty()) return source.is_table();
  if (source.is_table()) return true;
  const std::map<std::string, std::string> known = Known(ColumnsOf(source));
  return known.contains("prompt") && known.contains("expected");
}

void ReadTable(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  const std::vector<std::string> columns = ColumnsOf(source);
  const std::map<std::string, std::string> map = Mapped(source, options);
  for (const char* field : {"prompt", "expected"})
    if (!map.contains(field))
      Fail(ErrorKind::kInvalid, "{}: none of its columns is named as the {}: {}; say which it is with --map {}=COLUMN",
           source.name, std::string_view(field) == "prompt" ? "question" : "right answer", Join(columns, ", "), field);
  const std::vector<std::string> letters = OptionColumns(columns);
  std::string said;
  for (const Field& field : kFields)
    if (const auto column = map.find(std::string(field.name)); column != map.end())
      said += fmt::format("{}{} is {}", said.empty() ? "" : ", ", field.name, Quote(column->second));
  sink.Note("columns: " + said + (letters.empty() ? "" : fmt::format(", options are {}", fmt::join(letters, ", "))));
  const auto of = [&](const Json& row, const char* field) {
    const auto column = map.find(field);
    return column == map.end() ? std::string() : TextOf(row, column->second);
  };
  for (const ImportRow& row : source.rows) {
    std::string prompt = of(row.value, "prompt");
    if (IsBlank(prompt)) {
      sink.Skip(row.place, "no question");
      continue;
    }
    for (const auto& [key, value] : row.value.items())
      if (std::none_of(map.begin(), map.end(), [&, k = key](const auto& one) { return one.second == k; }) &&
          std::find(letters.begin(), letters.end(), key) == letters.end() && !value.is_null() && value != "")
        sink.Drop("column " + Quote(key));
    Json line = Json::object();
    for (const char* field : {"id", "slice", "cluster"})
      if (const std::string text = of(row.value, field); !IsBlank(text)) line[field] = text;
    if (const std::string context = of(row.value, "context"); !context.empty()) line["context"] = context;
    for (size_t i = 0; i < letters.size(); ++i)
      prompt +=
          fmt::format("{}\n{}) {}", i == 0 ? "\n" : "", static_cast<char>('A' + i), TextOf(row.value, letters[i]));
    line["messages"] = UserMessages(prompt, of(row.value, "system"));
    const Json* expected = FindMember(row.value, map.at("expected"));
    std::vector<Json> answers;
    if (expected && expected->is_array())
      answers.assign(expected->begin(), expected->end());
    else if (expected)
      answers.push_back(expected->is_string() ? Json(std::string(Trim(expected->get<std::string>()))) : *expected);
    AnswerChecks checks = ChecksOf(line, answers, options.check, TextCheck::kContains);
    if (checks.expect.is_null()) {
      sink.AddPrompt(row, std::move(line), checks.why);
      continue;
    }
    if (!line.contains("slice") && !checks.slice.empty()) line["slice"] = checks.slice;
    line["expect"] = std::move(checks.expect);
    sink.Add(row, std::move(line));
  }
}

}  // namespace assay
