// Files of other tools become tasks: each kind by rows as they are, on excerpts of the real data, and what is left out
// is named.
#include "import/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/strings.h"
#include "task/runner.h"
#include "task/task.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string Data(const std::string& name) {
  std::ifstream in(std::string(ASSAY_TEST_DATA "/import/data/") + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

ImportResult Import(const std::string& text, const std::string& from = "", const KindOptions& kind = {}) {
  ImportOptions options;
  options.from = from;
  options.kind = kind;
  return ImportTask(text, "f", options);
}

std::vector<Json> Lines(const std::string& text) {
  std::vector<Json> lines;
  for (const std::string& line : Split(text, '\n'))
    if (!line.empty()) lines.push_back(ParseJson(line, "line", true));
  return lines;
}

// The only example of a file, as a line.
Json TheExample(const ImportResult& result) {
  EXPECT_EQ(result.examples, 1) << (result.skipped.empty() ? "" : result.skipped[0].why);
  const std::vector<Json> lines = Lines(result.task_text);
  return lines.size() == 1 ? lines[0] : Json();
}

std::string Refusal(const std::string& text, const std::string& from = "", const KindOptions& kind = {}) {
  try {
    Import(text, from, kind);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

std::string WhySkipped(const ImportResult& result) {
  return result.skipped.size() == 1 ? result.skipped[0].why : std::to_string(result.skipped.size()) + " reasons";
}

// Whether an answer passes the example at `i`.
bool Passes(const ImportResult& result, size_t i, const std::string& answer) {
  const Task task = ParseTask(result.task_text, "t");
  Answer given;
  given.text = answer;
  given.finish = "stop";
  return ScoreAnswer(task.examples.at(i), given, "").pass;
}

TEST(Import, FineTuningRows) {
  const ImportResult result = Import(
      R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"Capital of France?"},{"role":"assistant","content":"Paris","weight":1}]})"
      "\n"
      R"({"messages":[{"role":"user","content":"Weather in Oslo?"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"w","arguments":"{\"city\":\"Oslo\"}"}}]}],"tools":[{"type":"function","function":{"name":"w","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"parallel_tool_calls":false})"
      "\n"
      R"({"messages":[{"role":"user","content":"Tell me of Rome."},{"role":"assistant","content":"Rome was not built in a day, and it shows, as anybody who walks through it will say."}]})"
      "\n"
      R"({"messages":[{"role":"user","content":"What is 2+2?"},{"role":"assistant","content":"4"}]})"
      "\n"
      R"({"messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(result.kind, "openai-fine-tuning");
  EXPECT_EQ(result.rows, 5);
  EXPECT_EQ(result.examples, 3);
  EXPECT_EQ(result.rest, 2);
  EXPECT_THAT(result.checks, UnorderedElementsAre(Pair("equals", 1), Pair("tool_calls", 1), Pair("number", 1)));
  EXPECT_THAT(result.dropped, Contains(Pair("the answer's \"weight\"", 1)));
  EXPECT_EQ(result.skipped.size(), 2u);
  const std::vector<Json> lines = Lines(result.task_text);
  EXPECT_EQ(lines[0]["messages"].size(), 2u);
  EXPECT_FALSE(lines[0].contains("draft"));
  EXPECT_EQ(lines[1]["expect"][0]["calls"][0]["arguments"]["city"], "Oslo");
  EXPECT_TRUE(Passes(result, 0, "**Paris.**"));
  EXPECT_FALSE(Passes(result, 0, "London"));
}

TEST(Import, FineTuningOfOtherForms) {
  EXPECT_EQ(TheExample(Import(R"({"prompt":"2+2=","completion":" 4"})"))["prompt"], "2+2=");
  const Json preferred = TheExample(Import(
      R"({"input":{"messages":[{"role":"user","content":"Yes or no?"}]},"preferred_output":[{"role":"assistant","content":"yes"}],"non_preferred_output":[{"role":"assistant","content":"no"}]})"));
  EXPECT_EQ(preferred["expect"][0]["value"], "yes");
}

TEST(Import, ShareGpt) {
  const ImportResult result = Import(
      R"([{"id":"a","conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello."},{"from":"human","value":"Capital of Italy?"},{"from":"gpt","value":"Rome"}],"model":"m"},
{"conversations":[{"from":"human","value":"Weather?"},{"from":"function_call","value":"{\"name\":\"w\",\"arguments\":{\"c\":1}}"}],"tools":"[{\"name\":\"w\",\"parameters\":{\"type\":\"object\"}}]"},
{"conversations":[{"from":"narrator","value":"x"}]}])");
  EXPECT_EQ(result.kind, "sharegpt");
  EXPECT_EQ(result.examples, 2);
  EXPECT_EQ(WhySkipped(result), "a turn of narrator, which is no role that is known");
  const std::vector<Json> lines = Lines(result.task_text);
  EXPECT_EQ(lines[0]["id"], "a");
  EXPECT_EQ(lines[0]["messages"].size(), 3u);
  EXPECT_EQ(lines[1]["expect"][0]["type"], "tool_calls");
  EXPECT_THAT(result.dropped, Contains(Pair("\"model\"", 1)));
  EXPECT_EQ(result.skipped[0].first, "f:3");
}

TEST(Import, Alpaca) {
  const Json line = TheExample(Import(R"({"instruction":"Translate to French.","input":"cat","output":"chat"})"));
  EXPECT_EQ(line["messages"][0]["content"], "Translate to French.\n\ncat");
  EXPECT_EQ(line["expect"][0]["value"], "chat");
}

TEST(Import, Tables) {
  const ImportResult result = Import(
      "Question,Expected,Topic,Note\n\"Capital of France, please?\",Paris,facts,x\n2+2?,4,sums,\nTell me.,,facts,\n");
  EXPECT_EQ(result.kind, "table");
  EXPECT_EQ(result.layout, "CSV");
  EXPECT_EQ(result.examples, 2);
  EXPECT_THAT(result.notes, Contains("columns: prompt is \"Question\", expected is \"Expected\", slice is \"Topic\""));
  EXPECT_THAT(result.dropped, UnorderedElementsAre(Pair("column \"Note\"", 1)));
  EXPECT_EQ(WhySkipped(result), "no right answer");
  EXPECT_EQ(result.rest, 1);
  EXPECT_TRUE(Passes(result, 0, "The capital is Paris."));
  EXPECT_FALSE(Passes(result, 0, "Parisian"));
  EXPECT_TRUE(Passes(result, 1, "That makes 4."));
  EXPECT_EQ(Import("q\tanswer\tprompt\nx\ty\tz\n").layout, "a table with tabs (TSV)");
  EXPECT_EQ(Import("prompt;answer\nx;y\n").examples, 1);
  // Options in columns.
  const Json line = TheExample(Import("question,A,B,C,answer\nWhich is an animal?,a chair,a dog,a stone,B\n"));
  EXPECT_EQ(line["messages"][0]["content"], "Which is an animal?\n\nA) a chair\nB) a dog\nC) a stone");
  EXPECT_EQ(line["expect"][0], Json::parse(R"({"type":"choice","value":"B","letters":"ABC"})"));
  // JSON rows are a table, too.
  EXPECT_EQ(Import(R"([{"query":"Capital of Italy?","response":"Rome"}])").kind, "table");
  EXPECT_EQ(TheExample(Import(R"({"question":"Who?","answer":["Ann","Anna"]})"))["expect"][0]["any"], true);
}

TEST(Import, ColumnsByName) {
  KindOptions kind;
  kind.columns = {{"prompt", "ask"}, {"expected", "say"}};
  const Json line = TheExample(Import("ask,say,answer\nx,Ja,Nein\n", "", kind));
  EXPECT_EQ(line["expect"][0]["value"], "Ja");
  EXPECT_THAT(
      Refusal("ask,say\nx,y\n"),
      HasSubstr("none of its columns is named as the question: ask, say; say which it is with --map prompt=COLUMN"));
  kind.columns = {{"prompt", "asc"}};
  EXPECT_THAT(Refusal("ask,answer\nx,y\n", "", kind),
              HasSubstr("has no such column, its columns are ask, answer; did you mean \"ask\"?"));
  kind.columns = {{"promt", "ask"}};
  EXPECT_THAT(Refusal("ask,answer\nx,y\n", "", kind), HasSubstr("--map promt=ask: expected one of the fields prompt,"));
  for (const auto& [check, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {"equals", R"({"type":"equals","value":"4 cats","ignore_case":true,"strip_punctuation":true})"},
           {"contains", R"({"type":"contains","value":"4 cats","ignore_case":true,"whole_word":true})"},
           {"starts-with", "{\"type\":\"regex\",\"pattern\":\"^(?:4 cats)\"}"},
           {"number", R"({"type":"number","value":4})"}}) {
    KindOptions with;
    with.check = check;
    EXPECT_EQ(TheExample(Import("prompt,answer\nx,4 cats\n", "", with))["expect"][0], Json::parse(expected)) << check;
  }
}

TEST(Import, BrokenTables) {
  const ImportResult result = Import("prompt,answer\na,b,c\nd,e\n");
  EXPECT_EQ(result.examples, 1);
  EXPECT_EQ(result.skipped[0].first, "f:2");
  EXPECT_THAT(WhySkipped(result), HasSubstr("the line has 3 fields, its head 2"));
  EXPECT_THAT(Refusal("prompt,prompt\na,b\n"), HasSubstr("the column \"prompt\" is there twice"));
  EXPECT_THAT(Refusal("prompt,answer\n\"a,b\n"), HasSubstr("f:2: a quote is not closed"));
  EXPECT_THAT(Refusal("hello\nworld\n"), HasSubstr("found text of one column"));
}

constexpr const char* kPromptfoo = R"(
description: capitals
prompts:
  - "Capital of {{country}}? {{how}}"
  - label: short
    raw: "{{country}}:"
providers: [openai:gpt-4o]
defaultTest:
  vars: {how: Briefly.}
  assert:
    - type: not-contains
      value: sorry
tests:
  - description: France
    vars: {country: France}
    assert:
      - {type: icontains, value: paris}
      - {type: llm-rubric, value: is polite}
      - {type: latency, threshold: 1000}
  - vars: {country: [Italy, Spain]}
    assert:
      - {type: contains-any, value: "Rome, Madrid"}
      - {type: regex, value: "^[A-Z]"}
)";

TEST(Import, Promptfoo) {
  const ImportResult result = Import(kPromptfoo);
  EXPECT_EQ(result.kind, "promptfoo");
  EXPECT_EQ(result.examples, 6);  // two prompts, one country and two
  const std::vector<Json> lines = Lines(result.task_text);
  EXPECT_EQ(lines[0]["messages"][0]["content"], "Capital of France? Briefly.");
  EXPECT_EQ(
      lines[0]["expect"],
      Json::parse(
          R"([{"type":"contains","value":"sorry","not":true},{"type":"contains","value":"paris","ignore_case":true}])"));
  EXPECT_EQ(lines[1]["messages"][0]["content"], "France:");
  EXPECT_EQ(lines[1]["slice"], "short");
  EXPECT_EQ(lines[0]["id"], "France");
  EXPECT_EQ(lines[1]["id"], "France-2");
  EXPECT_EQ(lines[0]["cluster"], lines[1]["cluster"]);
  EXPECT_NE(lines[0]["cluster"], lines[2]["cluster"]);
  EXPECT_EQ(lines[3]["messages"][0]["content"], "Capital of Spain? Briefly.");
  EXPECT_EQ(lines[2]["expect"][1], Json::parse(R"({"type":"contains","value":["Rome","Madrid"],"any":true})"));
  EXPECT_THAT(result.dropped,
              AllOf(Contains(Pair("the assertion llm-rubric", 2)), Contains(Pair("the assertion latency", 2)),
                    Contains(Pair("\"providers\" of the configuration", 1))));
}

TEST(Import, PromptfooAssertions) {
  const auto check = [](const std::string& assertion) {
    const ImportResult result = Import(R"({"prompts":["q"],"tests":[{"vars":{"a":"b"},"assert":[)" + assertion +
                                       R"(,{"type":"contains","value":"z"}]}]})");
    const std::vector<Json> lines = Lines(result.task_text);
    return lines.empty() ? Json() : lines[0]["expect"].size() == 2 ? lines[0]["expect"][0] : Json("none");
  };
  for (const auto& [assertion, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"type":"equals","value":"x"})", R"({"type":"equals","value":"x"})"},
           {R"({"type":"equals","value":{"a":1}})", R"({"type":"json_value","value":{"a":1}})"},
           {R"({"type":"not-equals","value":"x.y"})", R"({"type":"regex","pattern":"\\Ax\\.y\\z","not":true})"},
           {R"({"type":"contains-all","value":["x","y"]})", R"({"type":"contains","value":["x","y"]})"},
           {R"({"type":"icontains-any","value":["x"]})",
            R"({"type":"contains","value":["x"],"any":true,"ignore_case":true})"},
           {R"({"type":"not-icontains-any","value":["x","y"]})",
            R"({"type":"contains","value":["x","y"],"ignore_case":true,"not":true})"},
           {R"({"type":"starts-with","value":"a+"})", R"({"type":"regex","pattern":"\\Aa\\+"})"},
           {R"({"type":"not-regex","value":"x"})", R"({"type":"regex","pattern":"x","not":true})"},
           {R"({"type":"contains","value":"{{a}}!"})", R"({"type":"contains","value":"b!"})"},
           {R"({"type":"contains-json"})", R"({"type":"json_schema","schema":{},"allow_empty":true,"find":true})"},
           {R"({"type":"is-json","value":{"type":"object"}})",
            R"({"type":"json_schema","schema":{"type":"object"},"allow_empty":true})"}})
    EXPECT_EQ(check(assertion), Json::parse(expected)) << assertion;
  for (const char* unmapped :
       {R"({"type":"not-contains-all","value":["x","y"]})", R"({"type":"javascript","value":"1"})",
        R"({"type":"similar","value":"x"})", R"({"type":"not-is-json"})"})
    EXPECT_EQ(check(unmapped), "none") << unmapped;
}

TEST(Import, PromptfooThatCannotBeFollowed) {
  EXPECT_THAT(Refusal("- vars: {q: x}\n  assert: [{type: equals, value: y}]\n"),
              HasSubstr("promptfoo tests without a prompt"));
  KindOptions kind;
  kind.columns = {{"prompt", "q"}};
  EXPECT_EQ(
      TheExample(Import("- vars: {q: x}\n  assert: [{type: equals, value: y}]\n", "", kind))["messages"][0]["content"],
      "x");
  const auto why = [](const std::string& prompt) {
    return WhySkipped(Import("{\"prompts\":[\"" + prompt +
                             R"("],"tests":[{"vars":{"a":"b"},"assert":[{"type":"equals","value":"y"}]}]})"));
  };
  EXPECT_EQ(why("{{b}}"), "its prompt has {{b}}, which the test gives no value");
  EXPECT_THAT(why("{% if a %}"), HasSubstr("tags of a template"));
  EXPECT_THAT(why("{{a | upper}}"), HasSubstr("which the test gives no value"));
  EXPECT_THAT(Refusal(R"({"prompts":["file://p.txt"],"tests":[{"vars":{}}]})"),
              HasSubstr("promptfoo tests without a prompt"));
}

TEST(Import, OpenAiEvals) {
  const std::string row =
      R"({"input":[{"role":"system","content":"S"},{"role":"system","name":"example_user","content":"1+1"},{"role":"system","name":"example_assistant","content":"2"},{"role":"user","content":"Capital of France?"}],"ideal":["Paris","paris"]})";
  const ImportResult result = Import(row);
  const Json line = TheExample(result);
  EXPECT_EQ(line["messages"][1], Json::parse(R"({"role":"user","content":"1+1"})"));
  EXPECT_TRUE(Passes(result, 0, "Paris, of course"));
  EXPECT_FALSE(Passes(result, 0, "It is Paris"));
  KindOptions kind;
  kind.check = "contains";
  EXPECT_TRUE(Passes(Import(row, "", kind), 0, "It is Paris"));
}

TEST(Import, LmEval) {
  const ImportResult result = Import(
      R"({"doc_id":0,"doc":{"question":"q"},"target":"It is so.\n#### 1,072","arguments":{"gen_args_0":{"arg_0":"Question: q\nAnswer:","arg_1":{"until":["\n\n","</s>"],"max_gen_toks":300,"do_sample":false,"temperature":0.0}}},"resps":[["72"]],"filtered_resps":["72"]})"
      "\n"
      R"({"doc_id":1,"doc":{},"target":1,"arguments":[["ctx"," yes"],["ctx"," no"]],"resps":[[[-1.0,false]],[[-2.0,true]]],"x":NaN})"
      "\n"
      R"({"doc_id":2,"doc":{},"target":"Rome","arguments":{"gen_args_0":{"arg_0":["[{\"role\": \"user\", \"content\": \"Capital of Italy?\"}]"],"arg_1":{"until":[]}}},"resps":[["Rome"]]})");
  EXPECT_EQ(result.kind, "lm-eval");
  const std::vector<Json> lines = Lines(result.task_text);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["prompt"], "Question: q\nAnswer:");
  EXPECT_EQ(lines[0]["sampling"], Json::parse(R"({"stop":["\n\n","</s>"],"max_tokens":300})"));
  EXPECT_EQ(lines[0]["expect"], Json::parse(R"([{"type":"number","value":1072}])"));
  EXPECT_EQ(lines[1]["messages"][0]["content"], "Capital of Italy?");
  EXPECT_THAT(WhySkipped(result), HasSubstr("options were chosen by their likelihood"));
}

TEST(Import, Inspect) {
  const std::string log =
      R"({"version":2,"status":"success","eval":{"task":"t","scorers":[{"name":"match"}]},"samples":[
{"id":1,"epoch":1,"input":"2+2?","target":"4","messages":[{"role":"user","content":"2+2? Think.","id":"m","source":"input"},{"role":"assistant","content":"4"}],"scores":{"match":{"value":"C"}}},
{"id":1,"epoch":2,"input":"2+2?","target":"4","messages":[{"role":"user","content":"2+2? Think."}]},
{"id":2,"epoch":1,"input":"Which?","choices":["a dog","a stone"],"target":"A","messages":[{"role":"user","content":"Which?\nA) a dog\nB) a stone"}],"scores":{"choice":{"value":"C"}}},
{"id":3,"epoch":1,"input":"Say it well.","target":"x","scores":{"model_graded_qa":{"value":"I"}}}]})";
  const ImportResult result = Import(log);
  EXPECT_EQ(result.kind, "inspect");
  EXPECT_EQ(result.examples, 2);
  const std::vector<Json> lines = Lines(result.task_text);
  EXPECT_EQ(lines[0]["messages"], Json::parse(R"([{"role":"user","content":"2+2? Think."}])"));
  EXPECT_TRUE(Passes(result, 0, "It is 4."));
  EXPECT_FALSE(Passes(result, 0, "4 is not it, 5 is"));
  EXPECT_EQ(lines[1]["expect"][0]["value"], "A");
  EXPECT_EQ(result.skipped.size(), 2u);
  EXPECT_THAT(result.skipped[0].why, HasSubstr("a further epoch"));
  EXPECT_THAT(result.skipped[1].why, HasSubstr("scored by model_graded_qa"));
  EXPECT_EQ(result.rest, 1);
}

TEST(Import, Bfcl) {
  KindOptions kind;
  kind.answers = Data("bfcl_answers.json");
  kind.answers_name = "answers";
  const ImportResult result = Import(Data("bfcl_simple_python.json"), "", kind);
  EXPECT_EQ(result.kind, "bfcl");
  EXPECT_EQ(result.examples, result.rows);
  EXPECT_GT(result.examples, 3);
  EXPECT_THAT(result.slices, ElementsAre(Pair("simple_python", result.examples)));
  const Json line = Lines(result.task_text)[0];
  EXPECT_EQ(line["tools"][0]["function"]["parameters"]["type"], "object");
  EXPECT_EQ(
      line["expect"][0]["calls"],
      Json::parse(
          R"([{"name":"calculate_triangle_area","arguments":{"base":10,"height":5,"unit":{"$optional":{"$casefold":"units"}}}}])"));
  EXPECT_TRUE(Passes(result, 0, R"([calculate_triangle_area(base=10, height=5, unit="Units")])"));
  EXPECT_TRUE(Passes(result, 0, R"([calculate_triangle_area(base=10, height=5)])"));
  EXPECT_FALSE(Passes(result, 0, R"([calculate_triangle_area(base=10, height=6)])"));
  // Without the answers, nothing says what is right; where no call is due, the kind says it.
  const ImportResult bare = Import(Data("bfcl_simple_python.json"));
  EXPECT_EQ(bare.examples, 0);
  EXPECT_EQ(bare.rest, bare.rows);
  EXPECT_THAT(WhySkipped(bare), HasSubstr("--answers possible_answer/FILE"));
  const Json none = TheExample(Import(
      R"({"id":"irrelevance_0","question":[[{"role":"user","content":"q"}]],"function":[{"name":"f","parameters":{"type":"dict","properties":{"a":{"type":"tuple","items":{"type":"float"}},"b":{"type":"any"}}}}]})"));
  EXPECT_EQ(none["expect"][0]["calls"], Json::array());
  EXPECT_EQ(none["tools"][0]["function"]["parameters"],
            Json::parse(R"({"type":"object","properties":{"a":{"type":"array","items":{"type":"number"}},"b":{}}})"));
}

// The whole of what a public excerpt with the answers beside the questions holds is taken.
TEST(Import, BfclOfAllCategories) {
  std::ifstream in(ASSAY_TEST_DATA "/task/data/bfcl.jsonl");
  std::ostringstream text;
  text << in.rdbuf();
  const ImportResult result = Import(text.str());
  EXPECT_GT(result.rows, 50);
  EXPECT_EQ(result.examples, result.rows);
  EXPECT_THAT(result.skipped, IsEmpty());
}

TEST(Import, Gsm8k) {
  const ImportResult result = Import(Data("gsm8k.jsonl"));
  EXPECT_EQ(result.kind, "gsm8k");
  EXPECT_EQ(result.examples, result.rows);
  EXPECT_TRUE(Passes(result, 0, "She makes $18 a day."));
  EXPECT_FALSE(Passes(result, 0, "#### 17"));
}

TEST(Import, MultipleChoice) {
  const ImportResult result = Import(Data("mmlu_pro.jsonl"));
  EXPECT_EQ(result.kind, "multiple-choice");
  EXPECT_EQ(result.examples, result.rows);
  EXPECT_TRUE(Passes(result, 0, "The answer is (I)."));
  EXPECT_FALSE(Passes(result, 0, "The answer is (A)."));
  EXPECT_EQ(
      TheExample(Import(R"({"question":"Q","choices":["x","y"],"answer":1,"subject":"s"})"))["expect"][0]["value"],
      "B");
  EXPECT_EQ(
      TheExample(Import(
          R"({"question":"Q","choices":{"text":["x","y"],"label":["1","2"]},"answerKey":"2"})"))["expect"][0]["value"],
      "B");
}

TEST(Import, IfEval) {
  const ImportResult result = Import(Data("ifeval.jsonl"));
  EXPECT_EQ(result.kind, "ifeval");
  EXPECT_GT(result.examples, 10);
  EXPECT_EQ(result.examples + result.rest, result.rows);
  const auto passes = [](const std::string& id, const std::string& arguments, const std::string& answer) {
    const ImportResult one =
        Import(R"({"key":1,"prompt":"p","instruction_id_list":[")" + id + R"("],"kwargs":[)" + arguments + "]}");
    EXPECT_EQ(one.examples, 1) << id << (one.skipped.empty() ? "" : one.skipped[0].why);
    return one.examples == 1 && Passes(one, 0, answer);
  };
  struct Case {
    const char *id, *arguments, *right, *wrong;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"punctuation:no_comma", "{}", "a b", "a, b"},
           {"keywords:existence", R"({"keywords":["Ant","bee"]})", "bees and ANTS", "bees"},
           {"keywords:forbidden_words", R"({"forbidden_words":["ant"]})", "antenna", "An ant!"},
           {"keywords:frequency", R"({"keyword":"ant","frequency":2,"relation":"at least"})", "ant\nAnt", "ant"},
           {"keywords:frequency", R"({"keyword":"a.b","frequency":2,"relation":"less than"})", "a.b axb", "a.b A.B"},
           {"keywords:letter_frequency", R"({"letter":"q","let_frequency":2,"let_relation":"at least"})", "Qq", "q"},
           {"length_constraints:number_words", R"({"num_words":3,"relation":"at least"})", "one, two three", "one two"},
           {"length_constraints:number_words", R"({"num_words":3,"relation":"less than"})", "one two", "one two three"},
           {"detectable_content:number_placeholders", R"({"num_placeholders":2})", "[a] and [b]", "[a]"},
           {"detectable_content:postscript", R"({"postscript_marker":"P.S."})", "x\n\nP.S. y", "x"},
           {"detectable_format:number_bullet_lists", R"({"num_bullets":2})", "* a\n* b", "* a\n* b\n- c"},
           {"detectable_format:number_bullet_lists", R"({"num_bullets":2})", "x\n - a\n\n - b\ny", "* a"},
           {"detectable_format:number_highlighted_sections", R"({"num_highlights":2})", "*a* and **b c**", "*a* ** **"},
           {"detectable_format:multiple_sections", R"({"section_spliter":"Section","num_sections":2})",
            "Section 1\nx\nSection 2\ny", "Section 1"},
           {"detectable_format:constrained_response", "{}", "My answer is no.", "No."},
           {"detectable_format:json_format", "{}", "```json\n{\"a\": 1}\n```", "a"},
           {"detectable_format:title", "{}", "<<A song>>\nx", "<< >>"},
           {"combination:repeat_prompt", R"({"prompt_to_repeat":"Say (it)."})", "say (it). There.", "It."},
           {"startend:end_checker", R"({"end_phrase":"Any more?"})", "x any more?", "Any more? No."},
           {"startend:quotation", "{}", "\"a\nb\"", "\"a\" b"}}) {
    EXPECT_TRUE(passes(one.id, one.arguments, one.right)) << one.id << " " << one.arguments;
    EXPECT_FALSE(passes(one.id, one.arguments, one.wrong)) << one.id << " " << one.arguments;
  }
  // All of its instructions or none.
  const ImportResult partly = Import(
      R"({"key":1,"prompt":"p","instruction_id_list":["punctuation:no_comma","language:response_language"],"kwargs":[{},{"language":"de"}]})");
  EXPECT_EQ(partly.examples, 0);
  EXPECT_EQ(WhySkipped(partly), "language:response_language: no check says what language a text is in");
}

TEST(Import, HumanEvalNeedsWhatThereIsNot) {
  const ImportResult result = Import(Data("humaneval.jsonl"));
  EXPECT_EQ(result.kind, "humaneval");
  EXPECT_EQ(result.examples, 0);
  EXPECT_EQ(result.rest, result.rows);
  EXPECT_THAT(WhySkipped(result), HasSubstr("no check runs code yet"));
}

TEST(Import, LostInTheMiddle) {
  const ImportResult result = Import(Data("lost_in_the_middle.jsonl"));
  EXPECT_EQ(result.kind, "lost-in-the-middle");
  EXPECT_EQ(result.examples, 2);
  const Json line = Lines(result.task_text)[0];
  const std::string value = line["expect"][0]["value"];
  EXPECT_TRUE(Passes(result, 0, "It is " + value));
  EXPECT_FALSE(Passes(result, 0, line["context"]));  // all of it is no answer
  const Task task = ParseTask(result.task_text, "t");
  EXPECT_THAT(DumpJson(task.examples[0].messages), HasSubstr(value));
  const Json documents = TheExample(Import(
      R"({"question":"who?","answers":["Ann","A. Lee"],"ctxs":[{"title":"T","text":"x"},{"title":"U","text":"Ann did.","isgold":true}],"nq_annotated_gold":{}})"));
  EXPECT_EQ(documents["slice"], "middle");
  EXPECT_EQ(documents["context"], "Document 1 (T): x\n\nDocument 2 (U): Ann did.");
}

TEST(Import, TasksInOtherLayouts) {
  const std::string example = R"({"id":"a","prompt":"x","expect":[{"type":"contains","value":"y"}]})";
  const std::string hash = ParseTask(example, "t").hash;
  for (const std::string& text : {"[" + example + "]", "[\n" + example + "\n]", "\n" + ParseJson(example, "").dump(2),
                                  "\xEF\xBB\xBF" + example, "{\"examples\":[" + example + "]}"}) {
    const ImportResult result = Import(text);
    EXPECT_EQ(result.kind, "task") << text;
    EXPECT_EQ(ParseTask(result.task_text, "t").hash, hash) << text;
  }
  const ImportResult planned = Import("[{\"task\":{\"margin\":5}},{\"defaults\":{\"slice\":\"s\"}}," + example + "]");
  EXPECT_EQ(planned.examples, 1);
  EXPECT_EQ(ParseTask(planned.task_text, "t").margin, 5);
  EXPECT_EQ(ParseTask(planned.task_text, "t").examples[0].slice, "s");
}

TEST(Import, Encodings) {
  std::string utf16 = "\xFF\xFE";
  for (const char c : std::string("prompt,answer\nCapital of Italy?,Rome\n")) utf16 += {c, '\0'};
  const ImportResult wide = Import(utf16);
  EXPECT_EQ(wide.examples, 1);
  EXPECT_THAT(wide.notes, Contains("UTF-16 text, written as UTF-8"));
  EXPECT_EQ(Import(utf16.substr(2)).examples, 1);
  const ImportResult latin = Import("prompt,answer\nGr\xF6\xDFte Stadt?,K\xF6ln\n\x80?,x\n");
  EXPECT_THAT(latin.task_text, AllOf(HasSubstr("Größte"), HasSubstr("Köln"), HasSubstr("€")));
  EXPECT_THAT(latin.notes, Contains(HasSubstr("not UTF-8 from line 2 on (byte 0xF6): read as Windows-1252")));
  EXPECT_THAT(Refusal(std::string("\xFF\xFE\x00\xD8", 4)), HasSubstr("half of a pair"));
  EXPECT_THAT(Refusal("PK\x03\x04"), HasSubstr("found a ZIP archive"));
  EXPECT_THAT(Refusal("\x1F\x8B\x08"), HasSubstr("found gzip, expected text: unpack it"));
  EXPECT_THAT(Refusal(""), HasSubstr("the file is empty"));
}

TEST(Import, WhatCannotBeRead) {
  const ImportResult result = Import(R"({"instruction":"a","output":"b"})"
                                     "\n{'instruction':'a'}\n[1]\n");
  EXPECT_EQ(result.rows, 3);
  EXPECT_EQ(result.examples, 1);
  EXPECT_EQ(result.skipped[0].first, "f:2");
  EXPECT_THAT(result.skipped[0].why, HasSubstr("not JSON at column 2: found ' around a name"));
  EXPECT_THAT(Refusal("[{\"a\": 1,}]"), HasSubstr("f:1: not JSON at column"));
  EXPECT_THAT(Refusal("{\"a\": 1}\n"), HasSubstr("whose rows have a: of no kind that is known"));
  EXPECT_THAT(Refusal("a: [\n"), HasSubstr("f:2: not YAML"));
  EXPECT_THAT(Refusal("prompt,answer\nx,y\n", "alpacca"), HasSubstr("did you mean alpaca?"));
  KindOptions kind;
  kind.check = "equals";
  EXPECT_THAT(Refusal(Data("gsm8k.jsonl"), "", kind), HasSubstr("--check: rows of GSM8K (gsm8k) need none"));
  // Wrong kinds are told row by row, never a crash.
  for (const ImportKind& one : ImportKinds()) {
    try {
      EXPECT_EQ(ImportTask(R"({"a":1})", "f", {.from = std::string(one.name)}).examples, one.name == "task" ? 1 : 0)
          << one.name;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("f:")) << one.name;
    }
  }
}

TEST(Import, SomeOfThem) {
  std::string text = "prompt,answer\n";
  for (int i = 0; i < 40; ++i) text += "q" + std::to_string(i) + ",a\n";
  ImportOptions options;
  options.count = 10;
  const ImportResult first = ImportTask(text, "f", options), again = ImportTask(text, "f", options);
  EXPECT_EQ(first.examples, 10);
  EXPECT_EQ(first.found, 40);
  EXPECT_EQ(first.task_text, again.task_text);
  options.seed = 1;
  EXPECT_NE(ImportTask(text, "f", options).task_text, first.task_text);
}

// What becomes of every kind is read by those who check tasks without a mistake.
TEST(Import, ResultsAreTasks) {
  for (const char* name : {"ifeval.jsonl", "mmlu_pro.jsonl", "gsm8k.jsonl", "lost_in_the_middle.jsonl"})
    for (const TaskProblem& problem : CheckTaskText(Import(Data(name)).task_text, name))
      EXPECT_TRUE(problem.warning) << problem.Describe(name);
}

}  // namespace
}  // namespace assay
