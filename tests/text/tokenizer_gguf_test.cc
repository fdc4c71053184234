// What llama.cpp derives from the names of tokens and models in a GGUF file (llama-vocab.cpp, llama_vocab::impl::load).

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/json.h"
#include "system/file.h"
#include "text/tokenizer.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

/// A byte-level vocabulary of the given tokens behind three letters.
TokenizerSpec Spec(std::vector<std::string> tokens, const GgufExtras& extras = {}, TokenId eos = -1) {
  TokenizerSpec spec = GgufTokenizerDefaults("gpt2", "qwen2", "x");
  spec.tokens = {"a", "b", "c"};
  spec.tokens.insert(spec.tokens.end(), tokens.begin(), tokens.end());
  spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  spec.eos = eos;
  CompleteGgufSpec(spec, "x", extras);
  return spec;
}

std::vector<std::string> Ends(std::vector<std::string> tokens, const GgufExtras& extras = {}, TokenId eos = -1) {
  const TokenizerSpec spec = Spec(std::move(tokens), extras, eos);
  std::vector<std::string> ends;
  for (TokenId id : spec.ends) ends.push_back(spec.tokens[static_cast<size_t>(id)]);
  return ends;
}

TEST(GgufEnds, EveryNameThatLlamaCppKnows) {
  const std::string path = std::string(ASSAY_TEST_DATA) + "/golden/tokenizer/llama_cpp_words.json";
  const Json names = ParseJson(ReadFile(path), path)["ends"];
  EXPECT_GE(names.size(), 30u);
  for (const std::string name : names) {
    EXPECT_THAT(Ends({name}), UnorderedElementsAre(name));
    EXPECT_EQ(Spec({name}).types.at(3), TokenType::kControl) << name;  // whatever the file says
  }
  EXPECT_THAT(Ends({"<|im_start|>", "<s>", "<unk>", "<pad>", "<|fim_prefix|>", "<|eos|>"}), UnorderedElementsAre());
  EXPECT_THAT(Ends({"<|im_end|>", "<|endoftext|>", "<|eom_id|>"}, {}, 3),
              UnorderedElementsAre("<|im_end|>", "<|endoftext|>", "<|eom_id|>"));
  EXPECT_THAT(Ends({"<|mine|>"}, {}, 3), UnorderedElementsAre("<|mine|>"));
}

TEST(GgufEnds, Exceptions) {
  EXPECT_THAT(Ends({"<|return|>", "<|call|>", "<|end|>"}), UnorderedElementsAre("<|return|>", "<|call|>"));
  EXPECT_THAT(Ends({"<|flush|>", "<|calls|>", "<|end|>"}), UnorderedElementsAre("<|flush|>", "<|calls|>"));
  EXPECT_THAT(Ends({"<|return|>", "<|end|>"}), UnorderedElementsAre("<|return|>", "<|end|>"));
  EXPECT_EQ(Spec({"<|return|>", "<|call|>", "<|end|>"}).types.at(5), TokenType::kUserDefined);
  EXPECT_THAT(Ends({"<|tool_response>", "</s>"}), UnorderedElementsAre("<|tool_response>"));
  EXPECT_EQ(Spec({"<|tool_response>", "</s>"}).types.at(4), TokenType::kNormal);
  EXPECT_EQ(Spec({"<|channel|>"}).types.at(3), TokenType::kUserDefined);
  // A name counts where the file states no token, and the first one that is there.
  EXPECT_THAT(Ends({"<|fim_pad|>", "<PAD>"}), UnorderedElementsAre("<|fim_pad|>"));
  GgufExtras extras;
  extras.fim_pad = 0;
  EXPECT_THAT(Ends({"<|fim_pad|>"}, extras), UnorderedElementsAre("a"));
}

TEST(GgufAttributes, AreDerivedFromTheModelsName) {
  const std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", "<|endoftext|>", "<|end|>", "<mask>", "[MASK]"};
  auto stripped = [&](GgufExtras extras, std::string_view pre, bool AddedToken::*flag) {
    TokenizerSpec spec = GgufTokenizerDefaults("gpt2", pre, "x");
    spec.tokens = tokens;
    spec.types.assign(tokens.size(), TokenType::kControl);
    CompleteGgufSpec(spec, "x", extras);
    std::vector<std::string> out;
    for (const AddedToken& token : spec.added)
      if (token.*flag) out.push_back(token.content);
    return out;
  };
  for (const char* name : {"Phi 3.5? Phi-3", "microsoft PHI3 mini"})
    EXPECT_THAT(stripped({.name = name}, "llama3", &AddedToken::rstrip),
                UnorderedElementsAre("</s>", "<|end|>", "<mask>", "[MASK]"));
  EXPECT_THAT(stripped({.name = "Phi 3"}, "llama3", &AddedToken::rstrip), UnorderedElementsAre());
  EXPECT_THAT(stripped({}, "jina-v2-de", &AddedToken::lstrip), UnorderedElementsAre("<mask>"));
  EXPECT_THAT(stripped({.architecture = "nomic-bert-moe"}, "gpt-2", &AddedToken::lstrip),
              UnorderedElementsAre("<mask>"));
  EXPECT_THAT(stripped({.name = "my Modern-BERT"}, "gpt-2", &AddedToken::lstrip), UnorderedElementsAre("[MASK]"));
}

TEST(GgufLosses, NameWhatIsLost) {
  TokenizerSpec spec = Spec({"<|x|>", "<|y|>"});
  UseMakersRules(spec);  // NFC
  spec.added = {{"<|x|>", 3, true}, {"<|y|>", 4, true}};
  spec.types[3] = spec.types[4] = TokenType::kControl;
  EXPECT_THAT(GgufLosses(spec, {}, {}), testing::AllOf(HasSubstr("NFC"), testing::Not(HasSubstr("strip"))));
  spec.added[0].rstrip = true;
  spec.added[1].single_word = true;
  const std::vector<TokenId> stops = {4};
  EXPECT_THAT(GgufLosses(spec, {}, stops),
              testing::AllOf(HasSubstr("\"rstrip\" of <|x|>"), HasSubstr("\"single_word\" of <|y|>"),
                             HasSubstr("answers that end in <|y|>")));
  // The name of the model says it.
  spec.added[1] = {"<|y|>", 4, true};
  spec.added[0].rstrip = spec.added[1].rstrip = true;
  spec.normalizer.clear();
  EXPECT_THROW(GgufLosses(spec, {.name = "Phi-3"}, {}), Error);  // llama.cpp looks for three tokens without asking
  for (const char* token : {"<unk>", "<s>", "<|endoftext|>"}) {
    spec.added.push_back({token, static_cast<TokenId>(spec.tokens.size()), true});
    spec.tokens.push_back(token);
    spec.types.push_back(TokenType::kControl);
  }
  EXPECT_EQ(GgufLosses(spec, {.name = "Phi-3"}, {}), "");
}

TEST(GgufRules, NormalizationIsTheEnginesAndTheMakersOnRequest) {
  TokenizerSpec spec = Spec({"<|x|>"});
  EXPECT_TRUE(spec.normalizer.empty());
  UseMakersRules(spec);
  EXPECT_EQ(spec.normalizer, (std::vector<NormalizerStep>{{NormalizerStep::Kind::kNfc}}));
}

}  // namespace
}  // namespace assay
