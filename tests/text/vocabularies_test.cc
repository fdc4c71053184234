// Real vocabularies against other implementations: tests/golden/tokenizer/vocabularies/, made by
// tools/golden/vocabularies.py (Hugging Face tokenizers, sentencepiece, tiktoken). They are cut down to what the texts
// need; ASSAY_VOCABULARIES may name a folder with whole ones, made by the same script.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/json.h"
#include "base/strings.h"
#include "system/file.h"
#include "text/files/tokenizer_files.h"
#include "text/tokenizer.h"

namespace assay {
namespace {

const std::string kCommitted = std::string(ASSAY_TEST_DATA) + "/golden/tokenizer/vocabularies";

std::string Folder() {
  const char* folder = std::getenv("ASSAY_VOCABULARIES");
  return folder ? folder : kCommitted;
}

Json Load(const std::string& name) {
  std::string path = Folder() + "/" + name + ".json";
  return ParseJson(ReadFile(path), path);
}

TokenizerSpec GgufSpec(const Json& data, const std::string& where) {
  std::string pre = data.value("pre", ""), model = data["model"];
  if (model == "bert") pre.clear();
  TokenizerSpec spec = GgufTokenizerDefaults(model, pre, where);
  spec.tokens = Split(data["tokens"].get<std::string>(), '\0');
  spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  for (const auto& [id, type] : data["types"].items())
    spec.types[std::stoul(id)] = static_cast<TokenType>(type.get<int>());
  if (data.contains("scores")) spec.scores = data["scores"].get<std::vector<float>>();
  if (data.contains("merges")) {
    auto ids = Split(data["merges"].get<std::string>(), ' ');
    for (size_t i = 0; i + 1 < ids.size(); i += 2)
      spec.merges.push_back(spec.tokens[std::stoul(ids[i])] + " " + spec.tokens[std::stoul(ids[i + 1])]);
  }
  auto id = [&](const char* key, TokenId& value) { value = data.value(key, value); };
  id("bos_token_id", spec.bos), id("eos_token_id", spec.eos), id("unknown_token_id", spec.unk);
  spec.add_space_prefix = data.value("add_space_prefix", spec.add_space_prefix);
  spec.remove_extra_whitespaces = data.value("remove_extra_whitespaces", false);
  spec.precompiled_charsmap = DecodeBase64(data.value("precompiled_charsmap", ""), where);
  CompleteGgufSpec(spec, where);
  UseMakersRules(spec);  // the ids are those of the models' own tokenizers
  return spec;
}

std::vector<std::string> RanksOf(const Json& data) {
  return Split((data.contains("ranks_of") ? Load(data["ranks_of"])["ranks"] : data["ranks"]).get<std::string>(), '\n');
}

TokenizerSpec TiktokenSpec(const Json& data, const std::string& where) {
  std::string file;
  size_t rank = 0;
  for (const std::string& token : RanksOf(data)) file += token + " " + std::to_string(rank++) + "\n";
  // Files whose rules are known by their number of ranks are no longer recognized when they are cut down: any class
  // reads the ranks, and the rules are put in its place.
  std::string config = R"({"tokenizer_class": ")" + data.value("class", "TikTokenTokenizer") + R"("})";
  TokenizerSpec spec = TokenizerSpecFromTiktoken(file, {config}, where);
  if (!data.contains("pre")) return spec;
  spec.pre = data["pre"];
  CompleteSpec(spec, where);
  UseMakersRules(spec);
  spec.ignore_merges = true;
  return spec;
}

TokenizerSpec TekkenSpec(const Json& data, const std::string& where) {
  Json file = {{"config", data["config"]}, {"vocab", Json::array()}};
  int rank = 0;
  for (const std::string& token : RanksOf(data)) file["vocab"].push_back({{"rank", rank++}, {"token_bytes", token}});
  return TokenizerSpecFromTekken(DumpJson(file), where);
}

TokenizerSpec SpecOf(const Json& data, const std::string& where) {
  std::string kind = data["kind"];
  if (kind == "gguf") return GgufSpec(data["spec"], where);
  if (kind == "tiktoken") return TiktokenSpec(data, where);
  if (kind == "tekken") return TekkenSpec(data, where);
  if (kind == "tokenizer.json") return TokenizerSpecFromJson(DumpJson(data["json"]), {}, where);
  std::string model = DecodeBase64(data["model"].get<std::string>(), where);
  return TokenizerSpecFromSentencePiece(std::as_bytes(std::span(model)), where);
}

using Ids = std::vector<TokenId>;

void Compare(const Tokenizer& tokenizer, const Json& data, const std::vector<std::string>& texts) {
  const bool whole = data.contains("ids");  // with special tokens and decoding
  const Json& ids = data[whole ? "ids" : "plain_ids"];
  ASSERT_EQ(ids.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    SCOPED_TRACE(data["name"].get<std::string>() + " text " + std::to_string(i) + ": " + texts[i]);
    std::string key = std::to_string(i);
    // sentencepiece puts no space after its user-defined symbols, where llama.cpp and Hugging Face do.
    bool user_defined = std::any_of(tokenizer.spec().added.begin(), tokenizer.spec().added.end(), [&](const auto& t) {
      return !t.special && texts[i].find(t.content) != std::string::npos;
    });
    if (!whole && user_defined) continue;
    Ids expected = ids[i].get<Ids>(), plain = expected;
    if (whole && data["plain"].contains(key)) plain = data["plain"][key].get<Ids>();
    EXPECT_EQ(tokenizer.Encode(texts[i], false), plain);
    if (whole) {
      EXPECT_EQ(tokenizer.Encode(texts[i], true), expected);
      std::string decoded = data["decoded"].contains(key) ? data["decoded"][key].get<std::string>() : texts[i];
      // Where the reference gives U+FFFD it has lost bytes that ours keeps.
      if (decoded.find("\xef\xbf\xbd") == std::string::npos) {
        EXPECT_EQ(tokenizer.Decode(expected), decoded);
      }
    }
  }
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Folder()))
    if (entry.path().extension() == ".json" && entry.path().stem() != "texts") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

class RealVocabulary : public testing::TestWithParam<std::string> {};

TEST_P(RealVocabulary, IdsAreThoseOfOtherImplementations) {
  auto texts = Load("texts")["texts"].get<std::vector<std::string>>();
  Json data = Load(GetParam());
  TokenizerSpec spec = SpecOf(data, GetParam());
  Compare(*Tokenizer::Create(spec, GetParam()), data, texts);
}

INSTANTIATE_TEST_SUITE_P(Golden, RealVocabulary, testing::ValuesIn(Names()), [](const auto& test) {
  std::string name = test.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

TEST(RealVocabularies, AreAtLeastFifteen) {
  EXPECT_GE(Names().size(), 15u);
}

}  // namespace
}  // namespace assay
