#include "capture/strata.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace assay {
namespace {

CapturedExample Chat(const std::string& content, int turns = 1) {
  CapturedExample example;
  for (int i = 0; i < turns; ++i) example.line["messages"].push_back({{"role", "user"}, {"content", content}});
  return example;
}

TEST(Strata, Dimensions) {
  const auto value = [](const CapturedExample& example, size_t d) { return StratumOf(example)[d]; };
  EXPECT_EQ(StratumDimensions().size(), StratumOf(Chat("x")).size());
  EXPECT_EQ(value(Chat("x"), 0), "1 turn");
  EXPECT_EQ(value(Chat("x", 5), 0), "4+ turns");
  CapturedExample prompt;
  prompt.line["prompt"] = "x";
  prompt.streamed = true;
  EXPECT_EQ(value(prompt, 0), "prompt, streamed");
  EXPECT_EQ(value(Chat(std::string(2500, 'a')), 1), "to 8,000");
  CapturedExample tools = Chat("x");
  tools.line["tools"] = Json::array();
  EXPECT_EQ(value(tools, 2), "offered");
  tools.answer.emplace();
  EXPECT_EQ(value(tools, 2), "offered, not called");
  tools.answer->tool_calls = Json::parse(R"([{"function":{"name":"f"}},{"function":{"name":"g"}}])");
  EXPECT_EQ(value(tools, 2), "f+g");
  for (const auto& [text, language] :
       std::vector<std::pair<std::string, std::string>>{{"What is the capital of France?", "English"},
                                                        {"How many days do the weeks of you come to?", "English"},
                                                        {"Qual é o nome da rua para você?", "Portuguese"},
                                                        {"Was ist die Hauptstadt und wo liegt sie nicht?", "German"},
                                                        {"Quelle est la capitale pour vous ?", "French"},
                                                        {"¿Cuál es el nombre de las calles para mí?", "Spanish"},
                                                        {"Xyzzy plugh", "Latin"},
                                                        {"Какая столица Франции?", "Cyrillic"},
                                                        {"法国的首都是哪里？", "Chinese"},
                                                        {"フランスの首都はどこですか", "Japanese"},
                                                        {"프랑스의 수도는?", "Korean"},
                                                        {"ما هي عاصمة فرنسا", "Arabic"},
                                                        {"Translate: какая столица", "mixed"},
                                                        {"12 + 34", "none"}})
    EXPECT_EQ(value(Chat(text), 4), language) << text;
  EXPECT_EQ(value(Chat("Tell me about foxes, please."), 5), "prose");
  EXPECT_EQ(value(Chat("Fix:\n```\nint x;\n```"), 5), "code or data");
  EXPECT_EQ(value(Chat("a;b;c\n1;2;3\n4;5;6"), 5), "code or data");
}

std::vector<StratumKey> Keys(const std::vector<std::pair<std::string, int>>& counts) {
  std::vector<StratumKey> keys;
  for (const auto& [name, n] : counts)
    for (int i = 0; i < n; ++i) keys.push_back({name});
  return keys;
}

TEST(Strata, TheRareAreIn) {
  const auto keys = Keys({{"common", 10'000}, {"some", 400}, {"few", 4}, {"one", 1}});
  const Choice choice = ChooseStratified(keys, 50, 1);
  ASSERT_EQ(choice.chosen.size(), 50u);
  std::map<std::string, int64_t> chosen;
  for (const Stratum& stratum : choice.strata) chosen[stratum.key[0]] = stratum.chosen;
  // Square roots 100 : 20 : 2 : 1, and one for each.
  EXPECT_EQ(chosen["one"], 1);
  EXPECT_GE(chosen["few"], 1);
  EXPECT_GE(chosen["some"], 7);
  EXPECT_GT(chosen["common"], 35);
  std::map<std::string, int64_t> counted;
  for (size_t i : choice.chosen) ++counted[keys[i][0]];
  EXPECT_EQ(counted, chosen);
}

TEST(Strata, TheSameForTheSameSeed) {
  const auto keys = Keys({{"a", 500}, {"b", 500}});
  EXPECT_EQ(ChooseStratified(keys, 50, 3).chosen, ChooseStratified(keys, 50, 3).chosen);
  EXPECT_NE(ChooseStratified(keys, 50, 3).chosen, ChooseStratified(keys, 50, 4).chosen);
  EXPECT_EQ(ChooseStratified(keys, 5000, 3).chosen.size(), 1000u);
  EXPECT_TRUE(ChooseStratified({}, 50, 3).chosen.empty());
}

TEST(Strata, MoreStrataThanPlaces) {
  std::vector<StratumKey> keys;
  for (int a = 0; a < 10; ++a)
    for (int b = 0; b < 10; ++b) keys.push_back({std::to_string(a), std::to_string(b)});
  const Choice choice = ChooseStratified(keys, 10, 1);
  std::set<std::string> first, second;
  for (size_t i : choice.chosen) {
    first.insert(keys[i][0]);
    second.insert(keys[i][1]);
  }
  EXPECT_EQ(first.size(), 10u);  // every value of every dimension
  EXPECT_EQ(second.size(), 10u);
}

// Within a stratum every example is as likely.
TEST(Strata, FairWithin) {
  const auto keys = Keys({{"a", 10}});
  std::map<size_t, int> times;
  for (uint64_t seed = 0; seed < 2000; ++seed)
    for (size_t i : ChooseStratified(keys, 2, seed).chosen) ++times[i];
  for (const auto& [i, n] : times) EXPECT_NEAR(n, 400, 80) << i;
  EXPECT_EQ(times.size(), 10u);
}

}  // namespace
}  // namespace assay
