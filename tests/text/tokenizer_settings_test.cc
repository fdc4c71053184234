// What the files beside a tokenizer add to it. The ids are those of transformers 4.57.3 and 5.24 for folders with
// examples/demo's tokenizer.json and the files below.

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/json.h"
#include "processor_time.h"
#include "system/file.h"
#include "text/tokenizer.h"

namespace assay {
namespace {

using testing::HasSubstr;
using Ids = std::vector<TokenId>;

const std::string kDemo = std::string(ASSAY_SOURCE) + "/examples/demo/";
constexpr const char* kText = "a<|x|> b<|y|> c<|im_end|> the";

Json Token(const char* content, Json more = Json::object()) {
  Json token = {{"content", content}, {"special", true}, {"normalized", false}};
  token.update(more);
  return token;
}

/// The demo's folder, changed.
struct Folder {
  Json config = ParseJson(ReadFile(kDemo + "tokenizer_config.json"), "config");
  Json json = ParseJson(ReadFile(kDemo + "tokenizer.json"), "json");
  Json added, special_map;

  TokenizerSpec Spec() const {
    auto text = [](const Json& file) { return file.is_null() ? std::string() : DumpJson(file); };
    const std::string texts[] = {text(config), text(added), text(special_map)};
    return TokenizerSpecFromJson(DumpJson(json), {texts[0], texts[1], texts[2]}, "folder");
  }
  Ids Encode(const std::string& text = kText) const { return Tokenizer::Create(Spec(), "folder")->Encode(text, true); }
  std::string Refusal() const {
    try {
      Spec();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kCorrupt);
      return e.what();
    }
    return "";
  }
};

const Ids kNone = {67, 30, 94, 90, 94, 32, 306, 30, 94, 91, 94, 32, 266, 2, 286},
          kX = {67, 1728, 306, 30, 94, 91, 94, 32, 266, 2, 286}, kBoth = {67, 1728, 306, 1729, 266, 2, 286};

TEST(TokenizerSettings, AddedTokensDecoder) {
  Folder folder;
  folder.config["added_tokens_decoder"]["1728"] = Token("<|x|>");
  folder.config["added_tokens_decoder"]["1729"] = Token("<|y|>", {{"special", false}});
  EXPECT_EQ(folder.Encode(), kBoth);
  const TokenizerSpec spec = folder.Spec();
  EXPECT_EQ(spec.types.at(1728), TokenType::kControl);
  EXPECT_EQ(spec.types.at(1729), TokenType::kUserDefined);
  // Ids count, not the order in the file.
  Folder order;
  order.config["added_tokens_decoder"]["1729"] = Token("<|x|>");
  order.config["added_tokens_decoder"]["1728"] = Token("<|y|>");
  EXPECT_EQ(order.Encode(), (Ids{67, 1729, 306, 1728, 266, 2, 286}));
}

TEST(TokenizerSettings, AttributesOfTheDecoderWin) {
  Folder folder;
  folder.config["added_tokens_decoder"]["2"] = Token("<|im_end|>", {{"lstrip", true}, {"rstrip", true}});
  EXPECT_EQ(folder.Encode(), (Ids{67, 30, 94, 90, 94, 32, 306, 30, 94, 91, 94, 32, 266, 2, 86, 265}));
  Folder both;
  both.json["added_tokens"].push_back(Token("<|x|>", {{"id", 1728}, {"lstrip", true}}));
  both.config["added_tokens_decoder"]["1728"] = Token("<|x|>", {{"rstrip", true}});
  EXPECT_EQ(both.Encode(), (Ids{67, 1728, 68, 30, 94, 91, 94, 32, 266, 2, 286}));
}

TEST(TokenizerSettings, NamedSpecialTokens) {
  Folder vocabulary;  // in the vocabulary, but not among the added tokens
  vocabulary.json["added_tokens"].erase(2);
  vocabulary.json["model"]["vocab"]["<|im_end|>"] = 2;
  EXPECT_EQ(vocabulary.Encode(), kNone);
  EXPECT_EQ(vocabulary.Spec().eos, 2);
  Folder fresh;
  fresh.config["eos_token"] = "<|x|>";
  EXPECT_EQ(fresh.Encode(), kX);
  EXPECT_EQ(fresh.Spec().eos, 1728);
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    Folder more;
    more.config[key] = {"<|x|>"};
    EXPECT_EQ(more.Encode(), kX) << key;
  }
  Folder by_name;
  by_name.config["extra_special_tokens"] = {{"image_token", "<|x|>"}};
  EXPECT_EQ(by_name.Encode(), kX);
  Folder others;
  others.config["sep_token"] = "<|x|>";
  others.config["mask_token"] = {
      {"__type", "AddedToken"}, {"content", "<|y|>"}, {"lstrip", true}, {"rstrip", false}, {"normalized", true}};
  EXPECT_EQ(others.Encode(), kBoth);
}

TEST(TokenizerSettings, OlderFiles) {
  Folder folder;
  folder.config.erase("added_tokens_decoder");
  folder.added = {{"<|y|>", 1729}, {"<|x|>", 1728}};
  EXPECT_EQ(folder.Encode(), kBoth);
  EXPECT_EQ(folder.Spec().types.at(1728), TokenType::kUserDefined);
  folder.special_map = {{"eos_token", "<|y|>"}, {"additional_special_tokens", {"<|x|>"}}};
  EXPECT_EQ(folder.Encode(), kBoth);
  EXPECT_EQ(folder.Spec().types.at(1728), TokenType::kControl);
  EXPECT_EQ(folder.Spec().eos, 1729);
  Folder objects;
  objects.config.erase("added_tokens_decoder");
  objects.special_map = {{"eos_token", Token("<|im_end|>")},
                         {"pad_token", "<|im_end|>"},
                         {"additional_special_tokens", {Token("<|x|>", {{"rstrip", true}}), "<|y|>"}}};
  EXPECT_EQ(objects.Encode(), (Ids{67, 1728, 68, 1729, 266, 2, 286}));
  EXPECT_EQ(objects.Spec().pad, 2);
  // The newer list makes them of no account, an empty one too.
  Folder newer;
  newer.added = {{"<|x|>", 1728}};
  newer.special_map = {{"eos_token", "<|y|>"}};
  EXPECT_EQ(newer.Encode(), kNone);
  EXPECT_EQ(newer.Spec().eos, 2);
  newer.config["added_tokens_decoder"] = Json::object();
  EXPECT_EQ(newer.Encode(), kNone);
}

// Both versions of transformers count on, whatever id is stated.
TEST(TokenizerSettings, IdsThatContradictAreCountedAndSaid) {
  auto told = [](auto change, TokenId id, const char* content, const char* expected) {
    Folder folder;
    change(folder);
    const TokenizerSpec spec = folder.Spec();
    EXPECT_EQ(spec.tokens.at(static_cast<size_t>(id)), content);
    EXPECT_THAT(spec.remarks, ::testing::ElementsAre(HasSubstr(expected)));
  };
  told([](Folder& f) { f.config["added_tokens_decoder"]["1730"] = Token("<|x|>"); }, 1728, "<|x|>",
       "gives <|x|> the id 1730; it is 1728, the next one after the vocabulary");
  told([](Folder& f) { f.config["added_tokens_decoder"]["5"] = Token("<|x|>"); }, 1728, "<|x|>",
       "the id 5; it is 1728");
  told([](Folder& f) { f.config["added_tokens_decoder"]["1728"] = Token("at"); }, 300, "at",
       "the id 1728; it is 300, that of the vocabulary");
  told(
      [](Folder& f) {
        f.json["added_tokens"].push_back(Token("<|x|>", {{"id", 1740}}));
      },
      1728, "<|x|>", "added_tokens[18]");
}

TEST(TokenizerSettings, IdsThatAreNoneAreRefused) {
  auto refused = [](auto change, const char* expected) {
    Folder folder;
    change(folder);
    EXPECT_THAT(folder.Refusal(), HasSubstr(expected));
  };
  refused([](Folder& f) { f.config["added_tokens_decoder"]["-1"] = Token("<|x|>"); }, "\"-1\" is not a token id");
  refused([](Folder& f) { f.config["added_tokens_decoder"]["7x"] = Token("<|x|>"); }, "\"7x\" is not a token id");
  refused([](Folder& f) { f.config["added_tokens_decoder"]["1728"] = "x"; },
          "added_tokens_decoder.1728: expected an object");
  refused([](Folder& f) { f.config["eos_token"] = 7; }, "\"eos_token\": expected a string");
  refused(
      [](Folder& f) {
        f.config.erase("added_tokens_decoder");
        f.added = {{"<|x|>", "7"}};
      },
      "added_tokens.json");
}

// LlamaTokenizerFast of transformers 4.57.3; 5.24 agrees where `legacy` is false.
TEST(TokenizerSettings, LegacyBesideASentencePieceModel) {
  const std::string model = ReadFile(std::string(ASSAY_TEST_DATA) + "/golden/tokenizer/spm_bpe.model");
  auto ids = [&](const char* config) {
    const TokenizerSpec spec = TokenizerSpecFromSentencePiece(std::as_bytes(std::span(model)), {config}, "m");
    auto tokenizer = Tokenizer::Create(spec, "m");
    std::vector<Ids> out;
    for (const char* text : {"the order", " lead", "a </s> b", "<s>the</s>the", "  two", "", "\n"})
      out.push_back(tokenizer->Encode(text, true));
    return out;
  };
  const Ids order = {287, 293, 645, 650, 262}, plain_order = {649, 264, 293, 645, 650, 262},
            lead = {272, 643, 644, 650};
  const Ids marked_lead = {642, 272, 643, 644, 650}, two = {642, 267, 668, 651}, marked_two = {642, 642, 267, 668, 651};
  const Ids plain = {1, 649, 264, 2, 649, 264};
  const std::vector<Ids> legacy = {order, marked_lead, {260, 642, 2, 642, 271}, {1, 287, 2, 287}, marked_two,
                                   {},    {642, 14}};
  EXPECT_EQ(ids(""), legacy);
  EXPECT_EQ(ids(R"({"legacy": true})"), legacy);
  EXPECT_EQ(ids(R"({"legacy": null})"), legacy);
  EXPECT_EQ(ids(R"({"legacy": false})"),
            (std::vector<Ids>{order, lead, {260, 642, 2, 271}, plain, two, {}, {642, 14}}));
  const std::vector<Ids> no_prefix = {plain_order, lead, {644, 642, 2, 271}, plain, two, {}, {14}};
  EXPECT_EQ(ids(R"({"legacy": false, "add_prefix_space": false})"), no_prefix);
  EXPECT_EQ(ids(R"({"legacy": true, "add_prefix_space": false})"), no_prefix);
}

TEST(TokenizerSettings, ManyTokensTakeLinearTime) {
  auto seconds = [](int many, bool beside) {
    Folder folder;
    for (int i = 0; i < many; ++i) {
      const std::string name = "<|many_" + std::to_string(i) + "|>", id = std::to_string(1728 + i);
      if (beside)
        folder.config["added_tokens_decoder"].get_ref<Json::object_t&>().emplace_back(id, Token(name.c_str()));
      else
        folder.json["added_tokens"].push_back(Token(name.c_str(), {{"id", 1728 + i}}));
    }
    return ProcessorSeconds([&] { EXPECT_FALSE(folder.Encode("a<|many_" + std::to_string(many - 1) + "|>").empty()); });
  };
  // Eight times the tokens: linear is 8, quadratic 64. Whatever the machine and the sanitizers take.
  for (bool beside : {false, true}) EXPECT_LT(seconds(40'000, beside), 25 * seconds(5'000, beside)) << beside;
}

}  // namespace
}  // namespace assay
