// What people give instead of a task file: each mistake is told once, with its line, what was found and what to write.
#include "task/task_mistakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "task_testing.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

// The only mistake of a file, doubts apart.
std::string TheMistake(const std::string& text) {
  std::vector<std::string> mistakes;
  for (const TaskProblem& problem : CheckTaskText(text, "t"))
    if (!problem.warning) mistakes.push_back(problem.Describe("t"));
  EXPECT_EQ(mistakes.size(), 1u) << text << (mistakes.size() > 1 ? "\n" + mistakes[0] + "\n" + mistakes[1] : "");
  return mistakes.empty() ? "none" : mistakes[0];
}

const std::string kExpect = R"("expect":[{"type":"contains","value":"Paris"}])";
const std::string kRow = R"({"id":"a","prompt":"Capital of France?",)" + kExpect + "}";

TEST(TaskMistakes, OtherFormatsAreSaidOnce) {
  for (auto [text, says] : std::initializer_list<std::pair<std::string, const char*>>{
           {"id,prompt,expected\n1,\"Capital, of France?\",Paris\n2,b,c\n",
            "t:1: found a CSV table with the columns \"id,prompt,expected\""},
           {"id;prompt\n1;x\n", "t:1: found a table with the columns"},
           {"id\tprompt\n1\tx\n", "t:1: found a table with tabs (TSV)"},
           {"\"id\",\"prompt\"\n\"1\",\"x\"\n", "t:1: found a CSV table"},
           {"prompts:\n  - x\ntests:\n  - vars:\n",
            "t:1: found YAML of promptfoo's, expected examples: assay task import FILE -o task.jsonl"},
           {"# mine\n- vars: {q: x}\n  assert: []\n", "t:1: found YAML of promptfoo's"},
           {"- id: a\n  prompt: x\n", "t:1: expect: is missing"},  // a task may be YAML
           {"[\n " + kRow + ",\n " + kRow + "\n]\n", "t:1: found a JSON array of the examples"},
           {"[" + kRow + "]", "t:1: found a JSON array of the examples"},
           {"[" + kRow + ",\n" + kRow + "]", "t:1: found a JSON array of the examples"},
           {"\n{\n  \"id\": \"a\",\n  \"prompt\": \"x\"\n}\n", "t:2: found a JSON object over several lines"},
           {"{\"examples\": [" + kRow + "]}",
            "found all examples in one object (\"examples\"), expected one object a line: assay task import"},
           {"\xFF\xFE{\0\"\0", "t: found UTF-16 text"},
           {std::string("{\0\"\0i\0", 6), "t: found zero bytes (UTF-16 without its mark"},
           {"PK\x03\x04....", "t: found a ZIP archive (or a spreadsheet, .xlsx)"},
           {"\x1F\x8B\x08", "t: found gzip"},
           {"PAR1", "t: found Parquet"},
           {"<html>\n</html>", "t:1: found XML or HTML"},
           {"```json\n" + kRow + "\n```", "t:1: found a Markdown fence"},
           {"", "t: no examples: the file is empty; expected one JSON object a line"},
           {"\n \n", "t: no examples: the file is empty"}})
    EXPECT_THAT(TheMistake(text), HasSubstr(says));
}

TEST(TaskMistakes, LinesThatAreAlmostJson) {
  for (auto [text, says] : std::initializer_list<std::pair<std::string, const char*>>{
           {R"({"id":"a","prompt":"x",})",
            "t:1: not JSON at column 24: found a comma before }, expected none behind the last member"},
           {R"({"id":"a","expect":[1,]})", "found a comma before ], expected none behind the last element"},
           {"{'id':'a'}", "not JSON at column 2: found ' around a name or text"},
           {R"({"id":'a'})", "not JSON at column 7: found ' around"},
           {R"({"ok":True})", "column 7: found True, expected true (json.dumps of Python writes it so)"},
           {R"({"ok":False})", "found False, expected false"},
           {R"({"ok": None})", "found None, expected null"},
           {R"({"ok":NaN})", "found NaN, expected null (JSON has no such number)"},
           {R"({"ok":-Infinity})", "column 8: found Infinity, expected a number (JSON has no such number)"},
           {R"({"ok":undefined})", "found undefined, expected null"},
           {R"({"ok":TRUE})", "found TRUE, expected true"},
           {"{“id”: \"a\"}", "column 2: found the typographic quote “"},
           {R"({"id": “a”})", "column 8: found the typographic quote “"},
           {"{id: \"a\"}", "found the name \"id\" without quotes"},
           {R"({"a":1, b:2})", "found the name \"b\" without quotes"},
           {R"({"id":"a" "prompt":"x"})", "found a text behind a value, expected a comma"},
           {kRow + ",", "found a comma behind the object"},
           {kRow + " " + kRow, "found a second object in the line"},
           {R"({"id":"a","prompt":"x)", "the line ends inside the object"},
           {R"({"id":"a","expect":[)", "the line ends inside the object"},
           {"{\"id\":\"a\tb\"}", "found a tab or line end inside a text"},
           {R"({"pattern":"\d"})", "found a backslash that escapes nothing"},
           {R"({"a":1 /* x */})", "found a comment"},
           {"# mine\n" + kRow, "t:1: comments are not part of the format"},
           {kRow + "\n// more", "t:2: comments are not part of the format"},
           {"{\"id\":\"a\",\"prompt\":\"gr\xF6\xDF\"}",
            "t:1: not UTF-8 at column 23: found byte 0xF6 (Latin-1 or Windows-1252?), expected UTF-8: assay task "
            "import"},
           {R"("text")", "t:1: expected an object such as"},
           {"null", "found null"}})
    EXPECT_THAT(TheMistake(text), HasSubstr(says));
}

TEST(TaskMistakes, RowsOfOtherTools) {
  for (auto [text, says] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]})",
            "found a row for fine-tuning (OpenAI's form"},
           {R"({"conversations":[{"from":"human","value":"q"}]})", "found a ShareGPT row"},
           {R"({"id":"1","conversations":[{"from":"human","value":"q"}]})", "found a ShareGPT row"},
           {R"({"instruction":"q","input":"","output":"a"})", "found an Alpaca row"},
           {R"({"prompt":"q","completion":"a"})", "found a completion row for fine-tuning"},
           {R"({"prompt":"q","response":"a"})", "found a row of prompt and response"},
           {R"({"question":"q","answer":"a #### 3"})", "found a row of question and answer"},
           {R"({"question":"q","choices":["x","y"],"answer":1})", "found a multiple-choice row"},
           {R"({"input":[{"role":"user","content":"q"}],"ideal":"a"})", "found a row of OpenAI evals"},
           {R"({"vars":{"x":1},"assert":[]})", "found a promptfoo test"},
           {R"({"custom_id":"1","method":"POST","url":"/v1","body":{}})",
            "found a request of OpenAI's batch interface"},
           {R"({"prompt":"q","chosen":"a","rejected":"b"})", "found a preference pair"},
           {R"({"question":[[]],"function":[]})", "found a Berkeley Function Calling row"},
           {R"({"input":"q","expected_output":"a"})", "found a DeepEval test case"},
           {R"({"text":"q"})", "found a row of plain text"}})
    EXPECT_THAT(TheMistake(text), HasSubstr(says));
}

TEST(TaskMistakes, RowsOfOneKindAreSaidOnceWithTheCommand) {
  const std::string row = R"({"conversations":[{"from":"human","value":"q"}]})"
                          "\n";
  EXPECT_EQ(
      TheMistake(row + row + "\n" + row),
      "t:1: found a ShareGPT row (\"conversations\"), expected \"messages\" and \"expect\": assay task import FILE -o "
      "task.jsonl makes a task of such rows; by hand, turns are \"messages\": [{\"role\": \"user\", \"content\": …}], "
      "without the last answer, which \"expect\" asks for: [{\"type\": \"contains\", \"value\": …}] (and in 2 more "
      "lines)");
  EXPECT_THAT(TheMistake(R"({"custom_id":"1","body":{}})"), HasSubstr("assay task capture FILE -o task.jsonl"));
}

TEST(TaskMistakes, MembersByOtherNames) {
  auto row = [](const std::string& member) { return R"({"id":"a","prompt":"x",)" + kExpect + "," + member + "}"; };
  for (auto [text, says] : std::initializer_list<std::pair<std::string, const char*>>{
           {R"({"id":"a","message":[],)" + kExpect + "}", "message: unknown member; did you mean \"messages\"?"},
           {R"({"id":"a","question":"q",)" + kExpect + "}", "question: unknown member; did you mean \"messages\" (or"},
           {row(R"("max_tokens":32)"),
            "max_tokens: unknown member; it belongs into \"sampling\": {\"max_tokens\": 32}"},
           {row(R"("temperature":0)"), "it belongs into \"sampling\""},
           {row(R"("repetition_window":64)"), "it belongs into \"sampling\""},
           {row(R"("max_new_tokens":32)"), "did you mean \"sampling\": {\"max_tokens\""},
           {row(R"("category":"x")"), "did you mean \"slice\"?"},
           {row(R"("functions":[])"), "did you mean \"tools\""},
           {row(R"("model":"x")"), "remove it"},
           {row(R"("weight":2)"), "examples have no weights"},
           {R"({"id":"a","prompt":"x"})", "expect: is missing: a list of checks"},
           {R"({"id":"a","prompt":"x","expect":"Paris"})",
            "expect: expected a list of checks such as [{\"type\": \"contains\", \"value\": \"Paris\"}], found a "
            "string"},
           {R"({"id":"a","prompt":"x","expect":{"type":"contains","value":"Paris"}})",
            "found one check: write [{\"type\":\"contains\",\"value\":\"Paris\"}]"},
           {R"({"id":"a","prompt":"x","expect":["Paris"]})",
            "expect[0]: expected a check such as {\"type\": \"contains\", \"value\": \"Paris\"}"},
           {R"({"id":"a","messages":"hi",)" + kExpect + "}",
            "messages: expected a list such as [{\"role\": \"user\", \"content\": \"hi\"}], found a string"},
           {R"({"id":"a","messages":[{"role":"human","content":"x"}],)" + kExpect + "}",
            "messages[0].role: expected one of system, developer, user, assistant, tool, found \"human\"; did you mean "
            "\"user\"?"},
           {R"({"id":"a","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}],)" + kExpect +
                "}",
            "found \"image_url\": only text is read"}})
    EXPECT_THAT(TheMistake(text), HasSubstr(says));
}

TEST(TaskMistakes, ToolsAndChecksOfOtherTools) {
  auto tool = [](const std::string& json) {
    return R"({"id":"a","messages":[{"role":"user","content":"x"}],"tools":[)" + json + "]," + kExpect + "}";
  };
  auto check = [](const std::string& json) { return R"({"id":"a","prompt":"x","expect":[)" + json + "]}"; };
  for (auto [text, says] : std::initializer_list<std::pair<std::string, const char*>>{
           {tool(R"({"name":"f","input_schema":{}})"),
            "tools[0]: expected {\"type\": \"function\", \"function\": {\"name\": …, \"description\": …, "
            "\"parameters\": {…}}}, found a tool in Anthropic's form"},
           {tool(R"({"name":"f","inputSchema":{}})"), "found a tool of the Model Context Protocol"},
           {tool(R"({"type":"function","name":"f","parameters":{}})"), "found the function without its wrapper"},
           {tool(R"({"function_declarations":[]})"), "Gemini's form"},
           {tool(R"({"toolSpec":{}})"), "Amazon Bedrock's form"},
           {tool(R"("f")"), "found a string"},
           {tool(R"({"type":"function","function":{"name":"f","input_schema":{}}})"),
            "tools[0].function.input_schema: unknown member; did you mean \"parameters\"?"},
           {check(R"({"type":"icontains","value":"x"})"),
            "expect[0].type: unknown check \"icontains\"; did you mean {\"type\": \"contains\", \"value\": …, "
            "\"ignore_case\": true}?"},
           {check(R"({"type":"is-json"})"), "did you mean {\"type\": \"json_schema\""},
           {check(R"({"type":"exact_match","value":"x"})"), "did you mean {\"type\": \"equals\""},
           {check(R"({"type":"llm-rubric","value":"x"})"), "scoring asks no model"},
           {check(R"({"contains":"x"})"), "expect[0].type: is missing: expected {\"type\": \"contains\", …}"},
           {check(R"({"type":"number","value":"5"})"),
            "expect[0].value: expected a number, found the text \"5\": write it without quotes"},
           {check(R"({"type":"json_value","value":"{\"a\": 1}"})"),
            "expect[0].value: expected JSON, found JSON as text"},
           {check(R"({"type":"tool_calls","calls":[{"name":"f","arguments":"{\"a\":1}"}]})"),
            "expect[0].calls[0].arguments: expected an object such as {\"city\": \"Oslo\"}, found JSON as text: write "
            "{\"a\":1}"},
           {check(R"({"type":"tool_calls","calls":[{"type":"function","function":{"name":"f"}}]})"),
            "expect[0].calls[0].function: expected {\"name\": …, \"arguments\": {…}}, found a call in OpenAI's form"},
           {check(R"({"type":"tool_calls","calls":[{"name":"f","input":{}}]})"), "found the arguments as \"input\""},
           {check(R"({"type":"json_schema","schema":{"type":"objekt"}})"),
            "unknown type \"objekt\"; did you mean \"object\"?"},
           {check(R"({"type":"json_schema","schema":{"type":"str"}})"), "did you mean \"string\"?"},
           {check(R"({"type":"regex","pattern":"([a-z"})"), "(at byte 5 of \"([a-z\")"}})
    EXPECT_THAT(TheMistake(text), HasSubstr(says));
}

// Every mistake that a member can have: what was expected, what was found, and what to write instead.
TEST(TaskMistakes, EachSaysWhatToWrite) {
  auto row = [](const std::string& member) { return R"({"id":"a","prompt":"x",)" + kExpect + "," + member + "}"; };
  auto chat = [](const std::string& messages, const std::string& more = "") {
    return R"({"id":"a","messages":)" + messages + "," + more + kExpect + "}";
  };
  auto check = [](const std::string& json) { return R"({"id":"a","prompt":"x","expect":[)" + json + "]}"; };
  auto value = [&](const std::string& json) { return check(R"({"type":"json_value","value":)" + json + "}"); };
  auto schema = [&](const std::string& json) { return check(R"({"type":"json_schema","schema":)" + json + "}"); };
  auto tool = [&](const std::string& json) {
    return chat(R"([{"role":"user","content":"x"}])", "\"tools\":[" + json + "],");
  };
  const std::string many(201, 'x');
  for (auto [text, says] : std::initializer_list<std::pair<std::string, const char*>>{
           {"{\"id\":\"a\\u0001b\",\"prompt\":\"x\"," + kExpect + "}",
            "t:1: id: expected a name without control characters, found U+0001 in \"a\\u0001b\": write a space or "
            "\"-\" there"},
           {row("\"slice\":\"a\x7F\""),
            "slice: expected a name without control characters, found U+007F in \"a\\u007f\""},
           {row(R"("slice":" ")"), "expected a name that can be seen, found \" \": leave it out where there is none"},
           {row(R"("slice":")" + many + "\""), "slice: expected at most 200 bytes, found 201: shorten it"},
           {row(R"("slice":[1])"), "slice: expected a string, found array [1]"},
           {chat("[]"),
            "messages: expected at least one message such as {\"role\": \"user\", \"content\": …}, found []"},
           {chat(R"(["hi"])"), "messages[0]: expected an object with \"role\" and \"content\", found string \"hi\""},
           {chat(R"([{"content":"x"}])"), "role: is missing: expected one of system, developer, user"},
           {chat(R"([{"role":"user"}])"), "content: is missing: expected a text or a list of text parts"},
           {chat(R"([{"role":"user","content":[]}])"),
            "content: expected a string or at least one text part, found []"},
           {chat(R"([{"role":"user","content":[{"type":"text"}]}])"), "content[0].text: expected a string, found null"},
           {chat(R"([{"role":"user","content":[{"type":"image"}]}])"),
            "only text is read, no images, sounds or files; take the part out"},
           {chat(R"([{"role":"user","content":"x","zzz":1}])"),
            "zzz: unknown member: remove it; expected some of role, content"},
           {chat(R"([{"role":"system","content":"x"}])", R"("context":"c",)"),
            "found neither: write {context} where it belongs"},
           {chat(R"([{"role":"user","content":"x"}])", R"("prompt":"p",)"), "exclude each other: remove \"prompt\""},
           {"{\"id\":\"a\"," + kExpect + "}", "messages: is missing: expected [{\"role\": \"user\", \"content\": …}]"},
           {R"({"id":"a","prompt":"",)" + kExpect + "}",
            "prompt: expected the text that the model goes on from, found \"\""},
           {row(R"("tools":[{"type":"function","function":{"name":"f"}}])"),
            "give \"messages\" in place of \"prompt\""},
           {row(R"("documents":[{"text":"d"}])"), "give \"messages\" in place of \"prompt\""},
           {chat(R"([{"role":"user","content":"x"}])", R"("chat_template_kwargs":{"tools":[]},)"), "remove it here"},
           {row("\"weight\":2"), "a verdict counts pairs: remove it"},
           {row("\"zzzz\":2"), "zzzz: unknown member: remove it; expected some of id, slice, cluster, messages"},
           {row(R"("sampling":{"zzzz":1})"), "sampling: unknown member \"zzzz\": remove it"},
           {row(R"("sampling":{"stop":[""]})"), "none of them empty, found \"\""},
           {tool(R"({"function":{"name":"f"}})"), "tools[0].type: is missing: expected \"type\": \"function\""},
           {tool(R"({"type":"f","function":{"name":"f"}})"), "type: expected \"function\", found string \"f\""},
           {tool(R"({"type":"function"})"), "function: is missing: expected {\"name\": …"},
           {tool(R"({"type":"function","function":{}})"),
            "function.name: is missing: expected the name that a call has"},
           {tool(R"({"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}})"),
            "tools[1].function.name: expected a name of its own, found \"f\" a second time: rename or remove the tool"},
           {check(""), "expect: expected at least one check such as {\"type\": \"contains\", \"value\": …}, found []"},
           {check(R"({"value":"x"})"), "type: is missing: expected a string"},
           {check("3"), "expect[0]: expected an object such as {\"type\": \"contains\", \"value\": …}, found number 3"},
           {check(R"({"type":"zzzzzz"})"), "unknown check \"zzzzzz\"; there are equals, contains"},
           {check(R"({"type":"contains"})"), "value: is missing: expected a string or a list of strings"},
           {check(R"({"type":"contains","value":[]})"), "expected at least one string, found an empty list"},
           {check(R"({"type":"contains","value":"x","any":true,"not":true})"), "remove \"any\""},
           {check(R"({"type":"contains","value":"","not":true})"), "expected text that may occur, found \"\""},
           {check(R"({"type":"contains","value":"x","max_chars":-1})"),
            "max_chars: expected a number of at least 0, found -1"},
           {check(R"({"type":"equals","value":" "})"), "expected some text, found \" \""},
           {check(R"({"type":"number","value":1,"relative":-0.5})"),
            "relative: expected a number of at least 0, found -0.5"},
           {check(R"({"type":"number","value":1,"take":"all"})"),
            "expected \"last\", \"first\" or \"only\", found \"all\""},
           {check(R"({"type":"regex","pattern":"a(b"})"), "\\\\ before a mark takes it literally"},
           {check(R"({"type":"choice","value":"A","letters":"A"})"),
            "expected 2 to 26 letters such as \"ABCD\", found \"A\""},
           {check(R"({"type":"choice","value":"A","choices":["x"]})"), "expected 2 to 26 options, found 1"},
           {check(R"({"type":"choice","value":"A","choices":["x","y"],"letters":"AB"})"), "remove \"letters\""},
           {check(R"({"type":"json_value"})"), "value: is missing: expected the JSON that is right"},
           {check(R"({"type":"json_schema"})"), "to stand in: expected a JSON Schema such as {"},
           {check(R"({"type":"tool_calls"})"), "calls: is missing: expected [{\"name\": …, \"arguments\": {…}}]"},
           {check(R"({"type":"tool_calls","calls":[],"allow_extra_calls":true})"), "remove it, or name a call"},
           {check(R"({"type":"tool_calls","calls":["f"]})"),
            "expected an object with \"name\" and \"arguments\", found string \"f\""},
           {check(R"({"type":"tool_calls","calls":[{"name":""}]})"), "expected the name of a tool, found \"\""},
           {check(R"({"type":"tool_calls","calls":[{"name":"f","arguments":[1]}]})"),
            "expected an object such as {\"city\": \"Oslo\"}, found array [1]"},
           {value(R"({"a":{"$set":1}})"), "value.a.$set: expected a list such as [1], found number 1"},
           {value(R"({"$any_of":[]})"), "expected at least one alternative, found []"},
           {value(R"({"$ignore":1})"), "expected {\"$ignore\": true}, found number 1"},
           {value(R"({"$fields":1})"), "expected an object of members, found number 1"},
           {value(R"({"$set":[],"$any_of":[]})"), "remove one, or give alternatives in \"$any_of\""},
           {schema("3"), "schema: expected a JSON Schema (an object), found number 3"},
           {schema(R"({"type":3})"), "expected a type or an array of types, found 3"},
           {schema(R"({"type":"zzzzzzzz"})"), "expected null, boolean, object, array, number, string or integer"},
           {schema(R"({"minLength":-1})"), "#/minLength: expected a whole number of at least 0, found -1"},
           {schema(R"({"required":"a"})"), "#/required: expected an array of strings, found \"a\""},
           {schema(R"({"items":[{}]})"), "expected a schema, found an array: draft 2020-12 calls that prefixItems"},
           {schema(R"({"$ref":"#/$defs/a"})"), "leads nowhere: expected a place in this schema"},
           {schema(R"({"$ref":"http://other/x"})"), "nothing is fetched; put it into \"$defs\""},
           {schema(R"({"$schema":"http://x"})"), "say one of them, or leave it out"},
           {R"({"id":"a","id":"b"})", "duplicate key \"id\": expected each name once, remove one"},
           {kRow + "\n" + kRow,
            "t:2: id: \"a\" is used twice, first in line 1: expected an id of its own in each line"},
           {"{\"id\": }", "; expected one JSON object a line, such as {\"id\": \"capital-1\""}})
    EXPECT_THAT(TheMistake(text), HasSubstr(says));
}

TEST(TaskMistakes, WhatIsHarmlessIsRead) {
  Task task = ParseTask("\xEF\xBB\xBF{\"id\":1,\"prompt\":\"x\"," + kExpect + "}\r\n\r\n" + kRow + "\r\n", "t");
  ASSERT_EQ(task.examples.size(), 2u);
  EXPECT_EQ(task.examples[0].id, "1");
  // Text that is JSON is meant where it is said to be.
  ParseTask(R"({"id":"a","prompt":"x","expect":[{"type":"json_value","value":{"$exact":"{\"a\": 1}"}}]})", "t");
}

TEST(TaskMistakes, SchemasThatSayNothingAreDoubted) {
  auto doubts = [](const std::string& schema) {
    std::string out;
    for (const TaskProblem& problem :
         CheckTaskText(R"({"id":"a","prompt":"x","expect":[{"type":"json_schema","schema":)" + schema + "}]}", "t"))
      if (problem.warning && problem.line > 0) out += problem.Describe("t") + "\n";
    return out;
  };
  EXPECT_EQ(doubts(R"({"type":"object","properties":{"format":{"type":"string","title":"t","x-a":1}}})"), "");
  EXPECT_THAT(doubts(R"({"properties":{"d":{"format":"date"}}})"),
              HasSubstr("t:1: expect[0].schema: warning: #/properties/d: \"format\" is not asserted"));
  EXPECT_THAT(doubts(R"({"propertys":{}})"),
              HasSubstr("\"propertys\" is no keyword of draft 2020-12 and does nothing; did you mean \"properties\"?"));
  EXPECT_THAT(doubts(R"({"type":"object","require":["a"]})"), HasSubstr("did you mean \"required\"?"));
  EXPECT_THAT(doubts(R"({"type":"string","nullable":true})"), HasSubstr("OpenAPI"));
  EXPECT_THAT(doubts(R"({"$schema":"http://json-schema.org/draft-07/schema#","prefixItems":[true]})"),
              HasSubstr("\"prefixItems\" is no keyword of draft-07"));
  EXPECT_THAT(
      doubts(
          R"({"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#/definitions/b","type":"string"}},"definitions":{"b":{}}})"),
      HasSubstr("\"type\" does not count beside \"$ref\""));
  EXPECT_THAT(
      doubts(
          R"({"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[true],"$defs":{"a":{"requird":1}}})"),
      "");  // nothing leads there
}

TEST(TaskMistakes, VariablesOfOtherTemplatesAreDoubted) {
  auto doubts = [](const std::string& prompt) {
    std::string out;
    for (const TaskProblem& problem : CheckTaskText(R"({"id":"a","prompt":")" + prompt + "\"," + kExpect + "}", "t"))
      if (problem.warning && problem.line > 0) out += problem.Describe("t") + "\n";
    return out;
  };
  EXPECT_THAT(doubts("Q {{name}}?"), HasSubstr("t:1: prompt: warning: {{name}} is sent as it stands"));
  EXPECT_THAT(doubts("Q {{ item.text }}?"), HasSubstr("{{ item.text }} is sent"));
  EXPECT_EQ(doubts("f({{1, 2}, {3}}) and {name}"), "");
}

}  // namespace
}  // namespace assay
