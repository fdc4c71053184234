#pragma once
// Tokenizers: text to token ids and back. Byte-level BPE (GPT-2 and its kin), SentencePiece BPE, SentencePiece unigram
// and WordPiece, built from plain data that a GGUF file, a Hugging Face tokenizer.json or a SentencePiece
// tokenizer.model states. Ids are those of Hugging Face `tokenizers`; for GGUF files without such a twin those of
// llama.cpp.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace assay {

using TokenId = int32_t;

enum class TokenizerModel { kByteLevelBpe, kSentencePieceBpe, kUnigram, kWordPiece };

/// The numbers are GGUF's `tokenizer.ggml.token_type` and SentencePiece's `Type`.
enum class TokenType : uint8_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

/// A token that is found in the text itself, before any splitting.
struct AddedToken {
  std::string content;  // as it stands in the text
  TokenId id = -1;
  bool special = false;      // control token: only counts with parse_special, and skip_special leaves it out
  bool lstrip = false;       // swallows white space on its left
  bool rstrip = false;       // and on its right
  bool single_word = false;  // only between characters that are not of a word
  bool normalized = false;   // looked for in the normalized text
  bool operator==(const AddedToken&) const = default;
};

/// One step of text normalization, in the words of tokenizer.json.
struct NormalizerStep {
  enum class Kind {
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kLowercase,
    kStripAccents,     // marks out (Mn, Mc, Me)
    kCleanText,        // BERT: control characters out, every white space a space
    kSpaceIdeographs,  // BERT: spaces around Chinese characters
    kPrepend,          // `content` before every non-empty piece of text
    kReplace,          // `pattern` (literal, or a regex) by `content`
    kStrip,            // white space at the ends, `left` / `right`
    kPrecompiled,      // SentencePiece's compiled character map, its bytes in `content`
    kBertAccents,      // BERT: NFD, nonspacing marks (Mn) out
  };
  Kind kind;
  std::string pattern = {}, content = {};
  bool regex = false, left = false, right = false;
  bool operator==(const NormalizerStep&) const = default;
};

enum class SplitBehavior : uint8_t { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
enum class PrependScheme : uint8_t { kNever, kFirst, kAlways };

/// One step of cutting the text into words, in the words of tokenizer.json.
struct PreTokenizerStep {
  enum class Kind {
    kSplit,            // at matches of `pattern` (regex, or literal), `behavior`, `invert`
    kDigits,           // numeric characters apart (Unicode Nd, Nl, No); one by one when `individual`
    kPunctuation,      // `behavior`
    kWhitespace,       // \w+|[^\w\s]+ of Rust's regular expressions, the rest removed
    kWhitespaceSplit,  // at white space, which is removed
    kByteLevel,        // GPT-2's regex first when `use_regex`; a space in front when `add_prefix_space`
    kMetaspace,        // space to `pattern` (▁), one in front by `prepend`, cut before each when `split`
  };
  Kind kind;
  std::string pattern = {};
  bool regex = false, invert = false, individual = false, use_regex = false, add_prefix_space = false, split = true;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  PrependScheme prepend = PrependScheme::kNever;
  bool operator==(const PreTokenizerStep&) const = default;
};

/// What a folder calls one of its special tokens: "eos_token", "sep_token", "image_token" …
struct NamedToken {
  std::string name, content;
  bool operator==(const NamedToken&) const = default;
};

/// Everything needed to build a tokenizer, from whichever file; plain data.
struct TokenizerSpec {
  TokenizerModel model = TokenizerModel::kByteLevelBpe;
  // [n] as the file has them (byte-level BPE: in GPT-2's byte alphabet; WordPiece: with ## where a word goes on)
  std::vector<std::string> tokens;
  std::vector<float> scores;     // [n] SentencePiece; empty otherwise
  std::vector<TokenType> types;  // [n]
  std::vector<std::string>
      merges;       // "a b" by rank; byte-level BPE, and SentencePiece BPE from tokenizer.json (then no scores)
  std::string pre;  // GGUF name of the pre-tokenizer, when known
  std::vector<NormalizerStep> normalizer;  // these three: stated by tokenizer.json, or filled in by CompleteGgufSpec
  std::vector<PreTokenizerStep> pre_steps;
  std::vector<AddedToken> added;
  bool add_bos = false, add_eos = false;  // what Encode(…, add_special) puts around
  std::vector<TokenId> after_bos;         // more that add_bos puts there, behind bos: GLM-4's [gMASK]<sop>
  bool add_space_prefix = false;          // GGUF `add_space_prefix`; Decode drops one leading space
  bool byte_fallback = false;             // characters outside the vocabulary become <0xNN> tokens
  bool ignore_merges = false;             // a word that is a token as a whole needs no merges
  bool fuse_unk = true;                   // a run of unknown characters is one unknown token
  bool drop_unknown = false;              // what the vocabulary cannot say is left out instead of becoming `unk`
  bool remove_extra_whitespaces = false;  // GGUF `remove_extra_whitespaces` (unigram)
  std::string precompiled_charsmap;       // GGUF `precompiled_charsmap` (unigram)
  TokenId bos = -1, eos = -1, unk = -1, pad = -1, eot = -1, eom = -1;
  TokenId model_tokens = -1;  // ids from here on are only found as added tokens, not by the model; -1: there are none
  std::vector<TokenId> ends;  // GGUF: what ends an answer, as llama.cpp derives it
  std::vector<NamedToken> named;     // what chat templates of a folder may call by name
  std::vector<std::string> remarks;  // what the files state and their reader, transformers, has otherwise
};

/// How many tokens the model itself may use.
inline size_t ModelTokens(const TokenizerSpec& spec) {
  return spec.model_tokens < 0 ? spec.tokens.size() : static_cast<size_t>(spec.model_tokens);
}

// All of them, for a model's fingerprint.
ASSAY_FIELDS(NamedToken, name, content)
ASSAY_FIELDS(AddedToken, content, id, special, lstrip, rstrip, single_word, normalized)
ASSAY_FIELDS(NormalizerStep, kind, pattern, content, regex, left, right)
ASSAY_FIELDS(PreTokenizerStep, kind, pattern, regex, invert, individual, use_regex, add_prefix_space, split, behavior,
             prepend)
ASSAY_FIELDS(TokenizerSpec, model, tokens, scores, types, merges, pre, normalizer, pre_steps, added, add_bos, add_eos,
             after_bos, add_space_prefix, byte_fallback, ignore_merges, fuse_unk, drop_unknown,
             remove_extra_whitespaces, precompiled_charsmap, bos, eos, unk, pad, eot, eom, model_tokens, ends, named,
             remarks)

/// Const after construction, shareable between threads.
class Tokenizer {
 public:
  /// Validates the spec and builds the tables. Throws Error{kCorrupt} when the spec contradicts itself,
  /// Error{kUnsupported} for what we lack; messages begin with `where`. A spec from GGUF goes through CompleteGgufSpec
  /// first.
  static std::shared_ptr<const Tokenizer> Create(TokenizerSpec spec, std::string_view where);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// With `parse_special`, special tokens in the text count as such; else they are plain text (user-defined tokens
  /// count always). `add_special` puts BOS/EOS around as the spec says. Bytes that are not UTF-8 become byte tokens
  /// where the vocabulary has them. Throws Error{kResource} when a split pattern runs into its match limit.
  std::vector<TokenId> Encode(std::string_view text, bool parse_special, bool add_special = false) const;

  /// What add_special puts before a text: mostly BOS or nothing.
  std::vector<TokenId> Beginning() const;

  /// For people, where `ids`, which Encode made with add_special, have those tokens twice because the text has them
  /// too; empty: they have not.
  std::string DoubledSpecial(std::span<const TokenId> ids) const;

  /// Bytes; may begin or end with incomplete UTF-8. Ids outside the vocabulary yield nothing.
  std::string Decode(std::span<const TokenId> ids, bool skip_special = false) const;

  /// The bytes that one token contributes in the middle of a text (special tokens: their name).
  std::string TokenBytes(TokenId id) const;

  bool IsSpecial(TokenId id) const;  // control or unknown
  int vocab_size() const;
  const TokenizerSpec& spec() const;
  /// The token with exactly this vocabulary string (or added content).
  std::optional<TokenId> Find(std::string_view token) const;

 private:
  Tokenizer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Holds back incomplete UTF-8 at the end of a stream of decoded bytes. Bytes that can never become UTF-8 come out as
/// U+FFFD.
class Utf8Stream {
 public:
  std::string Push(std::string_view bytes);
  /// What is left over, as U+FFFD.
  std::string Flush();

 private:
  std::string held_;
};

/// What stands beside a Hugging Face tokenizer's own file: the texts of tokenizer_config.json, added_tokens.json and
/// special_tokens_map.json, empty where there is none.
struct TokenizerSettings {
  std::string_view config = {}, added = {}, special_map = {};
};

/// Reads a Hugging Face tokenizer.json and what its folder adds to it. Throws Error{kCorrupt|kUnsupported}.
TokenizerSpec TokenizerSpecFromJson(std::string_view tokenizer_json, const TokenizerSettings& settings,
                                    std::string_view where);

/// Reads a SentencePiece tokenizer.model (protobuf ModelProto; BPE and unigram) alone, as SentencePiece does.
TokenizerSpec TokenizerSpecFromSentencePiece(std::span<const std::byte> model_proto, std::string_view where);
/// The same as transformers does, with what its folder adds to it.
TokenizerSpec TokenizerSpecFromSentencePiece(std::span<const std::byte> model_proto, const TokenizerSettings& settings,
                                             std::string_view where);

/// Reads a tiktoken file (a token in base64 and its rank per line: `tokenizer.model` of Llama 3 and 4 and Kimi K2,
/// `qwen.tiktoken`, …). Its splitting expression and special tokens stand in the tokenizer's code, not in the file:
/// they are known by tokenizer_config.json's `tokenizer_class` or by the number of ranks; Error{kUnsupported} for
/// others.
TokenizerSpec TokenizerSpecFromTiktoken(std::string_view file, const TokenizerSettings& settings,
                                        std::string_view where);

/// Reads Mistral's tekken.json.
TokenizerSpec TokenizerSpecFromTekken(std::string_view tekken_json, std::string_view where);

/// A spec with the defaults that a GGUF file's `tokenizer.ggml.model` ("gpt2", "llama", "t5") and `.pre` imply; whoever
/// reads the metadata then sets tokens, ids and the flags that the file states. Error{kUnsupported} for other models.
TokenizerSpec GgufTokenizerDefaults(std::string_view ggml_model, std::string_view pre, std::string_view where);

/// What a GGUF file states elsewhere and llama.cpp's tokenizer reads: general.name, general.architecture and the
/// `tokenizer.ggml.fim_…_token_id`.
struct GgufExtras {
  std::string_view name = {}, architecture = {};
  TokenId fim_pad = -1, fim_rep = -1, fim_sep = -1;
};

/// Fills normalizer, pre_steps, added, the end-of-turn ids and `ends` of a spec that holds only what GGUF metadata
/// states (model, tokens, scores, types, merges, pre, ids, flags), as llama.cpp does. An unknown `pre` is
/// Error{kUnsupported}.
void CompleteGgufSpec(TokenizerSpec& spec, std::string_view where, const GgufExtras& extras = {});

/// Gives a spec from GGUF the normalizer and pre-tokenizer that the model's own tokenizer states, where `pre` names it
/// and llama.cpp's differ.
void UseMakersRules(TokenizerSpec& spec);

/// What a GGUF file cannot say of `spec`, for people; empty: nothing is lost. `stops` end an answer. Throws
/// Error{kUnsupported} where llama.cpp would not load the file.
std::string GgufLosses(const TokenizerSpec& spec, const GgufExtras& extras, std::span<const TokenId> stops);

/// `spec` is one that Create accepts. A tokenizer.json that gives the same ids in Hugging Face `tokenizers`.
std::string TokenizerJsonFromSpec(const TokenizerSpec& spec);

/// The GGUF `tokenizer.ggml.pre` whose rules are exactly the spec's ("default" for SentencePiece). Throws
/// Error{kUnsupported} when none is.
std::string PreTokenizerName(const TokenizerSpec& spec);

}  // namespace assay
