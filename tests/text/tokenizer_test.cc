#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "base/strings.h"
#include "processor_time.h"
#include "system/file.h"
#include "text/split_regex.h"
#include "text/unicode.h"

namespace assay {
namespace {

using testing::HasSubstr;

const std::string kFolder = std::string(ASSAY_TEST_DATA) + "/golden/tokenizer/";

std::shared_ptr<const Tokenizer> Make(const std::string& name) {
  return Tokenizer::Create(TokenizerSpecFromJson(ReadFile(kFolder + name + ".tokenizer.json"), {}, name), name);
}

// Runs `body`, which must throw an Error of that kind, and returns its message.
template <typename Body>
std::string MessageOf(ErrorKind kind, Body body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(ErrorKindName(e.kind()), ErrorKindName(kind)) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(Unicode, Utf8Validity) {
  EXPECT_EQ(ValidUtf8Prefix("abc\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 12u);
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"})
    EXPECT_EQ(Utf8SequenceLength(bad), 0u) << DumpJson(Json(bad));
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text;
    AppendUtf8(text, c);
    ASSERT_EQ(Utf8SequenceLength(text), text.size());
    ASSERT_EQ(Utf8Decode(text), c);
  }
}

TEST(Unicode, ByteAlphabetIsABijection) {
  std::string all, back;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  EXPECT_TRUE(ByteAlphabetDecode(ByteAlphabetEncode(all), back));
  EXPECT_EQ(back, all);
  EXPECT_EQ(ByteAlphabetEncode(" \n\xad"), "\xc4\xa0\xc4\x8a\xc5\x83");  // Ġ Ċ Ń
  EXPECT_FALSE(ByteAlphabetDecode("a b", back));
}

TEST(Utf8Stream, HoldsBackWhatIsIncomplete) {
  std::string text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
  for (size_t step = 1; step <= 5; ++step) {
    Utf8Stream stream;
    std::string out;
    for (size_t i = 0; i < text.size(); i += step) {
      std::string part = stream.Push(std::string_view(text).substr(i, step));
      EXPECT_TRUE(IsValidUtf8(part));
      out += part;
    }
    EXPECT_EQ(out + stream.Flush(), text);
  }
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("\xf0\x9f"), "");
  EXPECT_EQ(stream.Push("A"),
            "\xef\xbf\xbd"
            "A");  // one U+FFFD for the broken-off sequence
  EXPECT_EQ(stream.Push("\x80\xff"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(stream.Push("\xe2\x82"), "");
  EXPECT_EQ(stream.Flush(), "\xef\xbf\xbd");
  EXPECT_EQ(stream.Flush(), "");
}

TEST(SplitRegex, RefusesWhatMeansSomethingElse) {
  EXPECT_THAT(MessageOf(ErrorKind::kUnsupported, [] { SplitRegex("[a-z&&[^b]]", "x"); }), HasSubstr("x: "));
  MessageOf(ErrorKind::kUnsupported, [] { SplitRegex("\\h+", "x"); });
  EXPECT_THAT(MessageOf(ErrorKind::kCorrupt, [] { SplitRegex("(a", "x"); }), HasSubstr("(a"));
  MessageOf(ErrorKind::kCorrupt, [] { SplitRegex("", "x"); });
}

TEST(SplitRegex, StopsAtItsMatchLimit) {
  SplitRegex slow("(a+)+$", "x");
  EXPECT_THAT(
      MessageOf(ErrorKind::kResource, [&] { slow.ForEach(std::string(5000, 'a') + "b", [](size_t, size_t) {}); }),
      HasSubstr("(a+)+$"));
}

TEST(Tokenizer, BytesThatAreNotUtf8SurviveByteLevel) {
  auto tokenizer = Make("gpt2");
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    for (int i = 0; i < 60; ++i)
      bytes += static_cast<char>(random.Next() % (round % 2 ? 256 : 4) * (round % 2 ? 1 : 67));
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(bytes, false)), bytes);
  }
}

TEST(Tokenizer, TokenBytesConcatenate) {
  for (const char* name : {"gpt2", "smollm", "unigram_bytes", "metaspace_first"}) {
    auto tokenizer = Make(name);
    auto ids = tokenizer->Encode("<s>A naïve 日本 text, 12 times.", true);
    std::string joined;
    for (TokenId id : ids) joined += tokenizer->TokenBytes(id);
    std::string decoded = tokenizer->Decode(ids);
    if (joined.starts_with(' ')) joined.erase(0, 1);
    EXPECT_EQ(joined, decoded) << name;
  }
  EXPECT_EQ(Make("gpt2")->TokenBytes(-1), "");
  EXPECT_EQ(Make("gpt2")->TokenBytes(1 << 30), "");
}

TEST(Tokenizer, SpecialTokens) {
  auto tokenizer = Make("smollm");
  TokenId end = tokenizer->Find("<|im_end|>").value();
  EXPECT_TRUE(tokenizer->IsSpecial(end));
  EXPECT_FALSE(tokenizer->IsSpecial(tokenizer->Find("<tool>").value()));
  EXPECT_FALSE(tokenizer->Find("no such token").has_value());
  auto ids = tokenizer->Encode("hi<|im_end|>", true);
  EXPECT_EQ(ids.back(), end);
  EXPECT_EQ(tokenizer->Decode(ids, true), "hi");
  EXPECT_EQ(tokenizer->Decode(ids), "hi<|im_end|>");
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("hi<|im_end|>", false), true), "hi<|im_end|>");
}

TEST(Tokenizer, ConfigNamesTokens) {
  std::string json = ReadFile(kFolder + "gpt2.tokenizer.json");
  TokenizerSpec spec = TokenizerSpecFromJson(
      json, {R"({"bos_token": {"content": "<|im_start|>"}, "eos_token": "<|im_end|>", "pad_token": null,
           "add_bos_token": true, "tokenizer_class": "LlamaTokenizerFast",
           "extra_special_tokens": {"image_token": "<|im_start|>"}})"},
      "x");
  EXPECT_EQ(spec.tokens.at(spec.bos), "<|im_start|>");
  EXPECT_EQ(spec.tokens.at(spec.eos), "<|im_end|>");
  EXPECT_EQ(spec.pad, -1);
  auto tokenizer = Tokenizer::Create(spec, "x");
  EXPECT_EQ(tokenizer->Encode("", true, true), std::vector<TokenId>{spec.bos});
  const std::vector<NamedToken> named = {
      {"image_token", "<|im_start|>"}, {"bos_token", "<|im_start|>"}, {"eos_token", "<|im_end|>"}};
  EXPECT_EQ(spec.named, named);
}

// Both versions of transformers: beside a tokenizer.json the flags count for a few classes alone.
TEST(Tokenizer, FlagsDoNotChangeAPostProcessor) {
  const std::string json = ReadFile(kFolder + "gpt2.tokenizer.json");
  for (const char* name : {"GPT2Tokenizer", "PreTrainedTokenizerFast", ""}) {
    const std::string config = fmt::format(
        R"({{"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "add_bos_token": true, "add_eos_token": true,
           "tokenizer_class": "{}"}})",
        name);
    auto tokenizer = Tokenizer::Create(TokenizerSpecFromJson(json, {config}, "x"), "x");
    EXPECT_TRUE(tokenizer->Encode("", true, true).empty()) << name;
  }
}

// Time grows with n log n: a run of one letter eight times as long must not take anything like 64 times as long.
TEST(Tokenizer, LongWordsAreNotQuadratic) {
  for (const char* name : {"gpt2", "llama3", "metaspace_first", "unigram_bytes"}) {
    auto tokenizer = Make(name);
    for (std::string unit : {"a", "ab", " ", "\n", "e\xcc\x81", "\xe6\x97\xa5", "<", "\xff"}) {
      size_t ids = 0;
      auto seconds = [&](size_t bytes) {
        std::string text;
        while (text.size() < bytes) text += unit;
        return ProcessorSeconds([&] { ids += tokenizer->Encode(text, true).size(); });
      };
      double small = seconds(50'000), large = seconds(400'000);
      if (Trim(unit) == unit) {
        EXPECT_GT(ids, 0u);  // unigram_bytes strips white space
      }
      EXPECT_LT(large, 24 * small + 0.2) << name << " " << DumpJson(Json(unit));
    }
  }
}

TEST(Tokenizer, ThreadsAgree) {
  auto tokenizer = Make("gpt2");
  std::string text = ReadFile(kFolder + "texts.json");
  auto expected = tokenizer->Encode(text, true);
  std::vector<std::vector<TokenId>> got(4);
  std::vector<std::thread> threads;
  for (auto& ids : got) threads.emplace_back([&] { ids = tokenizer->Encode(text, true); });
  for (auto& thread : threads) thread.join();
  for (auto& ids : got) EXPECT_EQ(ids, expected);
}

TokenizerSpec TinyGguf() {
  TokenizerSpec spec = GgufTokenizerDefaults("gpt2", "smollm", "x");
  spec.tokens = {"<|a|>", "a", "b", "ab", "1", "\xc4\xa0"};
  spec.types = {TokenType::kControl, TokenType::kNormal, TokenType::kNormal,
                TokenType::kNormal,  TokenType::kNormal, TokenType::kNormal};
  spec.merges = {"a b"};
  return spec;
}

TEST(Gguf, SpecBecomesATokenizer) {
  TokenizerSpec spec = TinyGguf();
  CompleteGgufSpec(spec, "x");
  auto tokenizer = Tokenizer::Create(spec, "x");
  EXPECT_EQ(tokenizer->Encode("ab 11<|a|>", true), (std::vector<TokenId>{3, 5, 4, 4, 0}));
  EXPECT_EQ(tokenizer->Encode("<|a|>", false), std::vector<TokenId>{1});  // the one letter that this vocabulary has
  EXPECT_EQ(PreTokenizerName(tokenizer->spec()), "smollm");
}

TEST(Gguf, EveryKnownNameWorksAndKeepsItsName) {
  for (const char* name :
       {"gpt-2",  "default",     "llama-bpe",  "llama3",     "deepseek-llm", "deepseek-coder", "deepseek-v3",
        "falcon", "mpt",         "starcoder",  "refact",     "command-r",    "qwen2",          "smollm",
        "tekken", "gpt-4o",      "olmo",       "dbrx",       "stablelm2",    "viking",         "bloom",
        "glm4",   "chatglm-bpe", "bailingmoe", "seed-coder", "minicpm5",     "qwen35",         "exaone"}) {
    TokenizerSpec spec = GgufTokenizerDefaults("gpt2", name, "x");
    TokenizerSpec tiny = TinyGguf();
    spec.tokens = tiny.tokens, spec.types = tiny.types, spec.merges = tiny.merges;
    spec.add_bos = false;
    CompleteGgufSpec(spec, "x");
    auto tokenizer = Tokenizer::Create(spec, "x");
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("ab 1 a", false)), "ab 1 a") << name;
    EXPECT_EQ(PreTokenizerName(spec), name);
  }
}

TEST(Gguf, UnknownPreTokenizerAndModelAreNamed) {
  TokenizerSpec spec = TinyGguf();
  spec.pre = "martian";
  EXPECT_THAT(MessageOf(ErrorKind::kUnsupported, [&] { CompleteGgufSpec(spec, "file.gguf"); }),
              testing::AllOf(HasSubstr("file.gguf"), HasSubstr("martian")));
  EXPECT_THAT(MessageOf(ErrorKind::kUnsupported, [] { GgufTokenizerDefaults("rwkv", "", "f"); }), HasSubstr("rwkv"));
}

TEST(Hostile, SpecsThatContradictThemselves) {
  auto refused = [](auto change, const char* expected) {
    TokenizerSpec spec = TinyGguf();
    CompleteGgufSpec(spec, "f");
    change(spec);
    EXPECT_THAT(MessageOf(ErrorKind::kCorrupt, [&] { Tokenizer::Create(spec, "f"); }),
                testing::AllOf(HasSubstr("f: "), HasSubstr(expected)));
  };
  refused([](auto& s) { s.tokens.clear(); }, "empty");
  refused([](auto& s) { s.types.pop_back(); }, "token types");
  refused([](auto& s) { s.types[2] = static_cast<TokenType>(9); }, "type 9");
  refused([](auto& s) { s.merges.push_back("a z"); }, "merge 1 \"a z\"");
  refused([](auto& s) { s.merges.push_back("b a"); }, "merge 1 \"b a\"");  // "ba" is no token
  refused([](auto& s) { s.merges.push_back(""); }, "merge 1");
  refused([](auto& s) { s.merges.push_back("a "); }, "merge 1");
  refused([](auto& s) { s.bos = 6; }, "BOS token 6");
  refused([](auto& s) { s.eos = -5; }, "EOS token -5");
  refused([](auto& s) { s.add_bos = true; }, "BOS");
  refused([](auto& s) { s.added[0].id = 77; }, "77");
  refused([](auto& s) { s.scores = {1, 2}; }, "scores");
  refused([](auto& s) { s.scores.assign(6, std::numeric_limits<float>::quiet_NaN()); }, "finite");
}

TEST(Hostile, TokenizerJson) {
  auto refused = [](ErrorKind kind, std::string text, const char* expected) {
    auto make = [&] { Tokenizer::Create(TokenizerSpecFromJson(text, {}, "f"), "f"); };
    EXPECT_THAT(MessageOf(kind, make), HasSubstr(expected)) << text;
  };
  const std::string byte_level = R"("pre_tokenizer":{"type":"ByteLevel"},)";
  refused(ErrorKind::kCorrupt, "", "not JSON");
  refused(ErrorKind::kCorrupt, "[]", "expected an object");
  refused(ErrorKind::kCorrupt, "{}", "\"model\" is missing");
  refused(ErrorKind::kUnsupported, R"({"model":{"type":"WordLevel","vocab":{}}})", "WordLevel");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"BPE","vocab":[],"merges":[]}})", "\"vocab\": expected an object");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"BPE","vocab":{},"merges":[]}})", "vocabulary is empty");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})", "token id");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"BPE","vocab":{"a":0.5},"merges":[]}})", "an integer");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"BPE","vocab":{"a":3000000},"merges":[]}})", "id 3000000");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"BPE","vocab":{"a":18446744073709551615},"merges":[]}})",
          "token id");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}})", "belongs to both");
  refused(ErrorKind::kCorrupt, "{" + byte_level + R"("model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})",
          "merge 0");
  refused(ErrorKind::kCorrupt, "{" + byte_level + R"("model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}})",
          "merges");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"q"}})",
          "unk_token \"q\"");
  refused(ErrorKind::kUnsupported, R"({"model":{"type":"BPE","dropout":0.1,"vocab":{"a":0},"merges":[]}})", "dropout");
  refused(ErrorKind::kUnsupported,
          R"({"normalizer":{"type":"Nonsense"},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})", "Nonsense");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"Unigram","unk_id":5,"vocab":[["a",0]]}})", "unk_id 5");
  refused(ErrorKind::kCorrupt, R"({"model":{"type":"Unigram","vocab":[["a"]]}})", "[token, score]");
  refused(ErrorKind::kCorrupt,
          R"({"added_tokens":[{"id":4000000000,"content":"x"}],"model":{"type":"Unigram","vocab":[["a",0]]}})",
          "token id");
  std::string deep = R"({"type":"NFC"})";
  for (int i = 0; i < 12; ++i) deep = R"({"type":"Sequence","normalizers":[)" + deep + "]}";
  refused(ErrorKind::kCorrupt, R"({"normalizer":)" + deep + R"(,"model":{"type":"Unigram","vocab":[["a",0]]}})",
          "nested");
  refused(ErrorKind::kUnsupported,
          R"({"pre_tokenizer":{"type":"Metaspace","replacement":"_"},"model":{"type":"Unigram","vocab":[["a",0]]}})",
          "Metaspace");
  refused(ErrorKind::kCorrupt, std::string(100000, '['), "nested");
}

TEST(Hostile, ATruncatedTokenizerJsonIsRefusedEverywhere) {
  std::string text = ReadFile(kFolder + "falcon.tokenizer.json");
  for (size_t n = 0; n < text.size(); n += n < 1500 ? 1 : 97)
    MessageOf(ErrorKind::kCorrupt, [&] { TokenizerSpecFromJson(std::string_view(text).substr(0, n), {}, "f"); });
}

TEST(Hostile, SentencePieceGarbage) {
  std::string model = ReadFile(kFolder + "spm_unigram.model");
  Random random(3);
  int refused = 0, rounds = 0;
  auto attempt = [&](const std::string& bytes) {
    ++rounds;
    try {
      auto tokenizer = Tokenizer::Create(TokenizerSpecFromSentencePiece(std::as_bytes(std::span(bytes)), "f"), "f");
      tokenizer->Encode("some text with 12 words", true);
    } catch (const Error&) {
      ++refused;
    }
  };
  for (size_t n = 0; n < model.size(); n += 7) attempt(model.substr(0, n));
  for (int i = 0; i < 300; ++i) {
    std::string changed = model;
    for (int k = 0; k < 5; ++k) changed[random.Next() % changed.size()] = static_cast<char>(random.Next());
    attempt(changed);
  }
  EXPECT_GT(refused, rounds / 4);
  EXPECT_THAT(
      MessageOf(ErrorKind::kCorrupt,
                [] { TokenizerSpecFromSentencePiece(std::as_bytes(std::span("\x0a\xff\xff\xff\xff\x0f", 6)), "f"); }),
      HasSubstr("4294967295 bytes where"));
}

// ---- Ranked byte strings
// -----------------------------------------------------------------------------------------------------

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// The bytes, pairs of them as far as `ranks` goes.
std::string Tiktoken(size_t ranks) {
  std::string out;
  for (size_t i = 0; i < ranks; ++i) {
    std::string token(1, static_cast<char>(i));
    if (i >= 256) token = {static_cast<char>(i >> 8), static_cast<char>(i)};
    if (i >= 65536) token = {'z', static_cast<char>(i >> 16), static_cast<char>(i >> 8), static_cast<char>(i)};
    out += Base64(token) + " " + std::to_string(i) + "\n";
  }
  return out;
}

TEST(Tiktoken, FamiliesAreKnownByTheirNumberOfRanksOrTheirClass) {
  TokenizerSpec llama3 = TokenizerSpecFromTiktoken(Tiktoken(128'000), {}, "f");
  EXPECT_EQ(llama3.pre, "llama-bpe");
  ASSERT_EQ(llama3.tokens.size(), 128'256u);
  EXPECT_EQ(llama3.tokens[128'000], "<|begin_of_text|>");
  EXPECT_EQ(llama3.tokens[128'004], "<|finetune_right_pad_id|>");
  EXPECT_EQ(llama3.tokens[128'009], "<|eot_id|>");
  EXPECT_EQ(llama3.tokens[128'011], "<|reserved_special_token_2|>");
  EXPECT_EQ(llama3.tokens[128'255], "<|reserved_special_token_246|>");
  EXPECT_EQ(llama3.bos, 128'000);
  EXPECT_EQ(llama3.eos, 128'001);
  EXPECT_TRUE(llama3.add_bos);
  TokenizerSpec llama4 = TokenizerSpecFromTiktoken(Tiktoken(200'000), {}, "f");
  EXPECT_EQ(llama4.pre, "llama4");
  ASSERT_EQ(llama4.tokens.size(), 202'048u);
  EXPECT_EQ(llama4.tokens[200'005], "<|header_start|>");
  EXPECT_EQ(llama4.tokens[200'008], "<|eot|>");
  EXPECT_EQ(llama4.tokens[200'018], "<|finetune_right_pad|>");
  EXPECT_EQ(llama4.tokens[200'080], "<|image_start|>");
  EXPECT_EQ(llama4.tokens[200'092], "<|patch|>");
  EXPECT_EQ(llama4.tokens[201'134], "<|reasoning_reserved_special_token_0|>");
  EXPECT_EQ(llama4.tokens[201'143], "<|reasoning_thinking_end|>");
  TokenizerSpec kimi = TokenizerSpecFromTiktoken(
      Tiktoken(300), {R"({"tokenizer_class":"TikTokenTokenizer","bos_token":"[BOS]","eos_token":"[EOS]",
           "added_tokens_decoder":{"300":{"content":"[BOS]","special":true},"301":{"content":"[EOS]","special":true}}})"},
      "f");
  EXPECT_EQ(kimi.pre, "kimi-k2");
  EXPECT_EQ(kimi.tokens.size(), 556u);
  EXPECT_EQ(kimi.bos, 300);
  EXPECT_EQ(kimi.eos, 301);
  EXPECT_EQ(kimi.tokens[302], "<|reserved_token_302|>");
  EXPECT_EQ(Tokenizer::Create(kimi, "f")->Encode("a[EOS]", true), (std::vector<TokenId>{'a', 301}));
}

TEST(Tiktoken, BadFilesAreRefusedByPlace) {
  auto refused = [](ErrorKind kind, std::string file, std::string config, const char* part) {
    EXPECT_THAT(MessageOf(kind, [&] { TokenizerSpecFromTiktoken(file, {config}, "f"); }), HasSubstr(part)) << file;
  };
  const std::string kimi = R"({"tokenizer_class":"TikTokenTokenizer"})";
  refused(ErrorKind::kCorrupt, "", "", "no ranks");
  refused(ErrorKind::kCorrupt, "YQ==\n", kimi, "line 1");
  refused(ErrorKind::kCorrupt, "YQ== 0\nYg== 2\n", kimi, "expected rank 1, found 2");
  refused(ErrorKind::kCorrupt, "YQ== 0\nYQ== 1\n", kimi, "earlier rank");
  refused(ErrorKind::kCorrupt, "Y!== 0\n", kimi, "base64");
  refused(ErrorKind::kCorrupt, "YQ== 0x\n", kimi, "line 1");
  refused(ErrorKind::kUnsupported, "YQ== 0\n", R"({"tokenizer_class":"MyTokenizer"})", "MyTokenizer");
  refused(ErrorKind::kCorrupt, "YQ== 0\n",
          R"({"tokenizer_class":"TikTokenTokenizer","added_tokens_decoder":{"9999999":{"content":"x"}}})", "9999999");
  auto tekken = [](const char* json, const char* part) {
    EXPECT_THAT(MessageOf(ErrorKind::kCorrupt, [&] { TokenizerSpecFromTekken(json, "f"); }), HasSubstr(part)) << json;
  };
  tekken("{}", "config");
  tekken(R"({"config":{"default_vocab_size":10,"default_num_special_tokens":5,"pattern":"."},"vocab":[]})", "10");
  tekken(
      R"({"config":{"default_vocab_size":2,"default_num_special_tokens":1,"pattern":"."},"vocab":[{"rank":1,"token_bytes":"YQ=="}]})",
      "expected rank 0");
}

TEST(SplitExpressions, ScriptsAndSetDifferences) {
  TokenizerSpec spec;
  spec.model = TokenizerModel::kByteLevelBpe;
  spec.tokens = {"a"};
  spec.types = {TokenType::kNormal};
  PreTokenizerStep step{PreTokenizerStep::Kind::kSplit};
  step.regex = true;
  auto refused = [&](const char* pattern) {
    step.pattern = pattern;
    spec.pre_steps = {step};
    return !MessageOf(ErrorKind::kUnsupported, [&] { Tokenizer::Create(spec, "f"); }).empty();
  };
  EXPECT_TRUE(refused("[a&&b]"));
  EXPECT_TRUE(refused("[^a&&[^\\p{Han}]]"));
  EXPECT_TRUE(refused("[a&&[\\p{Han}]]"));
  step.pattern = "[\\p{L}&&[^\\p{Han}]]+";
  spec.pre_steps = {step};
  EXPECT_NO_THROW(Tokenizer::Create(spec, "f"));
}

}  // namespace
}  // namespace assay
