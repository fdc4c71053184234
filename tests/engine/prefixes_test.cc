// What ended requests remember, against looking through all of it.

#include "engine/prefixes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/random.h"
#include "checkpoint/convert_for_test.h"
#include "model/tiny_checkpoint.h"

namespace assay {
namespace {

using Tokens = std::vector<int32_t>;

class PrefixesTest : public testing::Test {
 protected:
  class LongCheckpoint : public TinyCheckpoint {
   public:
    LongCheckpoint() : TinyCheckpoint("f32") { config_.context = 4096; }
  };
  std::unique_ptr<Sequence> Make(const ModelConfig& config, const Tokens& tokens) const {
    auto sequence = std::make_unique<Sequence>(config, Arithmetic::kReference, 1 + std::ssize(tokens), pool_);
    for (const int32_t token [[maybe_unused]] : tokens) {
      sequence->MakeRoom(sequence->length() + 1);
      sequence->set_length(sequence->length() + 1);
    }
    return sequence;
  }
  static Tokens Some(Random& random, size_t n, uint64_t kinds = 250) {
    Tokens tokens;
    while (tokens.size() < n) tokens.push_back(static_cast<int32_t>(random.Below(kinds)));
    return tokens;
  }
  static Tokens Cut(const Tokens& tokens, size_t n) {
    return {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(n)};
  }
  const LongCheckpoint plain_;
  PagePool pool_;
};

// A few kinds of tokens, so that much begins alike; models whose sequences can go back anywhere, within a window, and
// nowhere.
TEST_F(PrefixesTest, TheLongestIsFound) {
  TempFolder scratch;
  auto windows = Checkpoint::Open(GoldenFolder(scratch.path(), "gemma3")),
       states = Checkpoint::Open(GoldenFolder(scratch.path(), "qwen3_next"));
  for (const ModelConfig* config : {&plain_.config(), &windows->config(), &states->config()}) {
    Random random(3);
    int64_t found = 0;
    for (int round = 0; round < 40; ++round) {
      Prefixes prefixes;
      std::vector<std::pair<Tokens, std::unique_ptr<Sequence>>> all;
      for (int i = 0; i < 12; ++i) {
        const Tokens tokens = Some(random, 1 + random.Below(9), 2);
        prefixes.Keep(tokens, Make(*config, tokens));
        all.emplace_back(tokens, Make(*config, tokens));
      }
      for (int i = 0; i < 20; ++i) {
        const Tokens prompt = Some(random, 1 + random.Below(12), 2);
        int64_t expected = 0;
        for (const auto& [tokens, sequence] : all)
          expected = std::max(
              expected,
              sequence->Restorable(static_cast<int64_t>(std::min(CommonPrefix(tokens, prompt), prompt.size() - 1))));
        const Prefixes::Match match = prefixes.Longest(prompt, false);
        EXPECT_EQ(match.length, expected);
        EXPECT_EQ(match.sequence != nullptr, expected > 0);
        EXPECT_EQ(prefixes.Longest(prompt, true).length, 0);
        found += match.length;
      }
    }
    EXPECT_GT(found, 1000);
  }
  EXPECT_EQ(pool_.pages(), 0);
}

TEST_F(PrefixesTest, TheLongestUnusedGoesFirstPageByPage) {
  Random random(1);
  Prefixes prefixes;
  const Tokens a = Some(random, 600), b = Some(random, 300), c = Some(random, 10);
  for (const Tokens& tokens : {a, b, c}) prefixes.Keep(tokens, Make(plain_.config(), tokens));
  EXPECT_EQ(pool_.pages(), 3 + 2 + 1);
  auto length = [&](const Tokens& tokens) {
    Tokens prompt = tokens;
    prompt.push_back(7);
    return prefixes.Longest(prompt, false).length;
  };
  EXPECT_EQ(length(a), 600);  // which counts as use: b is the oldest
  EXPECT_TRUE(prefixes.LetGo());
  EXPECT_EQ(pool_.pages(), 5);
  EXPECT_EQ(length(c), 10);
  EXPECT_TRUE(prefixes.LetGo());  // what is left of b
  EXPECT_EQ(pool_.pages(), 4);
  EXPECT_EQ(length(b), 0);
  EXPECT_TRUE(prefixes.LetGo());
  EXPECT_EQ(pool_.pages(), 3);
  EXPECT_EQ(length(a), 512);
  const Sequence* last = prefixes.Longest(a, false).sequence;
  EXPECT_TRUE(prefixes.LetGo(last));  // c, which is not spared
  EXPECT_EQ(length(c), 0);
  EXPECT_FALSE(prefixes.LetGo(last));
  EXPECT_TRUE(prefixes.LetGo());
  EXPECT_EQ(length(a), 256);
  EXPECT_TRUE(prefixes.LetGo());
  EXPECT_FALSE(prefixes.LetGo());
  EXPECT_EQ(prefixes.size(), 0u);
  EXPECT_EQ(pool_.pages(), 0);
}

TEST_F(PrefixesTest, WhatAnotherHoldsIsNotKeptTwice) {
  Random random(1);
  Prefixes prefixes;
  const Tokens tokens = Some(random, 700);
  prefixes.Keep(Cut(tokens, 300), Make(plain_.config(), Cut(tokens, 300)));
  prefixes.Keep(tokens, Make(plain_.config(), tokens));
  EXPECT_EQ(prefixes.size(), 1u);
  EXPECT_EQ(pool_.pages(), 3);
  prefixes.Keep(Cut(tokens, 400), Make(plain_.config(), Cut(tokens, 400)));
  prefixes.Keep({}, Make(plain_.config(), {}));
  EXPECT_EQ(prefixes.size(), 1u);
  EXPECT_EQ(pool_.pages(), 3);
}

TEST_F(PrefixesTest, AStateIsKeptForEachEnd) {
  TempFolder scratch;
  auto states = Checkpoint::Open(GoldenFolder(scratch.path(), "qwen3_next"));
  Random random(1);
  Prefixes prefixes;
  const Tokens tokens = Some(random, 300, 60);
  for (size_t n : {20u, 300u}) prefixes.Keep(Cut(tokens, n), Make(states->config(), Cut(tokens, n)));
  EXPECT_EQ(prefixes.size(), 2u);
  const int64_t fixed = PlanCache(states->config(), Arithmetic::kReference, 300).fixed_bytes;
  EXPECT_GT(fixed, 0);
  EXPECT_EQ(prefixes.fixed_bytes(), 2 * fixed);
  EXPECT_EQ(prefixes.Longest(Cut(tokens, 300), false).length, 20);  // the last token is computed anew
  Tokens more = tokens;
  more.push_back(1);
  EXPECT_EQ(prefixes.Longest(more, false).length, 300);
  EXPECT_EQ(prefixes.Longest(Cut(tokens, 20), false).length, 0);
  EXPECT_EQ(prefixes.Longest(Cut(tokens, 300), false).length, 20);
  EXPECT_TRUE(prefixes.LetGo());  // both pages of the longer one: it cannot go back
  EXPECT_EQ(prefixes.fixed_bytes(), fixed);
  EXPECT_EQ(prefixes.Longest(more, false).length, 20);
}

}  // namespace
}  // namespace assay
