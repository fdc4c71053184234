// Vocabularies that come as ranked byte strings: tiktoken's text files ("base64 rank" a line) and Mistral's
// tekken.json. A token's rank is its place in the order of merges, so the merges are found by merging each token's own
// bytes with what ranks below it (openai/tiktoken, _educational.py).

#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/python_json.h"
#include "base/strings.h"
#include "text/files/tokenizer_files.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kMaxRankedBytes = 1024;            // of one token
constexpr uint64_t kMaxMergeSteps = 2'000'000'000;  // of one file: pairs looked at
constexpr const char* kBeginOfText = "<|begin_of_text|>";
constexpr std::string_view kReserved = "<|reserved_special_token_";

// What a tiktoken file does not say, its tokenizer's code does: the splitting expression (here the GGUF name of its
// rules) and the special tokens, which come after the ranked ones.
struct Family {
  std::string_view tokenizer_class;  // in tokenizer_config.json; empty: known by the number of ranks
  size_t ranks;                      // 0: any
  std::string_view pre;
  std::vector<std::string> (*specials)(size_t ranks);
};

void Numbered(std::vector<std::string>& out, std::string_view name, size_t count, size_t first = 0) {
  for (size_t i = first; i < first + count; ++i) out.push_back(std::string(name) + std::to_string(i) + "|>");
}

std::vector<std::string> Llama3Specials(size_t) {
  std::vector<std::string> out = {"<|begin_of_text|>", "<|end_of_text|>"};
  Numbered(out, kReserved, 2);
  for (const char* name : {"<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>",
                           "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"})
    out.emplace_back(name);
  Numbered(out, kReserved, 256 - out.size(), 2);
  return out;
}

std::vector<std::string> Llama4Specials(size_t) {
  constexpr std::string_view kText = "<|text_post_train_reserved_special_token_",
                             kVision = "<|vision_reserved_special_token_",
                             kReasoning = "<|reasoning_reserved_special_token_";
  std::vector<std::string> out = {"<|begin_of_text|>", "<|end_of_text|>",  "<|fim_prefix|>", "<|fim_middle|>",
                                  "<|fim_suffix|>",    "<|header_start|>", "<|header_end|>", "<|eom|>",
                                  "<|eot|>",           "<|step|>"};
  Numbered(out, kText, 6);
  for (const char* name : {"<|python_start|>", "<|python_end|>", "<|finetune_right_pad|>"}) out.emplace_back(name);
  Numbered(out, kText, 61, 8);
  for (const char* name : {"<|image_start|>", "<|image_end|>"}) out.emplace_back(name);
  Numbered(out, kVision, 2);
  for (const char* name : {"<|tile_x_separator|>", "<|tile_y_separator|>"}) out.emplace_back(name);
  Numbered(out, kVision, 4, 2);
  out.emplace_back("<|image|>");
  Numbered(out, kVision, 1, 6);
  out.emplace_back("<|patch|>");
  Numbered(out, kVision, 1041, 7);
  Numbered(out, kReasoning, 8);
  for (const char* name : {"<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>"}) out.emplace_back(name);
  Numbered(out, kReserved, 2048 - out.size());
  return out;
}

std::vector<std::string> QwenSpecials(size_t) {
  std::vector<std::string> out = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  Numbered(out, "<|extra_", 205);
  return out;
}

std::vector<std::string> KimiSpecials(size_t ranks) {
  std::vector<std::string> out;
  Numbered(out, "<|reserved_token_", 256, ranks);
  return out;
}

// Special tokens only as tokenizer_config.json lists them.
std::vector<std::string> NoSpecials(size_t) {
  return {};
}

constexpr Family kFamilies[] = {
    {"TikTokenTokenizer", 0, "kimi-k2", KimiSpecials}, {"TikTokenV3", 0, "kimi-k2", KimiSpecials},
    {"QWenTokenizer", 0, "qwen2", QwenSpecials},       {"ChatGLM4Tokenizer", 0, "chatglm-bpe", NoSpecials},
    {"", 128'000, "llama-bpe", Llama3Specials},        {"", 200'000, "llama4", Llama4Specials},
};

const Family& FamilyOf(std::string_view tokenizer_class, size_t ranks, std::string_view where) {
  for (const Family& family : kFamilies)
    if (!family.tokenizer_class.empty() && family.tokenizer_class == tokenizer_class) return family;
  for (const Family& family : kFamilies)
    if (family.tokenizer_class.empty() && family.ranks == ranks) return family;
  Fail(ErrorKind::kUnsupported, "{}: a tiktoken file of {} ranks for tokenizer class \"{}\", whose rules are not known",
       where, ranks, tokenizer_class);
}

using Ranks = std::unordered_map<std::string_view, TokenId>;

// Merges `bytes` with what ranks below `limit`, and gives the two pieces that are left; false when more are.
bool LastTwoPieces(std::string_view bytes, TokenId limit, const Ranks& ranks, uint64_t& steps, size_t& cut) {
  std::vector<size_t> begins(bytes.size() + 1);
  for (size_t i = 0; i <= bytes.size(); ++i) begins[i] = i;
  while (begins.size() > 3) {
    TokenId best = limit;
    size_t at = 0;
    for (size_t i = 0; i + 2 < begins.size(); ++i) {
      auto found = ranks.find(bytes.substr(begins[i], begins[i + 2] - begins[i]));
      if (found != ranks.end() && found->second < best) best = found->second, at = i;
    }
    steps += begins.size();
    if (best == limit) return false;
    begins.erase(begins.begin() + static_cast<ptrdiff_t>(at) + 1);
  }
  cut = begins[1];
  return true;
}

// `ranked` by rank. Sets tokens, types and merges; ids begin at `first`.
void AddRanked(const std::vector<std::string>& ranked, size_t first, TokenizerSpec& spec, std::string_view where) {
  Ranks ranks;
  ranks.reserve(ranked.size());
  for (size_t i = 0; i < ranked.size(); ++i) {
    if (ranked[i].empty() || ranked[i].size() > kMaxRankedBytes)
      Fail(ErrorKind::kCorrupt, "{}: the token of rank {} has {} bytes, 1 to {} expected", where, i, ranked[i].size(),
           kMaxRankedBytes);
    if (!ranks.emplace(ranked[i], static_cast<TokenId>(i)).second)
      Fail(ErrorKind::kCorrupt, "{}: the token of rank {} has an earlier rank too", where, i);
  }
  uint64_t steps = 0;
  for (size_t i = 0; i < ranked.size(); ++i) {
    const std::string& bytes = ranked[i];
    spec.tokens.resize(std::max(spec.tokens.size(), first + i + 1));
    spec.tokens[first + i] = ByteAlphabetEncode(bytes);
    size_t cut = 0;
    // A token that its own bytes do not merge to is only found as a whole word.
    if (bytes.size() == 1 || !LastTwoPieces(bytes, static_cast<TokenId>(i), ranks, steps, cut)) continue;
    spec.merges.push_back(ByteAlphabetEncode(std::string_view(bytes).substr(0, cut)) + " " +
                          ByteAlphabetEncode(std::string_view(bytes).substr(cut)));
    if (steps > kMaxMergeSteps) Fail(ErrorKind::kCorrupt, "{}: its tokens are too long to find their merges", where);
  }
  spec.types.resize(spec.tokens.size(), TokenType::kNormal);
}

void AddSpecial(TokenizerSpec& spec, TokenId id, std::string content) {
  auto index = static_cast<size_t>(id);
  while (spec.tokens.size() <= index) {
    spec.tokens.push_back("[PAD" + std::to_string(spec.tokens.size()) + "]");
    spec.types.push_back(TokenType::kUnused);
  }
  spec.tokens[index] = std::move(content);
  spec.types[index] = TokenType::kControl;
}

// Pre-tokenizer, normalizer and flags by the GGUF name of the rules; added tokens from the types.
void Complete(TokenizerSpec& spec, std::string_view pre, std::string_view where) {
  spec.model = TokenizerModel::kByteLevelBpe;
  spec.pre = pre;
  CompleteSpec(spec, where);
  UseMakersRules(spec);
  spec.ignore_merges = true;  // a word that has a rank is never merged
}

}  // namespace

TokenizerSpec TokenizerSpecFromTiktoken(std::string_view file, const TokenizerSettings& settings,
                                        std::string_view where) {
  std::vector<std::string> ranked;
  size_t line = 0;
  while (!file.empty()) {
    size_t end = std::min(file.find('\n'), file.size());
    std::string_view text = Trim(file.substr(0, end));
    file.remove_prefix(std::min(end + 1, file.size()));
    ++line;
    if (text.empty()) continue;
    std::string place = std::string(where) + ": line " + std::to_string(line);
    size_t space = text.find(' ');
    size_t rank = 0;
    std::string_view number = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), rank);
    if (number.empty() || error != std::errc() || stop != number.data() + number.size())
      Fail(ErrorKind::kCorrupt, "{}: expected a token in base64 and its rank", place);
    if (rank != ranked.size()) Fail(ErrorKind::kCorrupt, "{}: expected rank {}, found {}", place, ranked.size(), rank);
    ranked.push_back(DecodeBase64(text.substr(0, space), place));
  }
  if (ranked.empty()) Fail(ErrorKind::kCorrupt, "{}: no ranks", where);
  std::string config_name = std::string(where) + ": tokenizer_config.json", tokenizer_class;
  Json dom = Json::object();
  if (!settings.config.empty()) dom = ParseTokenizerFile(StrictJsonOfPython(settings.config), config_name);
  Node config(dom, config_name);
  const Family& family = FamilyOf(config.String("tokenizer_class", ""), ranked.size(), where);
  TokenizerSpec spec;
  AddRanked(ranked, 0, spec, where);
  std::vector<std::string> specials = family.specials(ranked.size());
  for (size_t i = 0; i < specials.size(); ++i)
    AddSpecial(spec, static_cast<TokenId>(ranked.size() + i), std::move(specials[i]));
  Complete(spec, family.pre, where);
  TokenAdder adder(spec, spec.tokens.size(), TokenAdder::Ids::kStated);
  ApplySettings(settings, spec, adder, where);
  auto named = [&](TokenId& id, const char* name) {
    if (id < 0) id = adder.Find(name);
  };
  named(spec.bos, kBeginOfText), named(spec.eos, "<|end_of_text|>"), named(spec.eos, "<|endoftext|>");
  named(spec.eot, "<|eot|>"), named(spec.eom, "<|eom|>");
  spec.add_bos = spec.bos >= 0 && spec.bos == adder.Find(kBeginOfText);
  ApplyFlags(config, spec);
  return spec;
}

TokenizerSpec TokenizerSpecFromTekken(std::string_view tekken_json, std::string_view where) {
  Json dom = ParseTokenizerFile(tekken_json, where);
  Node root(dom, std::string(where));
  Node config(root.Get("config"), root.name() + ": config");
  auto size = static_cast<size_t>(config.Id("default_vocab_size"));
  auto special_count = static_cast<size_t>(config.Id("default_num_special_tokens"));
  const Json& vocabulary = root.Array("vocab");
  if (special_count >= size || size - special_count > vocabulary.size())
    Fail(ErrorKind::kCorrupt, "{}: a vocabulary of {}, of which {} special, out of {} ranks", where, size,
         special_count, vocabulary.size());
  std::vector<std::string> ranked;
  for (size_t i = 0; i < size - special_count; ++i) {
    Node entry(vocabulary[i], root.name() + ": vocab[" + std::to_string(i) + "]");
    if (entry.Id("rank") != static_cast<TokenId>(i))
      Fail(ErrorKind::kCorrupt, "{}: expected rank {}, found {}", entry.name(), i, entry.Id("rank"));
    ranked.push_back(DecodeBase64(entry.String("token_bytes"), entry.name()));
  }
  TokenizerSpec spec;
  spec.tokens.resize(special_count);
  AddRanked(ranked, special_count, spec, where);
  // Files of the first version list no special tokens; these are Mistral's.
  std::vector<std::string> specials = {"<unk>",
                                       "<s>",
                                       "</s>",
                                       "[INST]",
                                       "[/INST]",
                                       "[AVAILABLE_TOOLS]",
                                       "[/AVAILABLE_TOOLS]",
                                       "[TOOL_RESULTS]",
                                       "[/TOOL_RESULTS]",
                                       "[TOOL_CALLS]",
                                       "[IMG]",
                                       "<pad>",
                                       "[IMG_BREAK]",
                                       "[IMG_END]",
                                       "[PREFIX]",
                                       "[MIDDLE]",
                                       "[SUFFIX]"};
  if (root.Find("special_tokens")) {
    const Json& list = root.Array("special_tokens");
    if (!list.empty()) specials.clear();
    for (size_t i = 0; i < list.size(); ++i) {
      Node entry(list[i], root.name() + ": special_tokens[" + std::to_string(i) + "]");
      if (entry.Id("rank") != static_cast<TokenId>(i))
        Fail(ErrorKind::kCorrupt, "{}: expected rank {}, found {}", entry.name(), i, entry.Id("rank"));
      specials.push_back(entry.String("token_str"));
    }
  }
  if (specials.size() > special_count)
    Fail(ErrorKind::kCorrupt, "{}: {} special tokens where {} are stated", where, specials.size(), special_count);
  for (size_t i = specials.size(); i < special_count; ++i) specials.push_back("<SPECIAL_" + std::to_string(i) + ">");
  for (size_t i = 0; i < special_count; ++i) AddSpecial(spec, static_cast<TokenId>(i), specials[i]);
  Complete(spec, "tekken", where);
  PreTokenizerStep& split = spec.pre_steps.front();
  split.pattern = config.String("pattern");
  auto id = [&](std::string_view name) {
    auto it = std::find(specials.begin(), specials.end(), name);
    return it == specials.end() ? TokenId{-1} : static_cast<TokenId>(it - specials.begin());
  };
  spec.unk = id("<unk>"), spec.bos = id("<s>"), spec.eos = id("</s>"), spec.pad = id("<pad>");
  spec.add_bos = spec.bos >= 0;
  return spec;
}

}  // namespace assay
