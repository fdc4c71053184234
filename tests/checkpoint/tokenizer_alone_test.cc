// A tokenizer without a model: vocabulary-only GGUF files, folders of tokenizer files. And what llama.cpp would not
// load.

#include <gmock/gmock.h>

#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/file_listing.h"
#include "checkpoint/hf/hf_checkpoint.h"
#include "checkpoint/small_gguf.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

fs::path Folder() {
  const fs::path folder = fs::path(testing::TempDir()) / "tokenizer_alone";
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

fs::path Written(const SmallGguf& gguf) {
  const fs::path path = Folder() / "vocabulary.gguf";
  WriteFileAtomically(path, gguf.Bytes());
  return path;
}

std::vector<TokenId> Encode(const fs::path& path, const char* text) {
  return Tokenizer::Create(Checkpoint::OpenTokenizer(path), "x")->Encode(text, true);
}

TEST(TokenizerAlone, VocabularyOnlyGguf) {
  SmallGguf gguf("llama.block_count");  // no model is described
  gguf.tensors.clear();
  EXPECT_EQ(Encode(Written(gguf), "ab<s>cde"), (std::vector<TokenId>{6, 0, 7, 5}));
  const fs::path like_a_folder = Folder() / "tokenizer.gguf";
  WriteFileAtomically(like_a_folder, gguf.Bytes());
  EXPECT_EQ(Encode(like_a_folder, "ab<s>cde"), (std::vector<TokenId>{6, 0, 7, 5}));
}

TEST(TokenizerAlone, VocabularyIsListed) {
  SmallGguf gguf;
  gguf.tensors.clear();
  gguf.metadata.AddString("tokenizer.chat_template", "{{ messages }}");
  const fs::path path = Written(gguf);
  const FileListing listing = ListWeightFiles(path);
  EXPECT_EQ(listing.container, "GGUF");
  EXPECT_EQ(listing.architecture, "llama");
  EXPECT_TRUE(listing.tensors.empty());
  ASSERT_TRUE(listing.vocabulary);
  EXPECT_EQ(listing.vocabulary->tokenizer.tokens.size(), 8u);
  EXPECT_EQ(listing.vocabulary->chat_template, "{{ messages }}");
  EXPECT_EQ(listing.vocabulary->metadata.at("llama.embedding_length"), 4);
  // Whoever wants a model is told what this is.
  ExpectError(ErrorKind::kUnsupported, "vocabulary.gguf: no tensors: a vocabulary", [&] { Checkpoint::Open(path); });
  EXPECT_FALSE(ListWeightFiles(Written(SmallGguf())).vocabulary);
  // Without a tokenizer it is none.
  SmallGguf nothing("tokenizer.ggml.model");
  nothing.tensors.clear();
  EXPECT_FALSE(ListWeightFiles(Written(nothing)).vocabulary);
}

TEST(TokenizerAlone, FilesThatStandForTheirFolder) {
  const fs::path kimi = fs::path(ASSAY_TEST_DATA) / "golden" / "kimi";
  EXPECT_EQ(Checkpoint::OpenTokenizer(kimi / "tiktoken.model").tokens, Checkpoint::OpenTokenizer(kimi).tokens);
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tekken.json", "qwen.tiktoken", "tiktoken.model",
                           "tokenizer_config.json", "added_tokens.json"})
    EXPECT_TRUE(IsTokenizerFile(name)) << name;
  for (const char* name : {"tokenizer.gguf", "tokenizer", "vocabulary.gguf"})
    EXPECT_FALSE(IsTokenizerFile(name)) << name;
}

TEST(TokenizerAlone, FolderOfTokenizerFiles) {
  const fs::path folder = Folder(), demo = fs::path(ASSAY_SOURCE) / "examples" / "demo";
  fs::copy_file(demo / "tokenizer.json", folder / "tokenizer.json");
  const std::vector<TokenId> plain = Encode(folder, "a<|x|>b");
  WriteFileAtomically(folder / "added_tokens.json", R"({"<|x|>": 1728})");
  EXPECT_NE(Encode(folder, "a<|x|>b"), plain);
  EXPECT_EQ(Encode(folder, "a<|x|>b"), (std::vector<TokenId>{67, 1728, 68}));
  EXPECT_EQ(Encode(folder / "tokenizer.json", "a<|x|>b"), (std::vector<TokenId>{67, 1728, 68}));
}

TEST(TokenizerAlone, ByteLevelNeedsMerges) {
  ExpectError(ErrorKind::kCorrupt, "tokenizer.ggml.merges is missing",
              [] { Checkpoint::OpenTokenizer(Written(SmallGguf("tokenizer.ggml.merges"))); });
  SmallGguf empty("tokenizer.ggml.merges");
  empty.metadata.AddStrings("tokenizer.ggml.merges", {});
  ExpectError(ErrorKind::kCorrupt, "tokenizer.ggml.merges is empty, but token 6 has 2 bytes",
              [&] { Checkpoint::OpenTokenizer(Written(empty)); });
}

TEST(TokenizerAlone, EndsOfAGgufByName) {
  SmallGguf gguf("tokenizer.ggml.tokens");
  gguf.metadata.AddStrings("tokenizer.ggml.tokens",
                           {"<|im_end|>", "a", "b", "<|endoftext|>", "<|file_sep|>", "e", "ab", "</s>"});
  const TokenizerSpec spec = Checkpoint::OpenTokenizer(Written(gguf));
  EXPECT_THAT(spec.ends, testing::UnorderedElementsAre(0, 3, 4, 7));
}

}  // namespace
}  // namespace assay
