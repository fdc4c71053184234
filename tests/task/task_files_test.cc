// The mistakes that people make in a task file (data/mistakes/), as files: each is answered with its line, what was
// found, what is expected and the fix. Files of other formats name the command that makes a task of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "task/task.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

constexpr const char* kImport = "assay task import FILE -o task.jsonl";

struct File {
  const char* name;
  std::vector<std::vector<const char*>> told;  // of each mistake, in order, parts of what is said; none: a usable task
  const char* doubt = "";                      // a warning
};

const std::vector<File>& Files() {
  static const std::vector<File> files = {
      {"01_wrongkey.jsonl", {{":2: message: unknown member; did you mean \"messages\"?"}}},
      {"02_noid.jsonl", {}, "1 of 2 examples have none and are named by their line"},
      {"03_trailing_comma.jsonl",
       {{":2: not JSON at column", "found a comma before }, expected none behind the last member"}}},
      {"04_single_quotes.jsonl",
       {{":1: not JSON at column 2: found ' around a name or text, expected \"", "json.dumps"}}},
      {"05_crlf.jsonl", {}},
      {"06_bom.jsonl", {}},
      {"07_dupid.jsonl", {{":2: id: \"a\" is used twice, first in line 1: expected an id of its own in each line"}}},
      {"08_expect_object.jsonl", {{":2: expect: expected a list of checks, found one check: write [{"}}},
      {"09_type_spelling.jsonl",
       {{":2: expect[0].type: unknown check \"contain\"; did you mean", "contains"},
        {":3: expect[0].type: unknown check \"is-json\"; did you mean {\"type\": \"json_schema\""},
        {":4: expect[0].type: unknown check \"icontains\"; did you mean {\"type\": \"contains\""},
        {":5: expect[0].type: unknown check \"json\"; did you mean {\"type\": \"json_value\""},
        {":6: expect[0].type: unknown check \"exact_match\"; did you mean {\"type\": \"equals\""}}},
      {"10_anthropic_tools.jsonl",
       {{":1: tools[0]: expected {\"type\": \"function\"",
         "found a tool in Anthropic's form: \"input_schema\" is \"parameters\" here"}}},
      {"11_args_string.jsonl",
       {{":1: expect[0].calls[0].arguments: expected an object",
         "found JSON as text: write {\"city\": \"Oslo\"} without the quotes"}}},
      {"12_openai_call_shape.jsonl",
       {{":1: expect[0].calls[0].function: expected {\"name\": …, \"arguments\": {…}}",
         "found a call in OpenAI's form: take its"}}},
      {"13_empty.jsonl", {{": no examples: the file is empty; expected one JSON object a line, such as {\"id\""}}},
      {"14_csv.csv",
       {{":1: found a CSV table with the columns \"id,prompt,expected\", expected JSON lines", kImport, "--map"}}},
      {"15_promptfoo.yaml", {{":1: found YAML of promptfoo's, expected examples", kImport}}},
      {"16_parts.jsonl", {}},
      {"17_image.jsonl",
       {{":1: messages[0].content[1].type: expected \"text\", found \"image_url\": only text is read",
         "take the part out"}}},
      {"18_jsonarray.json", {{":1: found a JSON array of the examples, expected JSON lines", kImport}}},
      {"19_pretty.jsonl", {{":1: found a JSON object over several lines, expected each example in one line", kImport}}},
      {"20_openai_ft.jsonl",
       {{":1: found a row for fine-tuning", "expected \"expect\"", kImport, "(and in 1 more line)"}}},
      {"21_sharegpt.jsonl",
       {{":1: found a ShareGPT row (\"conversations\"), expected \"messages\" and \"expect\"", kImport}}},
      {"22_alpaca.jsonl", {{":1: found an Alpaca row", "expected \"messages\" and \"expect\"", kImport}}},
      {"23_expect_string.jsonl",
       {{":1: expect: expected a list of checks such as [{\"type\": \"contains\", \"value\": \"Paris\"}], found a "
         "string"}}},
      {"24_id_number.jsonl", {}},
      {"25_latin1.jsonl", {{":1: not UTF-8 at column", "found byte 0xF6", "expected UTF-8", kImport}}},
      {"26_utf16.jsonl", {{": found UTF-16 text, expected JSON lines in UTF-8", kImport}}},
      {"27_comment.jsonl", {{":1: comments are not part of the format: expected a JSON object; remove the line"}}},
      {"28_maxtokens_top.jsonl",
       {{":1: max_tokens: unknown member; it belongs into \"sampling\": {\"max_tokens\": 32}"},
        {":1: temperature: unknown member; it belongs into \"sampling\": {\"temperature\": 0}"}}},
      {"29_value_jsonstring.jsonl",
       {{":1: expect[0].value: expected JSON, found JSON as text", "write {\"a\": 1} without the quotes around it"}}},
      {"30_regex_bad.jsonl", {{":1: expect[0].pattern: "}}},
      {"31_role.jsonl",
       {{":1: messages[0].role: expected one of system, developer, user, assistant, tool, found \"human\"; did you "
         "mean \"user\"?"}}},
      {"32_no_expect.jsonl",
       {{":1: expect: is missing: a list of checks such as {\"type\": \"contains\", \"value\": …}"}}},
      {"33_comparator.jsonl", {{":1: expect[0].value.a.$anyof: unknown comparator; did you mean \"$any_of\"?"}}},
      {"34_schema_bad.jsonl", {{":1: expect[0].schema", "unknown type \"objekt\"; did you mean \"object\"?"}}},
      {"35_smartquotes.jsonl",
       {{":1: not JSON at column 2: found the typographic quote “, expected \" around names and texts"}}},
      {"36_context_placeholder.jsonl", {}, "{{name}} is sent as it stands"},
      {"37_python_literals.jsonl", {{":1: not JSON at column", "found True, expected true"}}},
  };
  return files;
}

TEST(TaskFiles, EachMistakeIsAnsweredWithItsFix) {
  const std::string folder = ASSAY_TEST_DATA "/task/data/mistakes/";
  std::set<std::string> tried;
  for (const File& file : Files()) {
    tried.insert(file.name);
    const std::string path = folder + file.name;
    std::vector<std::string> mistakes, doubts;
    for (const TaskProblem& problem : CheckTask(path))
      (problem.warning ? doubts : mistakes).push_back(problem.Describe(path));
    ASSERT_EQ(mistakes.size(), file.told.size()) << file.name << (mistakes.empty() ? "" : ": " + mistakes[0]);
    for (size_t i = 0; i < mistakes.size(); ++i) {
      EXPECT_TRUE(mistakes[i].starts_with(path)) << mistakes[i];
      for (const char* part : file.told[i]) EXPECT_THAT(mistakes[i], HasSubstr(part));
    }
    if (*file.doubt) {
      EXPECT_THAT(doubts, ::testing::Contains(HasSubstr(file.doubt))) << file.name;
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    EXPECT_TRUE(tried.contains(entry.path().filename().string())) << entry.path();
  EXPECT_EQ(tried.size(), 37u);
}

}  // namespace
}  // namespace assay
