// json_value with its comparators, json_schema as a check, and JSON taken out of answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dialect/answer_json.h"
#include "task/check/matcher.h"
#include "task_testing.h"

namespace assay {
namespace {

using testing::Class;
using ::testing::HasSubstr;
using testing::Refusal;
using testing::Try;

// Class of comparing `value` with the expectation.
std::string Match(const char* spec, const char* value, bool allow_extra = false) {
  Work work;
  CheckOutcome outcome = Matcher::Compile(Json::parse(spec), allow_extra).Match(Json::parse(value), "v", work);
  return outcome ? std::string(FailureName(outcome->failure)) : "";
}

TEST(AnswerJson, StrictOrOneFence) {
  EXPECT_TRUE(ParseAnswerJson(" {\"a\": 1}\n").ok);
  EXPECT_FALSE(ParseAnswerJson(" {\"a\": 1}\n").recovered);
  for (const char* text : {"```json\n{\"a\": 1}\n```", "Here it is:\n```JSON\n{\"a\": 1}\n```\nDone."}) {
    AnswerJson parsed = ParseAnswerJson(text);
    EXPECT_TRUE(parsed.ok && parsed.recovered) << text;
    EXPECT_EQ(parsed.value["a"], 1);
  }
  for (const char* text : {"{\"a\": 1, \"a\": 2}", "{\"a\": NaN}", "[1,]", "{'a': 1}", "{\"a\": 1} done",
                           "Sure: {\"a\": 1}", "{\"a\": 1", "// c\n1", "```json\n1\n```\n```json\n2\n```",
                           "```\n1\n```", "```python\n1\n```", "```json\n1", "```json", "01", "+1", "Infinity"})
    EXPECT_FALSE(ParseAnswerJson(text).ok) << text;
  EXPECT_FALSE(ParseAnswerJson("1e400").ok);  // no double holds it
  EXPECT_FALSE(ParseAnswerJson(std::string(100000, '[')).ok);
}

TEST(AnswerJson, FoundInProse) {
  for (const char* text :
       {"{\"a\": 1}", "```json\n{\"a\": 1}\n```", "Sure: {\"a\": 1}. Done.", "{x} then {\"a\": 1}, {\"a\": 2}",
        "it's {\"a\": 1}", "``` {\"a\": 1}", "{\"a\": 1} {", "{ \"b\": {\"a\": 1}"}) {
    const AnswerJson found = FindAnswerJson(text);
    EXPECT_TRUE(found.ok) << text;
    EXPECT_EQ(found.value, Json::parse("{\"a\":1}")) << text;
    EXPECT_EQ(found.recovered, text[0] != '{' || text[1] != '"' || std::string_view(text).size() > 8) << text;
  }
  for (const char* text : {"", "no", "{'a': 1}", "[1,]", "{\"a\": 1, \"a\": 2}"})
    EXPECT_FALSE(FindAnswerJson(text).ok) << text;
  EXPECT_FALSE(FindAnswerJson(std::string(100000, '[')).ok);
  constexpr const char* kFind = R"({"type":"json_value","value":{"a":1},"find":true})";
  EXPECT_EQ(Class(kFind, "Sure: {\"a\": 1}."), "");
  EXPECT_EQ(Class(kFind, "Sure: {\"a\": 2}."), "wrong value");
  EXPECT_EQ(Class(kFind, "Sure."), "malformed JSON");
  EXPECT_THAT(Try(kFind, "Sure: {\"a\": 1}.").detail, HasSubstr("found in an answer that says more"));
  EXPECT_EQ(Class(R"({"type":"json_schema","schema":{"type":"object"},"find":true})", "It is {\"a\": 1}"), "");
  EXPECT_EQ(Class(R"({"type":"json_value","value":{"a":1}})", "Sure: {\"a\": 1}."), "malformed JSON");
  EXPECT_THAT(Refusal(R"({"type":"json_value","value":1,"find":true,"strict":true})"), HasSubstr("exclude each other"));
}

TEST(Matcher, PlainValues) {
  EXPECT_EQ(Match("5", "5.0"), "");
  EXPECT_EQ(Match("5", "5.5"), "wrong value");
  EXPECT_EQ(Match("1", "true"), "wrong type");
  EXPECT_EQ(Match("\"5\"", "5"), "wrong type");
  EXPECT_EQ(Match("null", "null"), "");
  EXPECT_EQ(Match("9007199254740993", "9007199254740992"), "wrong value");  // beyond a double's integers
  EXPECT_EQ(Match("18446744073709551615", "-1"), "wrong value");
  EXPECT_EQ(Match("0.1", "0.1"), "");
}

TEST(Matcher, ObjectsAndLists) {
  EXPECT_EQ(Match(R"({"a":1,"b":[1,2]})", R"({"b":[1,2],"a":1})"), "");
  EXPECT_EQ(Match(R"({"a":1,"b":2})", R"({"a":1})"), "missing");
  EXPECT_EQ(Match(R"({"a":1})", R"({"a":1,"c":3})"), "extra");
  EXPECT_EQ(Match(R"({"a":1})", R"({"a":1,"c":3})", true), "");
  EXPECT_EQ(Match(R"({"a":{"x":1}})", R"({"a":{"x":1,"y":2}})", true), "");  // nested too
  EXPECT_EQ(Match(R"({"a":{"$fields":{"x":1},"allow_extra":true}})", R"({"a":{"x":1,"y":2}})"), "");
  EXPECT_EQ(Match(R"({"a":{"$fields":{"x":1},"allow_extra":true}})", R"({"a":{"x":1,"y":2},"b":0})"), "extra");
  EXPECT_EQ(Match(R"([1,2])", R"([2,1])"), "wrong value");
  EXPECT_EQ(Match(R"([1,2])", R"([1,2,3])"), "wrong count");
  EXPECT_EQ(Match(R"([1,2])", R"({"0":1})"), "wrong type");
  Work work;
  CheckOutcome deep = Matcher::Compile(Json::parse(R"({"a":[{"b":"x"}]})"), false)
                          .Match(Json::parse(R"({"a":[{"b":"y"}]})"), "arguments", work);
  ASSERT_TRUE(deep);
  EXPECT_EQ(deep->detail, "arguments.a[0].b: expected \"x\", found \"y\"");
}

TEST(Matcher, Comparators) {
  EXPECT_EQ(Match(R"({"$casefold":"New York"})", R"("NEW YORK")"), "");
  EXPECT_EQ(Match(R"({"$casefold":"New York"})", "3"), "wrong type");
  EXPECT_EQ(Match(R"({"$contains":"york"})", R"("New York City")"), "");
  EXPECT_EQ(Match(R"({"$number":3.14,"tolerance":0.01})", "3.145"), "");
  EXPECT_EQ(Match(R"({"$number":3.14,"tolerance":0.01})", "3.2"), "wrong value");
  EXPECT_EQ(Match(R"({"$number":100,"relative":0.05})", "104.9"), "");
  EXPECT_EQ(Match(R"({"$number":100})", "\"100\""), "wrong type");
  EXPECT_EQ(Match(R"({"$regex":"[A-Z]{2}\\d+"})", "\"AB12\""), "");
  EXPECT_EQ(Match(R"({"$regex":"[A-Z]{2}\\d+"})", "\"xAB12\""), "wrong value");  // covers the whole string
  EXPECT_EQ(Match(R"({"$set":[1,2,2]})", "[2,1,2]"), "");
  EXPECT_EQ(Match(R"({"$set":[1,2,2]})", "[2,1,1]"), "wrong value");
  EXPECT_EQ(Match(R"({"$set":[1,2]})", "[1]"), "wrong count");
  EXPECT_EQ(Match(R"({"$any_of":["a",{"$number":1,"tolerance":1}]})", "1.5"), "");
  EXPECT_EQ(Match(R"({"$any_of":["a","b"]})", "\"c\""), "wrong value");
  EXPECT_EQ(Match(R"({"$any_of":["a","b"]})", "1"), "wrong type");
  EXPECT_EQ(Match(R"({"a":{"$optional":1}})", "{}"), "");
  EXPECT_EQ(Match(R"({"a":{"$optional":1}})", R"({"a":2})"), "wrong value");
  EXPECT_EQ(Match(R"({"a":{"$ignore":true}})", R"({"a":[1]})"), "");
  EXPECT_EQ(Match(R"({"a":{"$ignore":true}})", "{}"), "");
  EXPECT_EQ(Match(R"({"a":{"$type":"integer"}})", R"({"a":2.0})"), "");
  EXPECT_EQ(Match(R"({"a":{"$type":"integer"}})", R"({"a":2.5})"), "wrong type");
  EXPECT_EQ(Match(R"({"a":{"$type":"integer"}})", "{}"), "missing");
  EXPECT_EQ(Match(R"({"$exact":{"$set":[1]}})", R"({"$set":[1]})"), "");
}

// Greedy pairing would give the answer's "b" to the first alternative and leave the second without a partner.
TEST(Matcher, SetsBacktrack) {
  EXPECT_EQ(Match(R"({"$set":[{"$any_of":["a","b"]},"b"]})", R"(["b","a"])"), "");
}

TEST(JsonValue, NamesThePlace) {
  const char* spec =
      R"({"type":"json_value","value":{"items":[{"name":"pen","count":2}],"total":{"$number":4.5,"tolerance":0.01}}})";
  EXPECT_EQ(Class(spec, R"({"items":[{"name":"pen","count":2}],"total":4.5})"), "");
  CheckResult result = Try(spec, R"({"items":[{"name":"pen","count":3}],"total":4.5})");
  EXPECT_EQ(result.failure, "wrong value");
  EXPECT_EQ(result.detail, "items[0].count: expected 2, found 3");
  EXPECT_EQ(Class(spec, "The total is 4.5"), "malformed JSON");
  result = Try(spec, "```json\n{\"items\":[{\"name\":\"pen\",\"count\":2}],\"total\":4.5}\n```");
  EXPECT_TRUE(result.pass);
  EXPECT_THAT(result.detail, HasSubstr("recovered"));
  EXPECT_EQ(Class(R"({"type":"json_value","value":1,"strict":true})", "```json\n1\n```"), "malformed JSON");
}

TEST(JsonValue, RefusesBadDefinitionsByPlace) {
  EXPECT_THAT(Refusal(R"({"type":"json_value"})"), HasSubstr("value: is missing: expected the JSON that is right"));
  EXPECT_THAT(Refusal(R"({"type":"json_value","value":{"a":[{"$anyof":[1]}]}})"),
              HasSubstr("value.a[0].$anyof: unknown comparator; did you mean \"$any_of\"?"));
  EXPECT_THAT(Refusal(R"({"type":"json_value","value":{"a":{"$number":1,"tol":2}}})"),
              HasSubstr("value.a.tol: unknown member"));
  EXPECT_THAT(Refusal(R"({"type":"json_value","value":{"a":{"$set":[],"$any_of":[]}}})"),
              HasSubstr("expected one comparator, found \"$set\" beside it"));
  EXPECT_THAT(Refusal(R"({"type":"json_value","value":{"a":{"$regex":"("}}})"),
              HasSubstr("value.a.$regex: not a regular expression"));
  EXPECT_THAT(Refusal(R"({"type":"json_value","value":{"$any_of":[]}})"), HasSubstr("at least one alternative"));
  EXPECT_THAT(Refusal(R"({"type":"json_value","value":{"$type":"int"}})"), HasSubstr("expected one of string"));
}

TEST(JsonSchemaCheck, ClassesOfFailure) {
  const char* spec = R"({"type":"json_schema","schema":{"type":"object","required":["n"],"additionalProperties":false,
      "properties":{"n":{"type":"integer"},"c":{"enum":["x","y"]},"l":{"type":"array","maxItems":1}}}})";
  EXPECT_EQ(Class(spec, R"({"n":1})"), "");
  EXPECT_EQ(Class(spec, R"({"c":"x"})"), "missing");
  EXPECT_EQ(Class(spec, R"({"n":1,"z":1})"), "extra");
  EXPECT_EQ(Class(spec, R"({"n":"1"})"), "wrong type");
  EXPECT_EQ(Class(spec, R"({"n":1,"c":"z"})"), "wrong value");
  EXPECT_EQ(Class(spec, R"({"n":1,"l":[1,2]})"), "wrong count");
  EXPECT_EQ(Class(spec, "n is 1"), "malformed JSON");
  EXPECT_EQ(Class(R"({"type":"json_schema","schema":{"type":"object"}})", "{}"), "empty");
  EXPECT_EQ(Class(R"({"type":"json_schema","schema":{"type":"object"},"allow_empty":true})", "{}"), "");
}

TEST(JsonSchemaCheck, TakesTheExamplesSchema) {
  Example example;
  EXPECT_THAT(Refusal(R"({"type":"json_schema"})", example), HasSubstr("schema: is missing"));
  example.response_schema = Json::parse(R"({"type":"array","items":{"type":"string"}})");
  EXPECT_TRUE(Try(R"({"type":"json_schema"})", R"(["a"])", example).pass);
  EXPECT_EQ(Try(R"({"type":"json_schema"})", "[1]", example).failure, "wrong type");
}

}  // namespace
}  // namespace assay
