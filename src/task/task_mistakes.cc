#include "task/task_mistakes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "task/backend.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::string_view kImport = "assay task import FILE -o task.jsonl";
constexpr std::string_view kALine =
    R"({"id": "capital-1", "messages": [{"role": "user", "content": …}], "expect": [{"type": "contains", "value": …}]})";

std::string ExpectedLine() {
  return fmt::format("expected one JSON object a line, such as {}", kALine);
}

bool HasKeys(const Json& object, std::initializer_list<const char*> keys) {
  return std::all_of(keys.begin(), keys.end(), [&](const char* key) { return object.contains(key); });
}

// Files.

struct Signature {
  std::string_view bytes, found, fix;
};
constexpr Signature kSignatures[] = {
    {"PK\x03\x04", "a ZIP archive (or a spreadsheet, .xlsx)",
     "export its rows as CSV, of which assay task import makes a task (of Inspect's .eval: inspect log dump FILE)"},
    {"\x1F\x8B", "gzip", "unpack it (gunzip FILE)"},
    {"\x28\xB5\x2F\xFD", "Zstandard", "unpack it (zstd -d FILE)"},
    {"BZh", "bzip2", "unpack it (bunzip2 FILE)"},
    {"PAR1", "Parquet",
     "export its rows as JSON, one object a line (pandas: to_json(orient=\"records\", lines=True)), of which assay "
     "task "
     "import makes a task"},
    {"GGUF", "a GGUF model", "give the task file here, the model where the command takes it"},
    {"SQLite format 3", "an SQLite database", "export its rows as CSV, of which assay task import makes a task"},
    {"%PDF", "PDF", "write the examples as JSON, one object a line"},
};

struct Rows {
  std::string_view first, second;  // the first two lines that are not blank, as they are
  int64_t line = 0;                // of the first
  size_t count = 0;
};

Rows FirstRows(std::string_view text) {
  Rows rows;
  int64_t line = 0;
  while (!text.empty() && rows.count < 2) {
    size_t end = text.find('\n');
    std::string_view row = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++line;
    if (IsBlank(row)) continue;
    if (rows.count++ == 0) {
      rows.first = row;
      rows.line = line;
    } else {
      rows.second = row;
    }
  }
  return rows;
}

// A configuration of promptfoo's, or a file of its tests.
bool IsPromptfoo(std::string_view text) {
  const auto has = [&](std::string_view key) {
    return text.starts_with(std::string(key) + ":") ||
           text.find("\n" + std::string(key) + ":") != std::string_view::npos;
  };
  return has("providers") || has("prompts") || has("tests") || has("defaultTest") ||
         (text.find("vars:") != std::string_view::npos && text.find("expect:") == std::string_view::npos);
}

// The separator of a table's head, 0 for none: words and nothing else, and a second line with the same separator.
char TableSeparator(const Rows& rows) {
  for (char separator : {'\t', ',', ';', '|'}) {
    auto columns = Split(Trim(rows.first), separator);
    if (columns.size() < 2) continue;
    bool words = std::all_of(columns.begin(), columns.end(), [](const std::string& column) {
      std::string_view name = Trim(column);
      if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
      return !name.empty() && name.size() <= 40 && name.find_first_of("{}[]:\"") == std::string_view::npos;
    });
    if (words && (rows.count < 2 || rows.second.find(separator) != std::string_view::npos)) return separator;
  }
  return 0;
}

bool IsWholeJson(std::string_view row) {
  try {
    ParseJson(row, "");
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Lines.

constexpr std::string_view kQuoteMarks[] = {"“", "”", "„", "‘", "’", "«", "»", "＂"};

constexpr std::string_view kPythons = " (json.dumps of Python writes it so)", kNoNumber = " (JSON has no such number)";
struct Literal {
  std::string_view text, meant, note;
};
constexpr Literal kLiterals[] = {{"True", "true", kPythons}, {"False", "false", kPythons},
                                 {"None", "null", kPythons}, {"TRUE", "true", ""},
                                 {"FALSE", "false", ""},     {"NULL", "null", ""},
                                 {"undefined", "null", ""},  {"NaN", "null", kNoNumber},
                                 {"nan", "null", kNoNumber}, {"Infinity", "a number", kNoNumber}};

// What is wrong at byte `at`, where the parser stopped; empty when nothing common.
std::string MistakeAt(std::string_view row, size_t at) {
  std::string_view here = row.substr(std::min(at, row.size()));
  std::string_view before = Trim(row.substr(0, std::min(at, row.size())));
  for (std::string_view mark : kQuoteMarks)
    if (here.starts_with(mark))
      return fmt::format("found the typographic quote {}, expected \" around names and texts", mark);
  if (here.starts_with('\''))
    return "found ' around a name or text, expected \" (a Python dictionary? json.dumps writes JSON)";
  for (const Literal& literal : kLiterals)
    if (here.starts_with(literal.text))
      return fmt::format("found {}, expected {}{}", literal.text, literal.meant, literal.note);
  if ((here.starts_with('}') || here.starts_with(']')) && before.ends_with(','))
    return fmt::format("found a comma before {}, expected none behind the last {}", here[0],
                       here[0] == '}' ? "member" : "element");
  if (here.starts_with("//") || here.starts_with("/*") || here.starts_with('#'))
    return "found a comment, which JSON has not: remove it";
  bool inside = before.ends_with('{') || before.ends_with(',');
  if (inside && !here.empty() && (std::isalpha(static_cast<unsigned char>(here[0])) || here[0] == '_'))
    return fmt::format("found the name {} without quotes, expected \"…\" around it",
                       Quote(here.substr(0, here.find_first_of(": ,}")), 40));
  return "";
}

size_t ColumnOf(std::string_view parser_message) {
  size_t at = parser_message.find("column ");
  return at == std::string_view::npos
             ? 0
             : std::strtoul(std::string(parser_message.substr(at + 7, 12)).c_str(), nullptr, 10);
}

// Rows.

struct RowKind {
  std::string_view name;
  std::initializer_list<const char*> keys;
  std::string_view fix;
  std::string_view command = kImport;
};
constexpr std::string_view kPairFix =
    "the question goes into \"messages\": [{\"role\": \"user\", \"content\": …}], the right answer into \"expect\": "
    "[{\"type\": \"contains\", \"value\": …}]";

bool IsOtherRow(const Json& object, std::initializer_list<const char*> keys) {
  return !object.contains("expect") && HasKeys(object, keys);
}

const RowKind* FindRowKind(const Json& object) {
  static const RowKind kRows[] = {
      {"a ShareGPT row",
       {"conversations"},
       "turns are \"messages\": [{\"role\": \"user\", \"content\": …}], without the last answer, which \"expect\" asks "
       "for: [{\"type\": \"contains\", \"value\": …}]"},
      {"an Alpaca row",
       {"instruction", "output"},
       "\"instruction\" and \"input\" go into \"messages\": [{\"role\": \"user\", \"content\": …}], \"output\" into "
       "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
      {"a request of OpenAI's batch interface",
       {"custom_id", "body"},
       "its \"custom_id\" is \"id\", \"body\".\"messages\" is \"messages\", and \"expect\" says what is right",
       "assay task capture FILE -o task.jsonl"},
      {"a preference pair", {"chosen", "rejected"}, kPairFix, ""},
      {"a row of OpenAI evals",
       {"input", "ideal"},
       "\"input\" is \"messages\", \"ideal\" is \"expect\": [{\"type\": \"equals\", \"value\": …}]"},
      {"a promptfoo test",
       {"vars", "assert"},
       "\"assert\" is \"expect\", and the prompt is written out, without variables"},
      {"a multiple-choice row",
       {"question", "choices", "answer"},
       "\"question\" and the options go into \"messages\", the answer into \"expect\": [{\"type\": \"choice\", "
       "\"value\": \"B\", \"choices\": […]}]"},
      {"a row of question and answer", {"question", "answer"}, kPairFix},
      {"a completion row for fine-tuning",
       {"prompt", "completion"},
       "\"prompt\" stays, \"completion\" becomes \"expect\": [{\"type\": \"contains\", \"value\": …}]"},
      {"a row of prompt and response",
       {"prompt", "response"},
       "\"prompt\" stays, \"response\" becomes \"expect\": [{\"type\": \"contains\", \"value\": …}]"},
      {"a row of input and output", {"input", "output"}, kPairFix},
      {"a row of inputs and targets", {"inputs", "targets"}, kPairFix},
      {"a row of query and response", {"query", "response"}, kPairFix},
      {"a DeepEval test case", {"input", "expected_output"}, kPairFix},
      {"a Berkeley Function Calling row",
       {"question", "function"},
       "\"question\" is \"messages\", \"function\" is \"tools\", the possible answers are \"expect\": [{\"type\": "
       "\"tool_calls\", \"calls\": […]}]"},
      {"a row of plain text",
       {"text"},
       "ask something about it in \"messages\" and say in \"expect\" what is right",
       ""},
  };
  for (const RowKind& row : kRows)
    if (IsOtherRow(object, row.keys)) return &row;
  return nullptr;
}

struct OtherName {
  std::string_view name, meant;
};

// Members of an example by other names.
constexpr OtherName kMembersMeant[] = {
    {"message", "\"messages\""},
    {"chat", "\"messages\""},
    {"conversation", "\"messages\""},
    {"conversations", "\"messages\""},
    {"turns", "\"messages\""},
    {"dialogue", "\"messages\""},
    {"input", "\"messages\" (or \"prompt\" for raw text)"},
    {"question", "\"messages\" (or \"prompt\" for raw text)"},
    {"query", "\"messages\" (or \"prompt\" for raw text)"},
    {"instruction", "\"messages\" (or \"prompt\" for raw text)"},
    {"user", "\"messages\": [{\"role\": \"user\", \"content\": …}]"},
    {"text", "\"messages\" (or \"prompt\" for raw text)"},
    {"system", "a message {\"role\": \"system\", \"content\": …}"},
    {"system_prompt", "a message {\"role\": \"system\", \"content\": …}"},
    {"expected", "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
    {"expects", "\"expect\""},
    {"expected_output", "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
    {"answer", "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
    {"answers", "\"expect\": [{\"type\": \"contains\", \"value\": […], \"any\": true}]"},
    {"ideal", "\"expect\": [{\"type\": \"equals\", \"value\": …}]"},
    {"target", "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
    {"reference", "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
    {"label", "\"expect\": [{\"type\": \"equals\", \"value\": …}]"},
    {"output", "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
    {"completion", "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
    {"response", "\"expect\": [{\"type\": \"contains\", \"value\": …}]"},
    {"assert", "\"expect\""},
    {"asserts", "\"expect\""},
    {"checks", "\"expect\""},
    {"check", "\"expect\""},
    {"tests", "\"expect\""},
    {"scorer", "\"expect\""},
    {"functions", "\"tools\": [{\"type\": \"function\", \"function\": {…}}]"},
    {"function", "\"tools\""},
    {"tool", "\"tools\""},
    {"category", "\"slice\""},
    {"tag", "\"slice\""},
    {"tags", "\"slice\" (one for each example)"},
    {"group", "\"slice\" (or \"cluster\" for examples that depend on each other)"},
    {"capability", "\"slice\""},
    {"name", "\"id\""},
    {"uid", "\"id\""},
    {"_id", "\"id\""},
    {"index", "\"id\""},
    {"schema", "\"response_schema\""},
    {"response_format", "\"response_schema\""},
    {"json_schema", "\"response_schema\""},
    {"document", "\"context\""},
    {"stop_sequences", "\"sampling\": {\"stop\": […]}"},
    {"max_new_tokens", "\"sampling\": {\"max_tokens\": …}"},
    {"max_completion_tokens", "\"sampling\": {\"max_tokens\": …}"},
    {"options", "\"sampling\""},
    {"parameters", "\"sampling\""},
    {"generation_config", "\"sampling\""},
};
constexpr std::string_view kNotOfAnExample[] = {
    "model",    "tool_choice", "parallel_tool_calls", "stream",   "n",      "logprobs", "comment",
    "_comment", "notes",       "description",         "metadata", "source", "split",    "difficulty"};

// Checks of other tools by their names.
constexpr OtherName kChecksMeant[] = {
    {"exact", R"({"type": "equals", "value": …})"},
    {"exact_match", R"({"type": "equals", "value": …})"},
    {"exact-match", R"({"type": "equals", "value": …})"},
    {"equal", R"({"type": "equals", "value": …})"},
    {"match", R"({"type": "equals", "value": …})"},
    {"string", R"({"type": "equals", "value": …})"},
    {"eq", R"({"type": "equals", "value": …})"},
    {"is", R"({"type": "equals", "value": …})"},
    {"iequals", R"({"type": "equals", "value": …, "ignore_case": true})"},
    {"not-equals", R"({"type": "regex", "pattern": "^…$", "not": true})"},
    {"icontains", R"({"type": "contains", "value": …, "ignore_case": true})"},
    {"contains-any", R"({"type": "contains", "value": […], "any": true})"},
    {"contains-all", R"({"type": "contains", "value": […]})"},
    {"contains_any", R"({"type": "contains", "value": […], "any": true})"},
    {"contains_all", R"({"type": "contains", "value": […]})"},
    {"icontains-any", R"({"type": "contains", "value": […], "any": true, "ignore_case": true})"},
    {"icontains-all", R"({"type": "contains", "value": […], "ignore_case": true})"},
    {"not-contains", R"({"type": "contains", "value": …, "not": true})"},
    {"not_contains", R"({"type": "contains", "value": …, "not": true})"},
    {"not-icontains", R"({"type": "contains", "value": …, "not": true, "ignore_case": true})"},
    {"include", R"({"type": "contains", "value": …})"},
    {"includes", R"({"type": "contains", "value": …})"},
    {"starts-with", R"({"type": "regex", "pattern": "^…"})"},
    {"startswith", R"({"type": "regex", "pattern": "^…"})"},
    {"ends-with", R"({"type": "regex", "pattern": "…$"})"},
    {"not-regex", R"({"type": "regex", "pattern": …, "not": true})"},
    {"re", R"({"type": "regex", "pattern": …})"},
    {"regexp", R"({"type": "regex", "pattern": …})"},
    {"pattern", R"({"type": "regex", "pattern": …})"},
    {"matches", R"({"type": "regex", "pattern": …})"},
    {"numeric", R"({"type": "number", "value": …})"},
    {"math", R"({"type": "number", "value": …})"},
    {"float", R"({"type": "number", "value": …})"},
    {"int", R"({"type": "number", "value": …})"},
    {"integer", R"({"type": "number", "value": …})"},
    {"json", R"({"type": "json_value", "value": {…}} or {"type": "json_schema", "schema": {…}})"},
    {"is-json", R"({"type": "json_schema", "schema": {…}} or {"type": "json_value", "value": {…}})"},
    {"is_json", R"({"type": "json_schema", "schema": {…}} or {"type": "json_value", "value": {…}})"},
    {"contains-json", R"({"type": "json_schema", "schema": {…}, "find": true})"},
    {"json-schema", R"({"type": "json_schema", "schema": {…}})"},
    {"jsonschema", R"({"type": "json_schema", "schema": {…}})"},
    {"schema", R"({"type": "json_schema", "schema": {…}})"},
    {"is-valid-openai-tools-call", R"({"type": "tool_calls", "calls": […]})"},
    {"is-valid-openai-function-call", R"({"type": "tool_calls", "calls": […]})"},
    {"function_call", R"({"type": "tool_calls", "calls": […]})"},
    {"function", R"({"type": "tool_calls", "calls": […]})"},
    {"tools", R"({"type": "tool_calls", "calls": […]})"},
    {"multiple_choice", R"({"type": "choice", "value": "B", "choices": […]})"},
    {"multiple-choice", R"({"type": "choice", "value": "B", "choices": […]})"},
    {"mcq", R"({"type": "choice", "value": "B", "choices": […]})"},
    {"letter", R"({"type": "choice", "value": "B", "letters": "ABCD"})"},
};
constexpr std::string_view kJudges[] = {"similar",
                                        "similarity",
                                        "llm-rubric",
                                        "llm_judge",
                                        "model-graded-closedqa",
                                        "model-graded-qa",
                                        "model-graded-fact",
                                        "factuality",
                                        "answer-relevance",
                                        "levenshtein",
                                        "rouge",
                                        "rouge-n",
                                        "bleu",
                                        "bertscore",
                                        "f1",
                                        "javascript",
                                        "python",
                                        "code",
                                        "latency",
                                        "cost",
                                        "perplexity",
                                        "moderation",
                                        "select-best",
                                        "g-eval"};

constexpr OtherName kRolesMeant[] = {{"human", "user"},       {"person", "user"},       {"customer", "user"},
                                     {"gpt", "assistant"},    {"ai", "assistant"},      {"bot", "assistant"},
                                     {"model", "assistant"},  {"chatgpt", "assistant"}, {"function", "tool"},
                                     {"observation", "tool"}, {"ipython", "tool"},      {"environment", "tool"}};

std::string_view Meant(std::string_view name, auto& table) {
  for (const OtherName& row : table)
    if (row.name == name) return row.meant;
  return {};
}

}  // namespace

std::optional<std::string> FindOtherBytes(std::string_view text) {
  for (const Signature& signature : kSignatures)
    if (text.starts_with(signature.bytes))
      return fmt::format("found {}, expected text: {}", signature.found, signature.fix);
  return {};
}

std::optional<OtherFormat> FindOtherFormat(std::string_view text) {
  for (const Signature& signature : kSignatures)
    if (text.starts_with(signature.bytes))
      return OtherFormat{0, fmt::format("found {}, expected JSON lines in UTF-8: {}", signature.found, signature.fix)};
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return OtherFormat{0, fmt::format("found UTF-16 text, expected JSON lines in UTF-8: {} writes them so", kImport)};
  if (text.substr(0, 4096).find('\0') != std::string_view::npos)
    return OtherFormat{0, fmt::format("found zero bytes (UTF-16 without its mark, or no text at all), expected JSON "
                                      "lines in UTF-8: {} reads UTF-16",
                                      kImport)};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Rows rows = FirstRows(text);
  if (rows.count == 0) return OtherFormat{0, "no examples: the file is empty; " + ExpectedLine()};
  std::string_view first = Trim(rows.first);
  bool several = rows.count > 1;
  if (first.starts_with('[') && (first == "[" || first.find('{') != std::string_view::npos))
    return OtherFormat{rows.line,
                       fmt::format("found a JSON array of the examples, expected JSON lines, one object a line without "
                                   "brackets and commas around: {} writes them so",
                                   kImport)};
  if (several && first.starts_with('{') && !first.ends_with('}') && !first.ends_with("},") &&
      (first == "{" || rows.second.starts_with(' ') || rows.second.starts_with('\t')))
    return OtherFormat{
        rows.line,
        fmt::format("found a JSON object over several lines, expected each example in one line: {} writes them so",
                    kImport)};
  if (first.starts_with("```"))
    return OtherFormat{rows.line,
                       "found a Markdown fence, expected JSON lines and nothing around them: remove the lines of ```"};
  if (first.starts_with('<'))
    return OtherFormat{rows.line, "found XML or HTML, expected JSON lines; " + ExpectedLine()};
  if (LooksLikeYaml(text)) {
    if (!IsPromptfoo(text)) return {};
    return OtherFormat{rows.line, fmt::format("found YAML of promptfoo's, expected examples: {} makes a task of its "
                                              "prompts, tests and assertions",
                                              kImport)};
  }
  if (first.starts_with('{') || first.starts_with('#') || first.starts_with("//")) return {};
  if (char separator = TableSeparator(rows)) {
    std::string_view kind = separator == '\t'  ? "a table with tabs (TSV)"
                            : separator == ',' ? "a CSV table"
                                               : "a table";
    return OtherFormat{rows.line,
                       fmt::format("found {} with the columns {}, expected JSON lines: {} makes a task of it (--map "
                                   "prompt=COLUMN --map expected=COLUMN where the names do not say it)",
                                   kind, Quote(first, 100), kImport)};
  }
  return {};
}

std::string DescribeLineMistake(std::string_view row, std::string_view parser_message) {
  size_t valid = ValidUtf8Prefix(row);
  if (valid < row.size())
    return fmt::format(
        "not UTF-8 at column {}: found byte 0x{:02X} (Latin-1 or Windows-1252?), expected UTF-8: {} reads it as "
        "Windows-1252 and writes UTF-8",
        valid + 1, static_cast<unsigned char>(row[valid]), kImport);
  if (row.starts_with('#') || row.starts_with("//"))
    return "comments are not part of the format: expected a JSON object; remove the line";
  size_t column = ColumnOf(parser_message);
  auto says = [&](std::string_view words) { return parser_message.find(words) != std::string_view::npos; };
  std::string_view rest = row.substr(std::min(column > 0 ? column - 1 : 0, row.size()));
  // The parser may have read a character of a word before it gives up.
  size_t at = column > 0 ? column - 1 : 0;
  std::string mistake = MistakeAt(row, at);
  if (mistake.empty() && at > 0) {
    mistake = MistakeAt(row, at - 1);
    if (!mistake.empty()) --at;
  }
  if (mistake.empty() && says("expected end of input")) {
    if (Trim(rest) == ",")
      mistake = "found a comma behind the object, expected the end of the line (JSON lines have none between objects)";
    else if (rest.find('{') != std::string_view::npos)
      mistake = "found a second object in the line, expected each in a line of its own";
  }
  if (mistake.empty() && says("control character"))
    mistake = "found a tab or line end inside a text, expected \\t or \\n";
  if (mistake.empty() && says("forbidden character after backslash"))
    mistake =
        "found a backslash that escapes nothing, expected \\\\ for a backslash (a pattern \\d is written \"\\\\d\")";
  if (mistake.empty() && says("unexpected string literal"))
    mistake = "found a text behind a value, expected a comma between them";
  if (mistake.empty() && column > row.size())
    mistake = "the line ends inside the object, expected all of it in one line";
  if (!mistake.empty()) return fmt::format("not JSON at column {}: {}", at + 1, mistake);
  if (says("duplicate key")) return fmt::format("{}: expected each name once, remove one", parser_message);
  return fmt::format("{}; {}", parser_message, ExpectedLine());
}

std::optional<std::string> FindOtherRow(const Json& object) {
  if (HasKeys(object, {"messages"}) && !object.contains("expect") && !object.contains("id") &&
      object["messages"].is_array() && !object["messages"].empty()) {
    const Json& last = object["messages"].back();
    if (last.is_object() && last.value("role", Json()) == "assistant")
      return fmt::format(
          "found a row for fine-tuning (OpenAI's form: the last message is the answer), expected "
          "\"expect\": {} makes a task of such rows; by hand, take the last message out and ask for it "
          "with \"expect\": [{{\"type\": \"contains\", \"value\": …}}]",
          kImport);
  }
  for (const char* key : {"examples", "data", "tests", "rows", "items", "samples"})
    if (object.size() <= 3 && object.contains(key) && object[key].is_array() && !object[key].empty() &&
        object[key][0].is_object())
      return fmt::format("found all examples in one object (\"{}\"), expected one object a line: {} writes them so",
                         key, kImport);
  const RowKind* row = FindRowKind(object);
  if (!row) return {};
  std::string keys;
  for (const char* key : row->keys) keys += fmt::format("{}\"{}\"", keys.empty() ? "" : ", ", key);
  return fmt::format("found {} ({}), expected \"messages\" and \"expect\": {}{}{}", row->name, keys,
                     row->command.empty() ? "" : row->command,
                     row->command.empty() ? "" : " makes a task of such rows; by hand, ", row->fix);
}

std::string DescribeUnknownMember(const std::string& key, const Json& value) {
  if (key == "weight" || key == "weights") return "examples have no weights, a verdict counts pairs: remove it";
  if (std::span<const std::string_view> names = SamplingMembers();
      std::find(names.begin(), names.end(), key) != names.end())
    return fmt::format("unknown member; it belongs into \"sampling\": {{\"{}\": {}}}", key, QuoteJson(value, 40));
  if (std::string_view meant = Meant(ToLowerAscii(key), kMembersMeant); !meant.empty())
    return fmt::format("unknown member; did you mean {}?", meant);
  if (std::find(std::begin(kNotOfAnExample), std::end(kNotOfAnExample), key) != std::end(kNotOfAnExample))
    return "unknown member; an example has none of this name: remove it";
  return "";
}

void RefuseOtherTool(const Json& tool) {
  constexpr std::string_view kForm =
      "expected {\"type\": \"function\", \"function\": {\"name\": …, \"description\": …, \"parameters\": {…}}}";
  if (tool.is_string()) throw FieldError{"", fmt::format("{}, found a string", kForm)};
  if (!tool.is_object()) return;
  if (tool.contains("function") && tool["function"].is_object()) {
    for (const char* key : {"input_schema", "inputSchema", "schema", "args"})
      if (tool["function"].contains(key) && !tool["function"].contains("parameters"))
        throw FieldError{fmt::format("function.{}", key), "unknown member; did you mean \"parameters\"?"};
    return;
  }
  if (tool.contains("input_schema"))
    throw FieldError{
        "", fmt::format("{}, found a tool in Anthropic's form: \"input_schema\" is \"parameters\" here", kForm)};
  if (tool.contains("inputSchema"))
    throw FieldError{
        "",
        fmt::format("{}, found a tool of the Model Context Protocol: \"inputSchema\" is \"parameters\" here", kForm)};
  if (tool.contains("toolSpec"))
    throw FieldError{"", fmt::format("{}, found a tool in Amazon Bedrock's form (\"toolSpec\")", kForm)};
  for (const char* key : {"function_declarations", "functionDeclarations"})
    if (tool.contains(key))
      throw FieldError{
          "", fmt::format("{}, found tools in Gemini's form (\"{}\"): one element for each function", kForm, key)};
  if (tool.contains("name")) throw FieldError{"", fmt::format("{}, found the function without its wrapper", kForm)};
}

void RefuseOtherCheck(const Json& check) {
  if (check.is_string())
    throw FieldError{"",
                     fmt::format("expected a check such as {{\"type\": \"contains\", \"value\": {}}}, found a string",
                                 Quote(check.get<std::string>(), 60))};
  if (!check.is_object()) return;
  const Json type = check.value("type", Json());
  if (!type.is_string()) {
    if (type.is_null() && check.size() == 1) {
      std::string key = check.items().begin().key();
      bool known =
          std::any_of(CheckTypes().begin(), CheckTypes().end(), [&](const CheckType& row) { return row.name == key; });
      if (known)
        throw FieldError{"type",
                         fmt::format("is missing: expected {{\"type\": \"{}\", …}}, found {{\"{}\": …}}", key, key)};
    }
    return;
  }
  const auto& name = type.get_ref<const std::string&>();
  if (std::any_of(CheckTypes().begin(), CheckTypes().end(), [&](const CheckType& row) { return row.name == name; })) {
    if (name == "tool_calls" && check.contains("calls") && check["calls"].is_array())
      for (size_t i = 0; i < check["calls"].size(); ++i) {
        const Json& call = check["calls"][i];
        if (!call.is_object()) continue;
        for (const char* key : {"function", "input", "parameters", "args"}) {
          bool wrapped = std::string_view(key) == "function" && call.contains(key) && call[key].is_object();
          if (wrapped || (std::string_view(key) != "function" && call.contains(key) && !call.contains("arguments")))
            throw FieldError{
                fmt::format("calls[{}].{}", i, key),
                fmt::format(
                    "expected {{\"name\": …, \"arguments\": {{…}}}}, found {}",
                    wrapped ? "a call in OpenAI's form: take its \"function\" out and write its arguments as an object"
                            : std::string("the arguments as \"") + key + "\"")};
        }
        if (call.contains("arguments") && call["arguments"].is_string())
          throw FieldError{fmt::format("calls[{}].arguments", i),
                           fmt::format("expected an object such as {{\"city\": \"Oslo\"}}, found JSON as text: write "
                                       "{} without the quotes around it",
                                       call["arguments"].get<std::string>().substr(0, 80))};
      }
    const Json value = check.value("value", Json());
    if (name == "json_value" && value.is_string()) {
      std::string text(Trim(value.get<std::string>()));
      if ((text.starts_with('{') || text.starts_with('[')) && IsWholeJson(text))
        throw FieldError{"value",
                         fmt::format("expected JSON, found JSON as text, which only an answer in quotes would equal: "
                                     "write {} without the quotes around it (or {{\"$exact\": …}} for the text)",
                                     text.substr(0, 100))};
    }
    if (name == "number" && value.is_string())
      throw FieldError{"value",
                       fmt::format("expected a number, found the text {}: write it without quotes", QuoteJson(value))};
    return;
  }
  if (std::find(std::begin(kJudges), std::end(kJudges), name) != std::end(kJudges)) {
    std::vector<std::string> names;
    for (const CheckType& row : CheckTypes()) names.emplace_back(row.name);
    throw FieldError{
        "type",
        fmt::format("unknown check {}: scoring asks no model, runs no code and measures no similarity; expected one of "
                    "{}",
                    Quote(name), Join(names, ", "))};
  }
  if (std::string_view meant = Meant(ToLowerAscii(name), kChecksMeant); !meant.empty())
    throw FieldError{"type", fmt::format("unknown check {}; did you mean {}?", Quote(name), meant)};
}

std::string_view RoleMeant(std::string_view role) {
  return Meant(ToLowerAscii(role), kRolesMeant);
}

}  // namespace assay
