// YAML as Json: the core schema of YAML 1.2, what is told, what is refused, and how much a text may hold.
#include "base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::HasSubstr;

Json Value(const std::string& text) {
  const YamlText yaml = ParseYaml(text);
  EXPECT_EQ(yaml.error.line, 0) << text << yaml.error.message;
  return yaml.root;
}

std::string Mistake(const std::string& text) {
  const YamlText yaml = ParseYaml(text);
  EXPECT_TRUE(yaml.root.is_null());
  return std::to_string(yaml.error.line) + ": " + yaml.error.message;
}

TEST(Yaml, TypesAreThoseOfTheCoreSchema) {
  for (const auto& [text, value] : std::initializer_list<std::pair<const char*, Json>>{{"no", "no"},
                                                                                       {"Yes", "Yes"},
                                                                                       {"on", "on"},
                                                                                       {"true", true},
                                                                                       {"False", false},
                                                                                       {"~", nullptr},
                                                                                       {"null", nullptr},
                                                                                       {"'null'", "null"},
                                                                                       {"\"12\"", "12"},
                                                                                       {"!!str 12", "12"},
                                                                                       {"! 12", "12"},
                                                                                       {"12", 12},
                                                                                       {"-7", -7},
                                                                                       {"+5", 5},
                                                                                       {"007", 7},
                                                                                       {"0o17", 15},
                                                                                       {"0x1F", 31},
                                                                                       {"1.0", 1.0},
                                                                                       {"1.10", 1.1},
                                                                                       {".5", 0.5},
                                                                                       {"5.", 5.0},
                                                                                       {"1e3", 1000.0},
                                                                                       {"2024-05-01", "2024-05-01"},
                                                                                       {"12:30", "12:30"},
                                                                                       {"1_000", "1_000"},
                                                                                       {"1.2.3", "1.2.3"},
                                                                                       {"0b1", "0b1"},
                                                                                       {"e5", "e5"},
                                                                                       {"a b", "a b"}}) {
    const Json found = Value(std::string("- ") + text)[0];
    EXPECT_EQ(found, value) << text;
    EXPECT_EQ(found.type(), value.is_number_integer() ? found.type() : value.type()) << text;
  }
  EXPECT_EQ(Value("a: [1, {b: c}]\nd: |\n  two\n  lines\ne: >-\n  one\n  line\n"),
            Json::parse(R"({"a":[1,{"b":"c"}],"d":"two\nlines\n","e":"one line"})"));
  EXPECT_EQ(Value("- 18446744073709551615")[0], Json(18446744073709551615u));
}

TEST(Yaml, WhatOthersReadOtherwiseIsTold) {
  const auto told = [](const std::string& text) {
    const YamlText yaml = ParseYaml("- a\n- " + text);
    return yaml.remarks.empty() ? "" : std::to_string(yaml.remarks[0].line) + ": " + yaml.remarks[0].message;
  };
  EXPECT_EQ(told("no"), "2: no is read as the text \"no\"; readers of YAML 1.1 take it for false: put it in quotes");
  EXPECT_THAT(told("2024-05-01"), HasSubstr("take it for a date"));
  EXPECT_THAT(told("12:30"), HasSubstr("a number in base 60"));
  EXPECT_THAT(told("1_000"), HasSubstr("take it for a number"));
  EXPECT_EQ(told("00501"), "2: 00501 is read as the number 501: put it in quotes if it is a text");
  EXPECT_THAT(told("1.10"), HasSubstr("is read as the number 1.1"));
  EXPECT_THAT(told("0x1F"), HasSubstr("is read as the number 31"));
  for (const char* plain : {"1.0", "12", "'no'", "\"2024-05-01\"", "true", "a: b", "north", "http://x"})
    EXPECT_EQ(told(plain), "") << plain;
}

TEST(Yaml, LinesOfWhatStandsBelow) {
  const YamlText yaml = ParseYaml("# head\ntask:\n  margin: 5\nexamples:\n  - id: a\n\n  - id: b\n");
  EXPECT_EQ(yaml.lines.at("/task"), 3);
  EXPECT_EQ(yaml.lines.at("/examples/0"), 5);
  EXPECT_EQ(yaml.lines.at("/examples/1"), 7);
  const YamlText documents = ParseYaml("---\nid: a\n---\nid: b\n");
  EXPECT_EQ(documents.root, Json::parse(R"([{"id":"a"},{"id":"b"}])"));
  EXPECT_EQ(documents.lines.at("/1"), 4);
}

TEST(Yaml, Refused) {
  EXPECT_THAT(Mistake("a: b: c"), HasSubstr("1: not YAML at column 5: mapping values are not allowed in this context"));
  EXPECT_THAT(Mistake("a:\n\t- b"), HasSubstr("indent with spaces"));
  EXPECT_EQ(Mistake("a: 1\na: 2"), "2: the name \"a\" stands twice in one object: remove one");
  EXPECT_THAT(Mistake("- *x"), HasSubstr("*x names nothing that was read whole before it"));
  EXPECT_THAT(Mistake("- &x [*x]"), HasSubstr("*x names nothing"));
  EXPECT_THAT(Mistake("- !!python/object:os.system x"), HasSubstr("found the tag tag:yaml.org,2002:python/object"));
  EXPECT_THAT(Mistake("- !mine x"), HasSubstr("found the tag !mine"));
  EXPECT_THAT(Mistake("- !!int x"), HasSubstr("found the tag !!int at \"x\""));
  EXPECT_THAT(Mistake("- .inf"), HasSubstr("no task holds such a number"));
  EXPECT_THAT(Mistake("a: &b {c: 1}\nd:\n  <<: *b"), HasSubstr("found the merge <<"));
  EXPECT_THAT(Mistake("? [a]\n: b"), HasSubstr("expected a member's name, found a list"));
  EXPECT_THAT(Mistake("- \xFF"), HasSubstr("not YAML"));
  EXPECT_THAT(Mistake(std::string(600, '[')), HasSubstr("nested more than 512 deep"));
}

TEST(Yaml, AliasesAreWrittenOutWithinBounds) {
  EXPECT_EQ(Value("- &a [1, 2]\n- *a\n"), Json::parse("[[1,2],[1,2]]"));
  std::string laughs = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    laughs += "- &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) laughs += (j ? ", *a" : "*a") + std::to_string(i - 1);
    laughs += "]\n";
  }
  EXPECT_THAT(Mistake(laughs), HasSubstr("expected at most 1000000 values"));
}

TEST(Yaml, IsKnownByItsFirstLine) {
  for (const char* yes : {"- a", "---\n", "a:\n  b", "a: b", "# c\n\n- a", "%YAML 1.2\n---"})
    EXPECT_TRUE(LooksLikeYaml(yes)) << yes;
  for (const char* no : {"{\"a\": 1}", "[1]", "a,b\n1,2", "", "# only", "http://x", "-5"})
    EXPECT_FALSE(LooksLikeYaml(no)) << no;
}

}  // namespace
}  // namespace assay
