#include "capture/duplicates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"

namespace assay {
namespace {

TEST(NearDuplicates, TextIsPrepared) {
  const Json a = {{"messages",
                   {{{"role", "system"}, {"content", "Be brief."}},
                    {{"role", "user"}, {"content", "What is  the Capital\nof FRANCE?"}}}}};
  const Json b = {{"messages", {{{"role", "user"}, {"content", "what is the capital of france"}}}}};
  EXPECT_EQ(ComparedText(a), "what is the capital of france");
  EXPECT_EQ(ComparedText(a), ComparedText(b));
}

TEST(NearDuplicates, OperatorsAreNoMarks) {
  const auto text = [](const char* prompt) { return ComparedText({{"prompt", prompt}}); };
  EXPECT_EQ(text("What is 2 - 2?"), "what is 2 - 2");
  EXPECT_EQ(text("???"), "???");  // nothing else is there
  const std::vector<std::string> texts = {text("What is 2 + 2?"),
                                          text("What is 2 - 2?"),
                                          text("What is 2 * 2?"),
                                          text("what is 2 * 2"),
                                          text("Is x<y?"),
                                          text("Is x>y?"),
                                          text("???"),
                                          text("!!!")};
  EXPECT_EQ(NearDuplicates(texts, 0.85), (std::vector<size_t>{kKept, kKept, kKept, 2, kKept, kKept, kKept, kKept}));
}

TEST(NearDuplicates, InstructionsAreComparedWithoutTheDate) {
  const auto system = [](const char* text) {
    return SystemText({{"messages", {{{"role", "system"}, {"content", text}}, {{"role", "user"}, {"content", "hi"}}}}});
  };
  EXPECT_EQ(system("Today is 2026-05-01. Be brief."), system("today is 2026-05-02. be brief"));
  EXPECT_NE(system("Translate to German."), system("Translate to French."));
  EXPECT_EQ(SystemText({{"prompt", "x"}}), "");
}

TEST(NearDuplicates, ByHand) {
  EXPECT_DOUBLE_EQ(Jaccard("abcdef", "abcdef"), 1);
  EXPECT_DOUBLE_EQ(Jaccard("abcdef", "bcdefg"), 1.0 / 3);  // abcde bcdef | bcdef cdefg
  EXPECT_DOUBLE_EQ(Jaccard("ab", "ab"), 1);
  EXPECT_DOUBLE_EQ(Jaccard("äöüßé", "äöüßé"), 1);
  const std::vector<std::string> texts = {
      "where is my order 1234 from last week please", "a question about something else entirely",
      "where is my order 1235 from last week please", "where is my order 1234 from last week please"};
  EXPECT_EQ(NearDuplicates(texts, 0.7), (std::vector<size_t>{kKept, kKept, 0, 0}));
  EXPECT_EQ(NearDuplicates(texts, 1.0), (std::vector<size_t>{kKept, kKept, kKept, 0}));
}

// The index finds what comparing every pair finds, at every threshold.
TEST(NearDuplicates, IndexAgainstAllPairs) {
  Random random(7);
  std::vector<std::string> words;
  for (int i = 0; i < 60; ++i) {
    std::string word;
    for (uint64_t n = 2 + random.Below(7); n > 0; --n) word += static_cast<char>('a' + random.Below(26));
    words.push_back(word);
  }
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) {
    std::string text;
    if (i > 20 && random.Below(2)) {  // another one, edited
      text = texts[random.Below(texts.size())];
      for (uint64_t n = random.Below(6); n > 0 && !text.empty(); --n)
        text[random.Below(text.size())] = static_cast<char>('a' + random.Below(26));
    } else {
      for (uint64_t n = 1 + random.Below(30); n > 0; --n) text += words[random.Below(words.size())] + " ";
    }
    texts.push_back(text);
  }
  size_t found = 0;
  for (double threshold : {0.3, 0.5, 0.7, 0.85, 0.95, 1.0}) {
    const std::vector<size_t> of = NearDuplicates(texts, threshold);
    std::vector<size_t> kept;
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto match = std::find_if(kept.begin(), kept.end(), [&](size_t k) {
        return texts[i] == texts[k] || Jaccard(texts[i], texts[k]) >= threshold;
      });
      EXPECT_EQ(of[i] == kKept, match == kept.end()) << threshold << " " << i;
      if (of[i] == kKept) {
        kept.push_back(i);
      } else {
        ++found;
        EXPECT_EQ(of[of[i]], kKept);
        EXPECT_TRUE(texts[i] == texts[of[i]] || Jaccard(texts[i], texts[of[i]]) >= threshold ||
                    std::find(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(i), texts[i]) !=
                        texts.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
  EXPECT_GT(found, 100u);
}

}  // namespace
}  // namespace assay
