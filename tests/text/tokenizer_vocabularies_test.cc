// Real vocabularies with the ids that others found, from folders that are not part of the checkout: ASSAY_DATA
// (vocabularies/*.gguf with .inp and .out, reference-outputs/) and ASSAY_MODELS (SmolLM2-135M-Instruct.Q4_1.gguf). Says
// so when they are not there.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/json.h"
#include "base/strings.h"
#include "system/file.h"
#include "text/tokenizer.h"

namespace assay {
namespace {

// The few metadata of a trusted GGUF file that a tokenizer needs; the real reader lives above this room.
class GgufMetadata {
 public:
  explicit GgufMetadata(const std::filesystem::path& path) : file_(MappedFile::Open(path)) {
    at_ = 4 + 4 + 8;
    uint64_t count = Take<uint64_t>();
    for (uint64_t i = 0; i < count; ++i) {
      std::string key = String();
      auto type = Take<uint32_t>();
      if (type == 9) {
        auto element = Take<uint32_t>();
        auto n = Take<uint64_t>();
        if (element == 8) {
          for (auto& list = strings[key]; n-- > 0;) list.push_back(String());
        } else {
          for (auto& list = numbers[key]; n-- > 0;) list.push_back(Number(element));
        }
      } else if (type == 8) {
        strings[key] = {String()};
      } else {
        numbers[key] = {Number(type)};
      }
    }
  }
  std::map<std::string, std::vector<std::string>> strings;
  std::map<std::string, std::vector<double>> numbers;

 private:
  template <typename T>
  T Take() {
    T value;
    std::memcpy(&value, file_.bytes().data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string String() {
    auto n = Take<uint64_t>();
    std::string text(reinterpret_cast<const char*>(file_.bytes().data()) + at_, n);
    at_ += n;
    return text;
  }
  double Number(uint32_t type) {
    switch (type) {
      case 0:
        return Take<uint8_t>();
      case 1:
        return Take<int8_t>();
      case 2:
        return Take<uint16_t>();
      case 3:
        return Take<int16_t>();
      case 4:
        return Take<uint32_t>();
      case 5:
        return Take<int32_t>();
      case 6:
        return static_cast<double>(Take<float>());
      case 7:
        return Take<uint8_t>();
      case 10:
        return static_cast<double>(Take<uint64_t>());
      case 11:
        return static_cast<double>(Take<int64_t>());
      default:
        return Take<double>();
    }
  }
  MappedFile file_;
  size_t at_ = 0;
};

TokenizerSpec SpecOf(const std::filesystem::path& path) {
  GgufMetadata data(path);
  const std::string prefix = "tokenizer.ggml.";
  auto text = [&](const char* key) {
    return data.strings[prefix + key].empty() ? std::string() : data.strings[prefix + key][0];
  };
  TokenizerSpec spec = GgufTokenizerDefaults(text("model"), text("pre"), path.string());
  spec.tokens = data.strings[prefix + "tokens"];
  spec.merges = data.strings[prefix + "merges"];
  for (double type : data.numbers[prefix + "token_type"]) spec.types.push_back(static_cast<TokenType>(type));
  for (double score : data.numbers[prefix + "scores"]) spec.scores.push_back(static_cast<float>(score));
  auto number = [&](const char* key, auto& value) {
    if (auto it = data.numbers.find(prefix + key); it != data.numbers.end())
      value = static_cast<std::decay_t<decltype(value)>>(it->second[0]);
  };
  number("bos_token_id", spec.bos), number("eos_token_id", spec.eos), number("unknown_token_id", spec.unk);
  number("padding_token_id", spec.pad), number("add_bos_token", spec.add_bos), number("add_eos_token", spec.add_eos);
  number("add_space_prefix", spec.add_space_prefix);
  CompleteGgufSpec(spec, path.string());
  return spec;
}

std::filesystem::path FromEnvironment(const char* variable, const std::string& name) {
  const char* folder = std::getenv(variable);
  if (!folder || !std::filesystem::exists(std::filesystem::path(folder) / name)) return {};
  return std::filesystem::path(folder) / name;
}

std::vector<std::string> SplitAt(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  size_t last = 0;
  for (size_t at = text.find(separator); at != std::string::npos; at = text.find(separator, last)) {
    parts.push_back(text.substr(last, at - last));
    last = at + separator.size();
  }
  parts.push_back(text.substr(last));
  return parts;
}

class Vocabulary : public testing::TestWithParam<const char*> {};

TEST_P(Vocabulary, IdsAreThoseOfLlamaCpp) {
  std::string name = std::string("ggml-vocab-") + GetParam() + ".gguf";
  auto path = FromEnvironment("ASSAY_DATA", "vocabularies/" + name);
  if (path.empty()) GTEST_SKIP() << "not run: ASSAY_DATA does not name a folder with vocabularies/" << name;
  TokenizerSpec spec = SpecOf(path);
  auto tokenizer = Tokenizer::Create(spec, name);
  auto texts = SplitAt(ReadFile(path.string() + ".inp"), "\n__ggml_vocab_test__\n");
  auto lines = Split(ReadFile(path.string() + ".out"), '\n');
  ASSERT_GE(texts.size(), 40u);
  ASSERT_GE(lines.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    std::vector<TokenId> expected;
    for (const std::string& id : Split(lines[i], ' '))
      if (!id.empty()) expected.push_back(std::stoi(id));
    EXPECT_EQ(tokenizer->Encode(texts[i], false), expected) << texts[i];
    if (spec.model != TokenizerModel::kWordPiece) {
      EXPECT_EQ(tokenizer->Decode(expected), texts[i]);
    }
  }
  if (spec.model != TokenizerModel::kWordPiece) {
    EXPECT_NO_THROW(PreTokenizerName(spec));
  }
}

INSTANTIATE_TEST_SUITE_P(Real, Vocabulary,
                         testing::Values("gpt-2", "llama-spm", "phi-3", "falcon", "refact", "deepseek-llm",
                                         "deepseek-coder", "qwen2", "qwen35", "command-r", "llama-bpe", "mpt",
                                         "starcoder", "gemma-4", "bert-bge"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(SmolLM2, IdsAreThoseOfTheReference) {
  const std::string file = "SmolLM2-135M-Instruct.Q4_1.gguf",
                    folder = "reference-outputs/smollm2-135m-instruct-q4_1/token_ids.jsonl";
  auto path = FromEnvironment("ASSAY_MODELS", file), ids = FromEnvironment("ASSAY_DATA", folder);
  if (path.empty() || ids.empty())
    GTEST_SKIP() << "not run: needs " << file << " in ASSAY_MODELS and " << folder << " in ASSAY_DATA";
  TokenizerSpec spec = SpecOf(path);
  EXPECT_EQ(PreTokenizerName(spec), "smollm");
  auto tokenizer = Tokenizer::Create(spec, file);
  std::string json = TokenizerJsonFromSpec(spec);
  auto written = Tokenizer::Create(TokenizerSpecFromJson(json, {}, "written"), "written");
  int texts = 0;
  for (const std::string& line : Split(ReadFile(ids), '\n')) {
    if (line.empty()) continue;
    ++texts;
    Json row = ParseJson(line, folder);
    std::string text = row["text"].get<std::string>();
    // Where the two references differ (numerals that are no digits: Ⅷ ① ½) the first, transformers', is followed, and
    // without special tokens in that text both ways must give the same.
    auto with_special = row["ids"].get<std::vector<TokenId>>();
    auto plain = row[row.contains("llama_cpp_ids") ? "ids" : "ids_plain"].get<std::vector<TokenId>>();
    for (const auto& t : {tokenizer, written}) {
      EXPECT_EQ(t->Encode(text, true), with_special) << text;
      EXPECT_EQ(t->Encode(text, false), plain) << text;
      EXPECT_EQ(t->Decode(with_special), text);
    }
  }
  EXPECT_EQ(texts, 45);
}

}  // namespace
}  // namespace assay
