// equals, contains, regex, number, choice, and what is common to all checks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "task/check/number_text.h"
#include "task_testing.h"

namespace assay {
namespace {

using testing::Class;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReadLines;
using testing::Refusal;
using testing::Try;

TEST(Check, BlankAnswersFailEveryType) {
  Example example;
  for (const char* spec :
       {R"({"type":"equals","value":"a"})", R"({"type":"contains","value":"a","not":true})",
        R"({"type":"regex","pattern":".*"})", R"({"type":"number","value":1})", R"({"type":"json_value","value":1})",
        R"({"type":"tool_calls","calls":[]})", R"({"type":"choice","value":"A"})"})
    for (const char* text : {"", " \n\t"}) EXPECT_EQ(Class(spec, text), "empty") << spec;
}

TEST(Check, EveryTypeIsKnownAndNamesAreDistinct) {
  std::set<std::string_view> names;
  for (const CheckType& type : CheckTypes()) EXPECT_TRUE(names.insert(type.name).second);
  EXPECT_EQ(names.size(), 8u);
  std::set<std::string_view> failures(FailureNames().begin(), FailureNames().end());
  EXPECT_EQ(failures.size(), FailureNames().size());
  EXPECT_EQ(FailureName(Failure::kNoCall), "no call");
  EXPECT_EQ(FailureName(Failure::kUndecided), "undecided");
}

TEST(Check, TruncatedAnswersThatFailSaySo) {
  CheckResult result = Try(R"({"type":"contains","value":"end"})", "no ending yet, but eh", {}, "length");
  EXPECT_TRUE(result.pass);
  result = Try(R"({"type":"contains","value":"Paris"})", "The capital of", {}, "length");
  EXPECT_EQ(result.failure, "truncated");
  EXPECT_THAT(result.detail, HasSubstr("missing"));
  EXPECT_EQ(Class(R"({"type":"json_value","value":{"a":1}})", R"({"a":)", "length"), "truncated");
}

TEST(Check, RefusesUnknownTypesAndMembers) {
  EXPECT_EQ(Refusal(R"({"type":"contain","value":"a"})"),
            "type: unknown check \"contain\"; did you mean \"contains\"?");
  EXPECT_EQ(Refusal(R"({"type":"contains","value":"a","ignorecase":true})"),
            "ignorecase: unknown member; did you mean \"ignore_case\"?");
  EXPECT_EQ(Refusal(R"({"type":"contains"})"), "value: is missing: expected a string or a list of strings");
  EXPECT_EQ(Refusal(R"({"type":"contains","value":3})"),
            "value: expected a string or a list of strings, found number 3");
  EXPECT_EQ(Refusal(R"({"type":"contains","value":["a",3]})"), "value[1]: expected a string, found number 3");
  EXPECT_EQ(Refusal(R"(["contains"])"),
            ": expected an object such as {\"type\": \"contains\", \"value\": …}, found array [\"contains\"]");
}

TEST(Equals, TrimsAndFoldsAsAsked) {
  EXPECT_EQ(Class(R"({"type":"equals","value":"Paris"})", " Paris\n"), "");
  EXPECT_EQ(Class(R"({"type":"equals","value":"Paris","trim":false})", " Paris\n"), "wrong value");
  EXPECT_EQ(Class(R"({"type":"equals","value":"Paris"})", "paris"), "wrong value");
  EXPECT_EQ(Class(R"({"type":"equals","value":"STRASSE","ignore_case":true})", "Straße"), "");
  EXPECT_EQ(Class(R"({"type":"equals","value":["yes","Yes"]})", "Yes"), "");
  EXPECT_EQ(Class(R"({"type":"equals","value":"Paris"})", "Paris."), "wrong value");
  EXPECT_EQ(Class(R"({"type":"equals","value":"Paris","strip_punctuation":true})", "**\"Paris.\"**"), "");
  EXPECT_EQ(Class("{\"type\":\"equals\",\"value\":\"caf\\u00e9\",\"ignore_case\":true}", "CAFE\xCC\x81"),
            "");  // composed and not
  EXPECT_EQ(Try(R"({"type":"equals","value":"a"})", "b").detail, "expected \"a\", found \"b\"");
}

TEST(Contains, AllAnyNotWordsAndLength) {
  EXPECT_EQ(Class(R"({"type":"contains","value":["red","blue"]})", "blue and red"), "");
  EXPECT_EQ(Class(R"({"type":"contains","value":["red","blue"]})", "blue"), "missing");
  EXPECT_EQ(Class(R"({"type":"contains","value":["red","blue"],"any":true})", "blue"), "");
  EXPECT_EQ(Class(R"({"type":"contains","value":["red","blue"],"any":true})", "green"), "missing");
  EXPECT_EQ(Class(R"({"type":"contains","value":["red","blue"],"not":true})", "green"), "");
  EXPECT_EQ(Class(R"({"type":"contains","value":["red","blue"],"not":true})", "so blue"), "forbidden text");
  EXPECT_EQ(Class(R"({"type":"contains","value":"no"})", "not now"), "");
  EXPECT_EQ(Class(R"({"type":"contains","value":"no","whole_word":true})", "not now"), "missing");
  EXPECT_EQ(Class(R"({"type":"contains","value":"no","whole_word":true})", "not now: no!"), "");
  EXPECT_EQ(Class(R"({"type":"contains","value":"NO","ignore_case":true})", "not"), "");
  EXPECT_EQ(Class(R"({"type":"contains","value":"a","max_chars":3})", "a\xC3\xA9\xC3\xA9"), "");
  EXPECT_EQ(Class(R"({"type":"contains","value":"a","max_chars":3})", "abcd"), "too long");
  EXPECT_THAT(Refusal(R"({"type":"contains","value":"","not":true})"), HasSubstr("never pass"));
}

TEST(Regex, SearchesOrCoversTheAnswer) {
  EXPECT_EQ(Class(R"({"type":"regex","pattern":"\\d{4}-\\d\\d"})", "on 2026-05, yes"), "");
  EXPECT_EQ(Class(R"({"type":"regex","pattern":"\\d{4}-\\d\\d","full":true})", "on 2026-05"), "no match");
  EXPECT_EQ(Class(R"({"type":"regex","pattern":"\\d{4}-\\d\\d","full":true})", " 2026-05\n"), "");
  EXPECT_EQ(Class(R"({"type":"regex","pattern":"a|ab","full":true})", "ab"), "");  // alternatives under anchors
  EXPECT_EQ(Class(R"({"type":"regex","pattern":",","not":true})", "a, b"), "forbidden text");
  EXPECT_EQ(Class(R"({"type":"regex","pattern":"HELLO","ignore_case":true})", "hello"), "");
  EXPECT_EQ(Class("{\"type\":\"regex\",\"pattern\":\"^.$\"}", "\xC3\xA9"), "");  // one character, two bytes
  EXPECT_EQ(Class("{\"type\":\"regex\",\"pattern\":\"x\"}", "\xFF\xFEx"), "");   // invalid UTF-8 is survived
  EXPECT_THAT(Refusal(R"({"type":"regex","pattern":"(a"})"),
              HasSubstr("pattern: not a regular expression: missing closing parenthesis"));
}

TEST(Regex, AnExplosionIsUndecidedNotAHang) {
  std::string text(3000, 'a');
  EXPECT_EQ(Class(R"({"type":"regex","pattern":"^(a+)+$"})", text + "!"), "undecided");
}

TEST(NumberText, FindsNumbersAsPeopleWriteThem) {
  auto values = [](std::string_view text, bool comma = false) {
    std::vector<std::string> out;  // "?": a numeral that is not read
    for (const TextNumber& number : FindNumbers(text, comma)) out.push_back(number.value ? number.value->Text() : "?");
    return out;
  };
  EXPECT_THAT(values("It costs $1,234.50."), ElementsAre("1234.5"));
  EXPECT_THAT(values("-$5 or $-6 or €7 or −8"), ElementsAre("-5", "-6", "7", "-8"));
  EXPECT_THAT(values("10-5=5, a-1 (3)-2"), ElementsAre("10", "5", "5", "1", "3", "2"));
  EXPECT_THAT(values("x = -3"), ElementsAre("-3"));
  EXPECT_THAT(values("Q4 has v2 and _7, 8th"), ElementsAre("8"));
  EXPECT_THAT(values("1, 2, 3"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(values("1, 2,3"), ElementsAre("1", "?"));
  EXPECT_THAT(values("18,000 and 1234,567 and 1,234,567 and 12,34"), ElementsAre("18000", "?", "1234567", "?"));
  EXPECT_THAT(values("1,2345"), ElementsAre("?"));
  EXPECT_THAT(values("6.02e23 1e5 3em 1.5E-3"), ElementsAre("602000000000000000000000", "100000", "3", "0.0015"));
  EXPECT_THAT(values("50% of .5 is 0.25."), ElementsAre("50", "0.5", "0.25"));
  EXPECT_THAT(values("so 42."), ElementsAre("42"));
  EXPECT_THAT(values("1.234,50 and 3,5", true), ElementsAre("1234.5", "3.5"));
  EXPECT_THAT(values("café9 £9"), ElementsAre("9"));
  EXPECT_THAT(values("none"), ElementsAre());
  EXPECT_THAT(values("1e99999 7"), ElementsAre("?", "7"));
  EXPECT_THAT(values(std::string(400, '9')), ElementsAre(std::string(400, '9')));
  EXPECT_THAT(values(std::string(3000, '9')), ElementsAre("?"));
  // Signs of scale without end are no number, and none that overflows.
  std::string signs = "5";
  for (int i = 0; i < 2000; ++i) signs += "兆";
  EXPECT_THAT(values(signs), ElementsAre("?"));
  EXPECT_THAT(values("3万亿"), ElementsAre("3000000000000"));
}

TEST(Number, LastFirstOnlyAndTolerance) {
  EXPECT_EQ(Class(R"({"type":"number","value":18})", "She sells 9 eggs at $2, so $18.00."), "");
  EXPECT_EQ(Class(R"({"type":"number","value":18})", "18 is what she gets for 9 eggs"), "wrong value");
  EXPECT_EQ(Class(R"({"type":"number","value":18,"take":"first"})", "18 is what she gets for 9 eggs"), "");
  EXPECT_EQ(Class(R"({"type":"number","value":18,"take":"only"})", "18, yes 18"), "");
  EXPECT_EQ(Class(R"({"type":"number","value":18,"take":"only"})", "18 or 19"), "wrong count");
  EXPECT_EQ(Class(R"({"type":"number","value":18})", "eighteen"), "no number");
  EXPECT_EQ(Class(R"({"type":"number","value":3.14159,"tolerance":0.01})", "about 3.14"), "");
  EXPECT_EQ(Class(R"({"type":"number","value":3.14159,"tolerance":0.001})", "about 3.14"), "wrong value");
  EXPECT_EQ(Class(R"({"type":"number","value":-200,"relative":0.01})", "-198.5"), "");
  EXPECT_EQ(Class(R"({"type":"number","value":-200,"relative":0.01})", "-197"), "wrong value");
  EXPECT_EQ(Class(R"({"type":"number","value":5,"after":"####","take":"first"})", "1+4\n#### 5 apples of 9"), "");
  EXPECT_EQ(Class(R"({"type":"number","value":5,"after":"####"})", "5"), "no number");
  EXPECT_EQ(Refusal(R"({"type":"number","value":"5"})"), "value: expected a number, found string \"5\"");
  EXPECT_EQ(Refusal(R"({"type":"number","value":5,"tolerance":-1})"),
            "tolerance: expected a number of at least 0, found -1");
}

// Graded solutions of four models: our verdict must be the graders', and the gold answer must be found in its own text.
TEST(Number, AgreesWithTheGradersOfGsm8k) {
  int graded = 0, correct = 0;
  for (const Json& row : ReadLines(ASSAY_TEST_DATA "/task/data/gsm8k.jsonl")) {
    auto answer = row["answer"].get<std::string>();
    std::string gold = answer.substr(answer.rfind("#### ") + 5);
    std::erase(gold, ',');
    Json spec = {{"type", "number"}, {"value", std::stod(gold)}};
    EXPECT_TRUE(Try(spec, answer).pass) << answer;
    for (const auto& [model, solution] : row.items()) {
      if (!solution.is_object()) continue;
      ++graded;
      correct += solution["is_correct"].get<bool>();
      EXPECT_EQ(Try(spec, solution["solution"].get<std::string>()).pass, solution["is_correct"].get<bool>())
          << row["line"] << model << solution["solution"];
    }
  }
  EXPECT_EQ(graded, 132);
  EXPECT_GT(correct, 20);
  EXPECT_LT(correct, 112);
}

TEST(Choice, Cascade) {
  const char* spec = R"({"type":"choice","value":"B","letters":"ABCD"})";
  for (const char* text : {"B", "b", "(B)", "**B**", "B.", "B) Paris", "B. Paris is it", "(B) Paris",
                           "The answer is (B).", "the answer is B", "Answer: B", "ANSWER: **B**",
                           "Let me see. A is wrong. So the correct answer is option B because C is not.",
                           "The answer is (A)? No: the answer is (B).", "I think it is B",
                           "Out of A and C, I choose B.", "The answer is: B", "B\nbecause"})
    EXPECT_EQ(Class(spec, text), "") << text;
  for (const char* text : {"A", "The answer is (C).", "A) B", "D. B is wrong"})
    EXPECT_EQ(Class(spec, text), "wrong value") << text;
  for (const char* text : {"I do not know", "A dog barks", "The answer is a bit long", "Both are fine", "42", "E",
                           "Bananas", "I'd say so"})
    EXPECT_EQ(Class(spec, text), "no choice") << text;
}

TEST(Choice, OptionTextsCount) {
  const char* spec = R"({"type":"choice","value":"C","choices":["Rome","Paris","New York","a"]})";
  EXPECT_EQ(Class(spec, "New York."), "");
  EXPECT_EQ(Class(spec, "The answer is new york"), "");
  EXPECT_EQ(Class(spec, "The New York."), "");  // an article makes no difference
  EXPECT_EQ(Class(spec, "Rome"), "wrong value");
  EXPECT_EQ(Class(spec, "London"), "no choice");
}

TEST(Choice, RefusesBadDefinitions) {
  EXPECT_THAT(Refusal(R"({"type":"choice","value":"E","letters":"ABCD"})"),
              HasSubstr("value: expected one letter of ABCD"));
  EXPECT_THAT(Refusal(R"({"type":"choice","value":"A","letters":"AA"})"), HasSubstr("letters"));
  EXPECT_THAT(Refusal(R"({"type":"choice","value":"C","choices":["x","y"]})"), HasSubstr("value"));
  EXPECT_THAT(Refusal(R"({"type":"choice","value":"A","choices":["x"]})"), HasSubstr("choices: expected 2 to 26"));
}

}  // namespace
}  // namespace assay
