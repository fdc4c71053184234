// Normalizers, pre-tokenizers and added tokens in random combinations against Hugging Face tokenizers
// (tests/golden/tokenizer/steps.json, tools/golden/tokenizer_steps.py), and the words of every tokenizer.ggml.pre
// against llama.cpp (llama_cpp_words.json, tools/golden/llama_cpp_pre_tokenizers.py; without numerals that are no
// digits, which "smollm" leaves with the word as transformers does).

#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "system/file.h"
#include "text/files/gguf_pretokenizers.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

namespace assay {
namespace {

Json Golden(const std::string& name) {
  const std::string path = std::string(ASSAY_TEST_DATA) + "/golden/tokenizer/" + name;
  return ParseJson(ReadFile(path), path);
}

TEST(Steps, IdsAreThoseOfTokenizers) {
  const Json golden = Golden("steps.json");
  Json vocabulary = {{"[UNK]", 0}};
  for (const char* prefix : {"", "##"})
    for (const Json& c : golden["alphabet"])
      vocabulary[prefix + c.get<std::string>()] = static_cast<int>(vocabulary.size());
  size_t compared = 0;
  for (const Json& row : golden["rows"]) {
    Json json = {{"normalizer", row["normalizer"]},
                 {"pre_tokenizer", row["pre_tokenizer"]},
                 {"added_tokens", row["added_tokens"]},
                 {"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"}, {"vocab", vocabulary}}}};
    auto tokenizer = Tokenizer::Create(TokenizerSpecFromJson(DumpJson(json), {}, "steps"), "steps");
    auto written = Tokenizer::Create(TokenizerSpecFromJson(TokenizerJsonFromSpec(tokenizer->spec()), {}, "w"), "w");
    for (size_t i = 0; i < row["texts"].size(); ++i) {
      const std::string text = row["texts"][i];
      const auto ids = row["ids"][i].get<std::vector<TokenId>>();
      json.erase("model");
      EXPECT_EQ(tokenizer->Encode(text, true), ids) << DumpJson(row["texts"][i]) << "\n" << DumpJson(json);
      EXPECT_EQ(written->Encode(text, true), ids) << "written: " << DumpJson(row["texts"][i]) << "\n" << DumpJson(json);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 1600u);
}

TEST(GgufPreTokenizers, WordsAreThoseOfLlamaCpp) {
  const Json golden = Golden("llama_cpp_words.json");
  std::vector<std::string> known;
  for (const Json& row : golden["rules"]) {
    for (const Json& name : row["names"]) {
      known.push_back(name);
      const auto rules = EngineRules(known.back());
      ASSERT_TRUE(rules.has_value()) << known.back();
      const PreTokenizer pre(rules->steps, known.back());
      for (size_t i = 0; i < golden["texts"].size(); ++i) {
        const std::string text = golden["texts"][i];
        std::vector<size_t> lengths;
        for (std::string_view word : pre.Apply(text, true).pieces) lengths.push_back(word.size());
        EXPECT_EQ(lengths, row["words"][i].get<std::vector<size_t>>()) << known.back() << ": " << text;
      }
    }
  }
  for (std::string_view name : PreTokenizerNames())
    EXPECT_NE(std::find(known.begin(), known.end(), name), known.end()) << name << ": llama.cpp does not know it";
  EXPECT_EQ(known.size(), 87u);
}

}  // namespace
}  // namespace assay
