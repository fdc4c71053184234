#include "evidence/same_question.h"

#include <gmock/gmock.h>

namespace assay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

RunHeader Server(const Json& settings, const char* kind = "vLLM") {
  RunHeader header;
  header.can.tokenize = false;
  header.server = {{"kind", kind}, {"settings", settings}};
  return header;
}

ExampleResult Asked(const char* hash, std::vector<int32_t> ids = {}) {
  ExampleResult result;
  result.prompt_hash = hash;
  result.prompt_ids = std::move(ids);
  return result;
}

TEST(SameQuestion, TokensDecideWhereBothKnowThem) {
  const RunHeader file, server = Server({});
  EXPECT_EQ(IsSamePrompt(file, Asked("a"), server, Asked("a", {1, 2})), SamePrompt::kYes);
  EXPECT_EQ(IsSamePrompt(file, Asked("a", {1, 2}), server, Asked("b", {1, 3})), SamePrompt::kNo);
  // What was sent has another hash than its tokens: that says nothing.
  EXPECT_EQ(IsSamePrompt(file, Asked("a", {1, 2}), server, Asked("b")), SamePrompt::kNotKnown);
  EXPECT_EQ(IsSamePrompt(server, Asked("a"), server, Asked("a")), SamePrompt::kNotKnown);
  EXPECT_EQ(IsSamePrompt(server, Asked("a"), server, Asked("b")), SamePrompt::kNo);
}

TEST(SameQuestion, TheFirstDifferenceIsNamed) {
  EXPECT_EQ(FirstDifference(Asked("", {5, 6, 7}), Asked("", {5, 9, 7})),
            "prompt token 2 is 6 for the baseline and 9 for the candidate");
  EXPECT_EQ(FirstDifference(Asked("", {5, 6}), Asked("", {5, 6, 7})),
            "the prompt of the baseline ends after 2 tokens, the other goes on");
  EXPECT_EQ(FirstDifference(Asked("", {5, 6, 7}), Asked("", {5})),
            "the prompt of the candidate ends after 1 tokens, the other goes on");
  EXPECT_EQ(FirstDifference(Asked(""), Asked("", {5})), "");
  EXPECT_EQ(FirstDifference(Asked("", {5}), Asked("", {5})), "");
}

TEST(SameQuestion, SettingsOfOneKindAreCompared) {
  const RunHeader a = Server({{"kv_cache_dtype", "fp8"}, {"dtype", "auto"}}), b = Server({{"dtype", "auto"}});
  EXPECT_THAT(SettingsThatDiffer(a, b), ElementsAre("kv_cache_dtype: \"fp8\" and null"));
  EXPECT_THAT(SettingsThatDiffer(b, a), ElementsAre("kv_cache_dtype: null and \"fp8\""));
  EXPECT_THAT(SettingsThatDiffer(a, a), IsEmpty());
  EXPECT_THAT(SettingsThatDiffer(a, Server({}, "SGLang")), IsEmpty());
  EXPECT_THAT(SettingsThatDiffer(a, RunHeader()), IsEmpty());
}

}  // namespace
}  // namespace assay
