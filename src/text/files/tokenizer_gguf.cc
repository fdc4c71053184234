// What a GGUF file means by its tokenizer.ggml.* keys, and what llama.cpp derives beyond them from the tokens' names.

#include <algorithm>
#include <iterator>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/strings.h"
#include "text/files/gguf_pretokenizers.h"
#include "text/files/tokenizer_files.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::string_view kMark = "\xe2\x96\x81";  // ▁

NormalizerStep Replace(std::string_view pattern, std::string_view content, bool regex = false) {
  NormalizerStep step{NormalizerStep::Kind::kReplace};
  step.pattern = pattern;
  step.content = content;
  step.regex = regex;
  return step;
}

// GGUF marks where words begin instead of where they go on. BERT's rules, in lower case as llama.cpp has it.
void CompleteWordPiece(TokenizerSpec& spec) {
  auto is_word = [](const std::string& token) { return token.starts_with(kMark); };
  if (std::any_of(spec.tokens.begin(), spec.tokens.end(), is_word))
    for (size_t i = 0; i < spec.tokens.size(); ++i) {
      if (spec.types[i] != TokenType::kNormal) continue;
      std::string& token = spec.tokens[i];
      token = is_word(token) ? token.substr(kMark.size()) : "##" + token;
    }
  using Normal = NormalizerStep::Kind;
  spec.normalizer = {{Normal::kCleanText}, {Normal::kSpaceIdeographs}, {Normal::kBertAccents}, {Normal::kLowercase}};
  spec.pre_steps = {{PreTokenizerStep::Kind::kWhitespaceSplit}, {PreTokenizerStep::Kind::kPunctuation}};
  spec.merges.clear();
  spec.scores.clear();
}

constexpr std::string_view kEndOfTurn[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",         "<|endoftext|>",     "<|end_of_text|>",
    "<EOT>",      "_<EOT>",     "[EOT]",   "<｜end▁of▁sentence｜>", "<end_of_utterance>"};
constexpr std::string_view kEndOfMessage[] = {"<|eom_id|>"};
constexpr std::string_view kFimPad[] = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"};
constexpr std::string_view kFimRepository[] = {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"};
constexpr std::string_view kFimFile[] = {"<|file_sep|>"};
// The parts of a text with a hole end nothing, but are control tokens.
constexpr std::string_view kFimPrefix[] = {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>",    "<｜fim▁begin｜>",
                                           "<PRE>",          "▁<PRE>",       "<|code_prefix|>", "<|prefix|>"};
constexpr std::string_view kFimSuffix[] = {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",    "<｜fim▁hole｜>",
                                           "<SUF>",          "▁<SUF>",       "<|code_suffix|>", "<|suffix|>"};
constexpr std::string_view kFimMiddle[] = {"<|fim_middle|>", "<fim-middle>", "<fim_middle>",    "<｜fim▁end｜>",
                                           "<MID>",          "▁<MID>",       "<|code_middle|>", "<|middle|>"};
constexpr std::string_view kEnds[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<eos>",
    "<end_of_utterance>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
};
constexpr std::string_view kUserDefined[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};  // gpt-oss

// llama.cpp's llama_vocab::impl::load: what it takes from the tokens' names. Types are set accordingly, as it sets
// them.
void DeriveByName(TokenizerSpec& spec, const GgufExtras& extras) {
  std::unordered_map<std::string_view, TokenId> ids;
  ids.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i) ids[spec.tokens[i]] = static_cast<TokenId>(i);
  auto find = [&](std::string_view name) {
    auto it = ids.find(name);
    return it == ids.end() ? TokenId{-1} : it->second;
  };
  auto type = [&](TokenId id) -> TokenType& { return spec.types[static_cast<size_t>(id)]; };
  // The first of `names` unless the file states one.
  auto named = [&](TokenId stated, const auto& names) {
    for (std::string_view name : names)
      if (TokenId id = find(name); stated < 0 && id >= 0) type(stated = id) = TokenType::kControl;
    return stated;
  };
  spec.eot = named(spec.eot, kEndOfTurn);
  spec.eom = named(spec.eom, kEndOfMessage);
  for (const auto* names : {&kFimPrefix, &kFimSuffix, &kFimMiddle}) named(-1, *names);
  spec.ends.clear();
  auto end = [&](TokenId id) {
    if (id >= 0 && std::find(spec.ends.begin(), spec.ends.end(), id) == spec.ends.end()) spec.ends.push_back(id);
  };
  for (TokenId id : {spec.eos, spec.eot, spec.eom}) end(id);
  for (std::string_view name : kEnds) {
    TokenId id = find(name);
    if (id >= 0) type(id) = TokenType::kControl;
    end(id);
  }
  end(named(extras.fim_pad, kFimPad)), end(named(extras.fim_rep, kFimRepository));
  end(named(extras.fim_sep, kFimFile));
  for (std::string_view name : kUserDefined)
    if (TokenId id = find(name); id >= 0) type(id) = TokenType::kUserDefined;
  auto ends = [&](std::string_view name) {
    return std::find(spec.ends.begin(), spec.ends.end(), find(name)) != spec.ends.end() && find(name) >= 0;
  };
  auto not_an_end = [&](std::string_view name, TokenType becomes) {
    if (!ends(name)) return;
    std::erase(spec.ends, find(name));
    type(find(name)) = becomes;
  };
  // Where answers end in these, <|end|> only ends a part of one; and some have a plain token that is called </s>.
  const bool call = ends("<|call|>") || ends("<|calls|>");
  if (call && (ends("<|return|>") || ends("<|flush|>"))) not_an_end("<|end|>", TokenType::kUserDefined);
  if (ends("<|tool_response>") || ends("<|plamo:eos|>")) not_an_end("</s>", TokenType::kNormal);
}

void CheckTypes(TokenizerSpec& spec, std::string_view where) {
  if (spec.types.empty()) spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  if (spec.types.size() != spec.tokens.size())
    Fail(ErrorKind::kCorrupt, "{}: expected {} token types, found {}", where, spec.tokens.size(), spec.types.size());
}

// llama.cpp knows the model by its name, and looks these tokens up without asking whether they are there.
constexpr std::string_view kPhi3Plain[] = {"<unk>", "<s>", "<|endoftext|>"};
bool IsPhi3(const GgufExtras& extras) {
  const std::string model = ToLowerAscii(extras.name);
  return model.find("phi-3") != std::string::npos || model.find("phi3") != std::string::npos;
}

void RequireTokensOfName(const TokenizerSpec& spec, const GgufExtras& extras) {
  if (!IsPhi3(extras)) return;
  for (std::string_view token : kPhi3Plain)
    if (std::find(spec.tokens.begin(), spec.tokens.end(), token) == spec.tokens.end())
      Fail(ErrorKind::kUnsupported,
           "llama.cpp does not load a file whose name ({}) has phi3 in it and whose vocabulary has no {}: give the "
           "model's folder another name",
           extras.name, token);
}

// Attributes of added tokens, for which GGUF has no place: llama.cpp knows some models by name.
void DeriveAttributes(TokenizerSpec& spec, const GgufExtras& extras) {
  const std::string model = ToLowerAscii(extras.name);
  auto any = [](std::string_view text, std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](auto part) { return text.find(part) != std::string_view::npos; });
  };
  const bool mask = any(spec.pre, {"jina-v2-de", "jina-v2-es", "jina-v2-code"}) ||
                    any(extras.architecture, {"nomic-bert-moe", "jina-bert-v3"});
  const bool phi3 = !mask && IsPhi3(extras);
  const bool modern = !mask && !phi3 && any(model, {"modern-bert"});
  for (AddedToken& token : spec.added) {
    if (mask && token.content == "<mask>") token.lstrip = true;
    if (modern && token.content == "[MASK]") token.lstrip = true;
    if (phi3)
      token.rstrip = std::find(std::begin(kPhi3Plain), std::end(kPhi3Plain), token.content) == std::end(kPhi3Plain);
  }
}

}  // namespace

std::vector<NormalizerStep> SentencePieceNormalizer(const TokenizerSpec& spec) {
  std::vector<NormalizerStep> steps;
  if (!spec.precompiled_charsmap.empty()) {
    steps.push_back({NormalizerStep::Kind::kPrecompiled});
    steps.back().content = spec.precompiled_charsmap;
  }
  if (spec.remove_extra_whitespaces) {
    steps.push_back(Replace(" {2,}", " ", true));
    // Spaces at both ends; at the right also what looks like an escaped one. The look-behind keeps long runs linear.
    steps.push_back(Replace("\\A +|(?<![ ▁])[ ▁]++\\z", "", true));
  }
  if (spec.add_space_prefix) {
    steps.push_back({NormalizerStep::Kind::kPrepend});
    steps.back().content = kMark;
  }
  steps.push_back(Replace(" ", kMark));
  return steps;
}

TokenizerSpec GgufTokenizerDefaults(std::string_view ggml_model, std::string_view pre, std::string_view where) {
  TokenizerSpec spec;
  spec.pre = pre;
  if (ggml_model == "gpt2") {
    spec.model = TokenizerModel::kByteLevelBpe;
    if (pre.empty()) spec.pre = "default";
    if (auto rules = EngineRules(spec.pre)) spec.ignore_merges = rules->ignore_merges;
    constexpr std::string_view kWithBos[] = {"llama-bpe", "llama3", "llama-v3", "falcon3",      "falcon-h1", "pixtral",
                                             "midm-2.0",  "lfm2",   "tekken",   "jina-v5-nano", "chameleon"};
    spec.add_bos = std::find(std::begin(kWithBos), std::end(kWithBos), pre) != std::end(kWithBos);
  } else if (ggml_model == "bert") {
    spec.model = TokenizerModel::kWordPiece;
    spec.add_bos = spec.add_eos = true;  // [CLS] and [SEP]
    spec.unk = 100, spec.bos = 101, spec.eos = 102, spec.pad = 0;
  } else if (ggml_model == "gemma4") {
    spec.model = TokenizerModel::kSentencePieceBpe;
    spec.pre = "gemma4";
    spec.byte_fallback = true;
  } else if (ggml_model == "llama") {
    spec.model = TokenizerModel::kSentencePieceBpe;
    spec.add_bos = spec.add_space_prefix = spec.byte_fallback = true;
    spec.unk = 0, spec.bos = 1, spec.eos = 2;
  } else if (ggml_model == "t5") {
    spec.model = TokenizerModel::kUnigram;
    spec.add_eos = true;
    spec.eos = 1, spec.unk = 2, spec.pad = 0;
  } else {
    Fail(ErrorKind::kUnsupported, "{}: tokenizer.ggml.model \"{}\" (supported: gpt2, llama, t5, gemma4, bert)", where,
         ggml_model);
  }
  return spec;
}

// Rules and added tokens from what the lists state.
void CompleteSpec(TokenizerSpec& spec, std::string_view where) {
  CheckTypes(spec, where);
  if (HasMergesOfMarkedText(spec.pre)) spec.model = TokenizerModel::kSentencePieceBpe;
  if (spec.model == TokenizerModel::kByteLevelBpe) {
    if (spec.pre.empty()) spec.pre = "default";
    auto rules = EngineRules(spec.pre);
    if (!rules)
      Fail(ErrorKind::kUnsupported, "{}: pre-tokenizer \"{}\" (tokenizer.ggml.pre) is not known", where, spec.pre);
    spec.pre_steps = std::move(rules->steps);
    spec.normalizer = std::move(rules->normalizer);
    spec.ignore_merges = rules->ignore_merges;
    spec.drop_unknown = true;
    spec.scores.clear();
  } else if (spec.model == TokenizerModel::kWordPiece) {
    CompleteWordPiece(spec);
  } else {
    spec.normalizer = SentencePieceNormalizer(spec);
    spec.pre_steps.clear();
    if (HasMergesOfMarkedText(spec.pre)) {
      spec.scores.clear();
    } else {
      spec.merges.clear();
    }
    spec.byte_fallback = std::find(spec.types.begin(), spec.types.end(), TokenType::kByte) != spec.types.end();
  }
  spec.added.clear();
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    TokenType type = spec.types[i];
    if (type != TokenType::kControl && type != TokenType::kUserDefined && type != TokenType::kUnknown) continue;
    if (spec.tokens[i].empty()) continue;
    AddedToken added;
    added.content = spec.tokens[i];
    added.id = static_cast<TokenId>(i);
    added.special = type != TokenType::kUserDefined;
    spec.added.push_back(added);
  }
}

void CompleteGgufSpec(TokenizerSpec& spec, std::string_view where, const GgufExtras& extras) {
  CheckTypes(spec, where);
  DeriveByName(spec, extras);
  CompleteSpec(spec, where);
  DeriveAttributes(spec, extras);
}

void UseMakersRules(TokenizerSpec& spec) {
  if (spec.model != TokenizerModel::kByteLevelBpe) return;
  auto rules = MakersRules(spec.pre);
  if (!rules) return;
  spec.pre_steps = std::move(rules->steps);
  spec.normalizer = std::move(rules->normalizer);
}

std::string PreTokenizerName(const TokenizerSpec& spec) {
  if (spec.model == TokenizerModel::kWordPiece)
    Fail(ErrorKind::kUnsupported, "a WordPiece tokenizer is read, but not written to GGUF");
  if (spec.model != TokenizerModel::kByteLevelBpe) {
    // GGUF readers do what the flags say and nothing else. Prepend scheme "first" counts as the flag too, as every
    // converter has it: the two differ only right after a special token.
    auto inner_mark = [](const std::string& token) { return token.find(kMark, 1) != std::string::npos; };
    bool one_mark_in_front = std::none_of(spec.tokens.begin(), spec.tokens.end(), inner_mark);
    std::vector<NormalizerStep> steps = spec.normalizer;
    bool known = spec.pre_steps.empty();
    if (spec.pre_steps.size() == 1 && spec.pre_steps[0].kind == PreTokenizerStep::Kind::kMetaspace &&
        spec.pre_steps[0].pattern == kMark && (!spec.pre_steps[0].split || one_mark_in_front)) {
      known = true;
      if (spec.add_space_prefix) {
        steps.push_back({NormalizerStep::Kind::kPrepend});
        steps.back().content = kMark;
      }
      steps.push_back(Replace(" ", kMark));
    }
    if (known && steps == SentencePieceNormalizer(spec)) return "default";
    Fail(ErrorKind::kUnsupported, "GGUF cannot state this SentencePiece tokenizer's normalizer or pre-tokenizer");
  }
  if (std::string name = FindPreTokenizer(spec); !name.empty()) return name;
  std::string found;
  for (const PreTokenizerStep& step : spec.pre_steps)
    found += step.kind == PreTokenizerStep::Kind::kSplit ? " Split \"" + step.pattern + "\""
                                                         : " step " + std::to_string(int(step.kind));
  Fail(ErrorKind::kUnsupported, "no GGUF pre-tokenizer (tokenizer.ggml.pre) has this tokenizer's rules:{}", found);
}

namespace {

std::string Listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 4;
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) out += (i ? ", " : "") + names[i];
  return names.size() > kShown ? out + " and " + std::to_string(names.size() - kShown) + " more" : out;
}

/// The spec that a reader makes of a GGUF that states `spec`.
TokenizerSpec ReadBack(const TokenizerSpec& spec, const GgufExtras& extras) {
  TokenizerSpec back = spec;
  back.pre = PreTokenizerName(spec);
  if (back.model != TokenizerModel::kByteLevelBpe && back.scores.empty()) back.scores.assign(back.tokens.size(), 0.0f);
  CompleteGgufSpec(back, "GGUF", extras);
  return back;
}

}  // namespace

std::string GgufLosses(const TokenizerSpec& spec, const GgufExtras& extras, std::span<const TokenId> stops) {
  RequireTokensOfName(spec, extras);
  const TokenizerSpec back = ReadBack(spec, extras);
  std::vector<std::string> losses;
  auto has = [](const TokenizerSpec& s, auto kind) {
    return std::any_of(s.normalizer.begin(), s.normalizer.end(), [&](const auto& step) { return step.kind == kind; });
  };
  if (has(spec, NormalizerStep::Kind::kNfc) && !has(back, NormalizerStep::Kind::kNfc))
    losses.push_back("text is not normalized to NFC");
  if (spec.model == TokenizerModel::kByteLevelBpe && spec.pre_steps != back.pre_steps)
    if (auto makers = MakersRules(back.pre); makers && makers->steps != back.pre_steps)
      losses.push_back("words are split by other rules where \"" + back.pre + "\" is stated");
  const bool first = std::any_of(spec.pre_steps.begin(), spec.pre_steps.end(), [](const PreTokenizerStep& step) {
    return step.kind == PreTokenizerStep::Kind::kMetaspace && step.prepend == PrependScheme::kFirst;
  });
  if (first && spec.add_space_prefix)
    losses.push_back("a space is put in front of the text after each special token, not of the first alone");
  std::unordered_map<TokenId, const AddedToken*> kept;
  for (const AddedToken& token : back.added) kept[token.id] = &token;
  const std::pair<const char*, bool AddedToken::*> kAttributes[] = {{"lstrip", &AddedToken::lstrip},
                                                                    {"rstrip", &AddedToken::rstrip},
                                                                    {"single_word", &AddedToken::single_word},
                                                                    {"normalized", &AddedToken::normalized}};
  for (const auto& [name, flag] : kAttributes) {
    // Without a normalizer, a normalized token is only looked for after the others.
    if (flag == &AddedToken::normalized && spec.normalizer.empty()) continue;
    std::vector<std::string> tokens;
    for (const AddedToken& token : spec.added)
      if (auto it = kept.find(token.id); it != kept.end() && it->second->*flag != token.*flag)
        tokens.push_back(token.content);
    if (!tokens.empty()) losses.push_back(std::string("\"") + name + "\" of " + Listed(tokens));
  }
  std::vector<std::string> no_ends;
  for (TokenId id : stops)
    if (std::find(back.ends.begin(), back.ends.end(), id) == back.ends.end())
      no_ends.push_back(id >= 0 && id < static_cast<TokenId>(spec.tokens.size()) ? spec.tokens[static_cast<size_t>(id)]
                                                                                 : std::to_string(id));
  if (!no_ends.empty()) losses.push_back("answers that end in " + Listed(no_ends));
  std::string out;
  for (const std::string& loss : losses) out += (out.empty() ? "GGUF cannot say of the tokenizer: " : "; ") + loss;
  return out;
}

}  // namespace assay
