// What a GGUF file means by `tokenizer.ggml.model` and `.pre`: it names the pre-tokenizer, whose rules live here.

#include <algorithm>
#include <iterator>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace assay {
namespace {

#define ASSAY_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define ASSAY_SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define ASSAY_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define ASSAY_LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define ASSAY_NO_WORD "[^\\r\\n\\p{L}\\p{N}]?"

constexpr std::string_view kLlama3 =
    ASSAY_CONTRACTIONS "|" ASSAY_NO_WORD "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" ASSAY_SPACES;
constexpr std::string_view kQwen2 =
    ASSAY_CONTRACTIONS "|" ASSAY_NO_WORD "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" ASSAY_SPACES;
constexpr std::string_view kQwen35 =
    ASSAY_CONTRACTIONS "|" ASSAY_NO_WORD "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" ASSAY_SPACES;
constexpr std::string_view kGpt4o =
    ASSAY_NO_WORD ASSAY_UPPER "*" ASSAY_LOWER "+" ASSAY_CONTRACTIONS "?|" ASSAY_NO_WORD ASSAY_UPPER "+" ASSAY_LOWER
                              "*" ASSAY_CONTRACTIONS "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" ASSAY_SPACES;
// The models' own tokenizer.json has these; llama.cpp's names for them are in the table.
constexpr std::string_view kGroupsOfThree = "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))";  // counted from the right
constexpr std::string_view kJais2 = ASSAY_CONTRACTIONS
    "|" ASSAY_NO_WORD
    "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|"
    "\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}"
    "(?!\\S)|\\s{1}";
#define ASSAY_NOT_HAN(set) "[" set "&&[^\\p{Han}]]"
constexpr std::string_view kKimiK2 =
    "[\\p{Han}]+|" ASSAY_NO_WORD ASSAY_NOT_HAN("\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}") "*" ASSAY_NOT_HAN(
        "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}") "+" ASSAY_CONTRACTIONS "?|" ASSAY_NO_WORD
        ASSAY_NOT_HAN("\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}") "+" ASSAY_NOT_HAN(
            "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}") "*" ASSAY_CONTRACTIONS
                                           "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" ASSAY_SPACES;
#undef ASSAY_NOT_HAN
constexpr std::string_view kYoutuScripts =
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+";
constexpr std::string_view kYoutu =
    ASSAY_NO_WORD ASSAY_UPPER "*" ASSAY_LOWER "+" ASSAY_CONTRACTIONS "?|" ASSAY_NO_WORD ASSAY_UPPER "+" ASSAY_LOWER
                              "*" ASSAY_CONTRACTIONS "?|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" ASSAY_SPACES;
constexpr std::string_view kExaoneMoe = ASSAY_CONTRACTIONS
    "|" ASSAY_NO_WORD
    "(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!"
    "\\S)|\\s+";
constexpr std::string_view kUfakzeka = ASSAY_NO_WORD "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" ASSAY_SPACES;
constexpr std::string_view kAfmoeScripts =
    "[一-鿿㐀-䶿豈-﫿\u3040-ゟ゠-ヿ･-ﾟ⼀-⿟\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-"
    "\uaa7f\ua9e0-"
    "\ua9ff가-\ud7af"
    "\u1100-\u11ff]+";
constexpr std::string_view kChameleonImages = "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z";
constexpr std::string_view kTekken =
    ASSAY_NO_WORD ASSAY_UPPER "*" ASSAY_LOWER "+|" ASSAY_NO_WORD ASSAY_UPPER "+" ASSAY_LOWER
                              "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" ASSAY_SPACES;
constexpr std::string_view kBailing =
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
constexpr std::string_view kSeedCoder =
    ASSAY_CONTRACTIONS "|" ASSAY_NO_WORD "\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" ASSAY_SPACES;
constexpr std::string_view kMinicpm5 =
    ASSAY_CONTRACTIONS "|" ASSAY_NO_WORD "\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" ASSAY_SPACES;
constexpr std::string_view kDeepseek3 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
    "?[\\p{P}\\p{S}]+[\\r\\n]*|" ASSAY_SPACES;
constexpr std::string_view kCjkAndKana = "[一-龥\u3040-ゟ゠-ヿ]+";
constexpr std::string_view kCjkAndHangul = "[一-龥ࠀ-一가-\ud7ff]+";
constexpr std::string_view kSpark =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
    "?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+";
constexpr std::string_view kBloom = " ?[^(\\s|.,!?…。，、।۔،)]+";
// clang-format never settles on where to cut the set.
// clang-format off
// The letters of the scripts with case, as DeepSeek's first tokenizers list them.
constexpr std::string_view kCasedWord =
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-"
    "ᶚḀ-"
    "ἕἘ-"
    "Ἕἠ"
    "-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-"
    "ꚛꜢ-"
    "ꝯ"
    "ꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]"
    "+";
// clang-format on
constexpr std::string_view kDeepseekPunctuation = "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+";

#undef ASSAY_CONTRACTIONS
#undef ASSAY_SPACES
#undef ASSAY_UPPER
#undef ASSAY_LOWER
#undef ASSAY_NO_WORD

enum class Rule : uint8_t { kNone, kRegex, kDigits, kDigitRuns, kPunctuationRuns, kGpt2, kByteAlphabet };
struct Cut {
  Rule rule = Rule::kNone;
  std::string_view regex = {};
};
constexpr Cut kDigits{Rule::kDigits, {}}, kGpt2{Rule::kGpt2, {}};
constexpr Cut Re(std::string_view regex) {
  return {Rule::kRegex, regex};
}

struct PreTokenizerRow {
  std::string_view name;
  bool ignore_merges, nfc;
  Cut cuts[7];
};

// Rules as the models' own tokenizer.json states them where it does. Of rows with the same rules the first gives its
// name to a new file.
constexpr PreTokenizerRow kPreTokenizers[] = {
    {"gpt-2", false, false, {kGpt2}},
    // A GGUF that says smollm is read as transformers reads it: decimal digits apart, other numerals (Ⅷ ① ½) with the
    // word. The second row names a tokenizer.json whose Digits step takes all numerals apart, as the model's own does
    // and llama.cpp too.
    {"smollm", false, false, {Re("\\p{Nd}"), kGpt2}},
    {"smollm", false, false, {kDigits, kGpt2}},
    {"llama-bpe", true, false, {Re(kLlama3)}},
    {"qwen2", false, true, {Re(kQwen2)}},
    {"deepseek-v3", false, false, {Re("\\p{N}{1,3}"), Re(kCjkAndKana), Re(kDeepseek3)}},
    {"deepseek-llm",
     false,
     false,
     {Re("[\\r\\n]"), Re(kCasedWord), Re(kDeepseekPunctuation), Re("\\s+$"), Re(kCjkAndHangul), kDigits}},
    {"deepseek-coder",
     false,
     false,
     {Re("[\\r\\n]"), Re("\\s?\\p{L}+"), Re("\\s?\\p{P}+"), Re(kCjkAndHangul), kDigits}},
    {"falcon",
     false,
     false,
     {{Rule::kPunctuationRuns, {}}, {Rule::kByteAlphabet, {}}, {Rule::kDigitRuns, {}}, Re("[0-9][0-9][0-9]")}},
    {"tekken", true, false, {Re(kTekken)}},
    {"gpt-4o", false, false, {Re(kGpt4o)}},
    {"default", false, false, {Re("[\\p{P}\\$\\+<=>\\^~\\|]+"), kGpt2, Re("\\p{N}+"), Re("[0-9][0-9][0-9]")}},
    {"llama3", true, false, {Re(kLlama3)}},
    {"llama-v3", true, false, {Re(kLlama3)}},
    {"falcon3", true, false, {Re(kLlama3)}},
    {"falcon-h1", true, false, {Re(kLlama3)}},
    {"pixtral", true, false, {Re(kLlama3)}},
    {"lfm2", true, false, {Re(kLlama3)}},
    {"midm-2.0", true, false, {Re(kLlama3)}},
    {"glm4", true, false, {Re(kLlama3)}},
    {"glm5", true, false, {Re(kLlama3)}},
    {"dbrx", false, false, {Re(kLlama3)}},
    {"smaug-bpe", false, false, {Re(kLlama3)}},
    {"chatglm-bpe", false, false, {Re(kLlama3)}},
    {"stablelm2", false, false, {Re(kQwen2)}},
    {"deepseek-r1-qwen", false, true, {Re(kQwen2)}},
    {"megrez", false, true, {Re(kQwen2)}},
    {"hunyuan", false, false, {Re(kQwen2)}},
    {"solar-open", false, false, {Re(kQwen2)}},
    {"grok-2", false, false, {Re(kQwen2)}},
    {"qwen35", false, true, {Re(kQwen35)}},
    {"llama4", false, false, {Re(kGpt4o)}},
    {"minimax-m2", false, false, {Re(kGpt4o)}},
    {"bailingmoe", false, false, {Re(kBailing)}},
    {"bailingmoe2", false, false, {Re(kBailing)}},
    {"llada-moe", false, false, {Re(kBailing)}},
    {"seed-coder", false, false, {Re(kSeedCoder)}},
    {"minicpm5", true, false, {Re("\\p{N}{1,3}"), Re(kMinicpm5)}},
    {"hunyuan-dense", false, false, {Re("\\p{N}{1,3}"), Re(kCjkAndKana), Re(kDeepseek3)}},
    {"joyai-llm", false, false, {Re("\\p{N}{1,3}"), Re(kCjkAndKana), Re(kDeepseek3)}},
    {"starcoder", false, false, {kDigits, kGpt2}},
    {"refact", false, false, {kDigits, kGpt2}},
    {"command-r", false, true, {kDigits, kGpt2}},
    {"codeshell", false, false, {kDigits, kGpt2}},
    {"exaone", false, false, {kDigits, kGpt2}},
    {"minerva-7b", false, false, {kDigits, kGpt2}},
    {"mellum2", false, false, {kDigits, kGpt2}},
    {"mpt", false, true, {kGpt2}},
    {"olmo", false, true, {kGpt2}},
    {"jais", false, false, {kGpt2}},
    {"phi-2", false, false, {kGpt2}},
    {"gigachat", false, false, {kGpt2}},
    {"exaone4", false, false, {kGpt2}},
    {"trillion", false, false, {kGpt2}},
    {"granite-docling", false, false, {kGpt2}},
    {"a.x-4.0", false, false, {kGpt2}},
    {"mellum", false, false, {kGpt2}},
    {"modern-bert", false, false, {kGpt2}},
    {"jina-es", false, false, {kGpt2}},
    {"jina-de", false, false, {kGpt2}},
    {"jina-v2-es", false, false, {kGpt2}},
    {"jina-v2-de", false, false, {kGpt2}},
    {"jina-v1-en", false, false, {kGpt2}},
    {"jina-v2-code", false, false, {kGpt2}},
    {"roberta-bpe", false, false, {kGpt2}},
    {"jina-v5-nano", true, false, {Re(kLlama3)}},
    {"jais-2", false, false, {Re(kJais2)}},
    {"kormo", false, true, {Re(kQwen2)}},
    {"f2llmv2", false, true, {Re(kQwen2)}},
    {"laguna", false, false, {Re("[^\\n]+|[\\n]+"), Re(kQwen2)}},
    {"ufakzeka", false, false, {Re(kUfakzeka)}},
    {"exaone-moe", false, false, {Re(kExaoneMoe)}},
    {"kimi-k2", true, false, {Re(kKimiK2)}},
    {"youtu", true, false, {Re(kYoutuScripts), Re(kYoutu)}},
    {"kanana2", false, false, {Re(kGpt4o)}},
    {"talkie", false, false, {Re(kGpt4o)}},
    {"granite-embed-multi-97m", true, false, {Re(kGpt4o)}},
    {"tiny_aya", false, false, {Re("\\d{1,3}(?=(?:\\d{3})*\\b)"), Re(kGpt4o)}},
    {"cohere2moe", false, false, {Re("\\d{1,3}(?=(?:\\d{3})*\\b)"), Re(kGpt4o)}},
    {"superbpe", false, false, {Re("\\p{N}+"), Re(kGroupsOfThree)}},
    {"afmoe", false, false, {Re(kGroupsOfThree), Re(kAfmoeScripts), Re(kDeepseek3)}},
    {"hy_v4", false, false, {Re("\\p{N}{1,3}"), Re(kCjkAndKana), Re(kDeepseek3)}},
    {"spark2_5", false, false, {Re("\\p{N}{1,3}"), Re(kCjkAndKana), Re(kSpark), kDigits}},
    {"chameleon",
     false,
     false,
     {Re("<sentinel:[0-9]+>"), Re(kChameleonImages), Re("([\\t\\n]|    |  )"), kDigits, Re("[\\p{P}!-/:-@\\[-`{-~]"),
      kGpt2}},
    {"poro-chat", false, false, {Re(kBloom)}},
    {"bloom", false, false, {Re(kBloom)}},
    {"gpt3-finnish", false, false, {Re(kBloom)}},
    {"viking", false, false, {Re(kBloom), kDigits}},
};

PreTokenizerStep SplitStep(std::string_view regex) {
  PreTokenizerStep step{PreTokenizerStep::Kind::kSplit};
  step.pattern = regex;
  step.regex = true;
  return step;
}

PreTokenizerStep ByteLevelStep(bool use_regex) {
  PreTokenizerStep step{PreTokenizerStep::Kind::kByteLevel};
  step.use_regex = use_regex;
  return step;
}

std::vector<PreTokenizerStep> StepsOf(const PreTokenizerRow& row) {
  std::vector<PreTokenizerStep> steps;
  bool byte_level = false;
  for (size_t i = 0; i < std::size(row.cuts); ++i) {
    const Cut& cut = row.cuts[i];
    bool last = i + 1 == std::size(row.cuts) || row.cuts[i + 1].rule == Rule::kNone;
    switch (cut.rule) {
      case Rule::kNone:
        break;
      case Rule::kRegex:
        steps.push_back(SplitStep(cut.regex));
        break;
      case Rule::kDigits:
      case Rule::kDigitRuns:
        steps.push_back({PreTokenizerStep::Kind::kDigits});
        steps.back().individual = cut.rule == Rule::kDigits;
        break;
      case Rule::kPunctuationRuns:
        steps.push_back({PreTokenizerStep::Kind::kPunctuation});
        steps.back().behavior = SplitBehavior::kContiguous;
        break;
      case Rule::kGpt2:
        // ByteLevel goes last; in the middle its expression alone does the same.
        steps.push_back(last ? ByteLevelStep(true) : SplitStep(kGpt2Regex));
        byte_level = byte_level || last;
        break;
      case Rule::kByteAlphabet:  // Falcon cuts digits in the byte alphabet
        steps.push_back(ByteLevelStep(true));
        byte_level = true;
        break;
    }
  }
  if (!byte_level) steps.push_back(ByteLevelStep(false));
  return steps;
}

// One way of writing what can be written in several.
std::vector<PreTokenizerStep> Canonical(const std::vector<PreTokenizerStep>& steps) {
  std::vector<PreTokenizerStep> out;
  for (size_t i = 0; i < steps.size(); ++i) {
    PreTokenizerStep step = steps[i];
    if (step.kind == PreTokenizerStep::Kind::kByteLevel && step.use_regex) {
      if (i + 1 == steps.size() && !step.add_prefix_space) {
        out.push_back(SplitStep(kGpt2Regex));
        step.use_regex = false;
      }
    } else if (step.kind == PreTokenizerStep::Kind::kDigits && step.individual) {
      step = SplitStep("\\p{N}");
    } else if (step.kind == PreTokenizerStep::Kind::kSplit && step.regex) {
      std::string pattern;
      for (char c : step.pattern) {
        if (c == '\r') {
          pattern += "\\r";
        } else if (c == '\n') {
          pattern += "\\n";
        } else {
          pattern += c;
        }
      }
      step.pattern = pattern;
    }
    out.push_back(std::move(step));
  }
  return out;
}

std::vector<NormalizerStep> NormalizerOf(const PreTokenizerRow& row) {
  if (!row.nfc) return {};
  return {{NormalizerStep::Kind::kNfc}};
}

constexpr std::string_view kMark = "\xe2\x96\x81";  // ▁

NormalizerStep Replace(std::string_view pattern, std::string_view content, bool regex = false) {
  NormalizerStep step{NormalizerStep::Kind::kReplace};
  step.pattern = pattern;
  step.content = content;
  step.regex = regex;
  return step;
}

// BPE by merges on text whose spaces are marks, in place of the byte alphabet.
bool HasMergesOfMarkedText(std::string_view pre) {
  return pre == "gemma4" || pre == "sarvam-moe" || pre == "granite-embed-multi-311m";
}

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
  spec.normalizer = {
      {Normal::kCleanText}, {Normal::kSpaceIdeographs}, {Normal::kNfd}, {Normal::kStripAccents}, {Normal::kLowercase}};
  spec.pre_steps = {{PreTokenizerStep::Kind::kWhitespaceSplit}, {PreTokenizerStep::Kind::kPunctuation}};
  spec.merges.clear();
  spec.scores.clear();
}

}  // namespace

TokenizerSpec GgufTokenizerDefaults(std::string_view ggml_model, std::string_view pre, std::string_view where) {
  TokenizerSpec spec;
  spec.pre = pre;
  if (ggml_model == "gpt2") {
    spec.model = TokenizerModel::kByteLevelBpe;
    if (pre.empty()) spec.pre = "default";
    for (const PreTokenizerRow& row : kPreTokenizers)
      if (row.name == spec.pre) spec.ignore_merges = row.ignore_merges;
    constexpr std::string_view kWithBos[] = {"llama-bpe", "llama3",   "llama-v3", "falcon3", "falcon-h1",
                                             "pixtral",   "midm-2.0", "lfm2",     "tekken"};
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

void CompleteGgufSpec(TokenizerSpec& spec, std::string_view where) {
  if (spec.types.empty()) spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  if (spec.types.size() != spec.tokens.size())
    Fail(ErrorKind::kCorrupt, "{}: expected {} token types, found {}", where, spec.tokens.size(), spec.types.size());
  if (HasMergesOfMarkedText(spec.pre)) spec.model = TokenizerModel::kSentencePieceBpe;
  if (spec.model == TokenizerModel::kByteLevelBpe) {
    auto row = std::find_if(std::begin(kPreTokenizers), std::end(kPreTokenizers),
                            [&](const auto& r) { return r.name == spec.pre; });
    if (row == std::end(kPreTokenizers)) {
      if (!spec.pre.empty())
        Fail(ErrorKind::kUnsupported, "{}: pre-tokenizer \"{}\" (tokenizer.ggml.pre) is not known", where, spec.pre);
      spec.pre = "default";
      row = std::find_if(std::begin(kPreTokenizers), std::end(kPreTokenizers),
                         [&](const auto& r) { return r.name == spec.pre; });
    }
    spec.pre_steps = StepsOf(*row);
    spec.normalizer = NormalizerOf(*row);
    spec.ignore_merges = row->ignore_merges;
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
  std::unordered_map<std::string_view, TokenId> by_name;
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    TokenType type = spec.types[i];
    if (type != TokenType::kControl && type != TokenType::kUserDefined && type != TokenType::kUnknown) continue;
    if (spec.tokens[i].empty()) continue;
    AddedToken added;
    added.content = spec.tokens[i];
    added.id = static_cast<TokenId>(i);
    added.special = type != TokenType::kUserDefined;
    spec.added.push_back(added);
    by_name.emplace(spec.tokens[i], added.id);
  }
  auto named = [&](TokenId& id, std::initializer_list<std::string_view> names) {
    for (std::string_view name : names)
      if (auto it = by_name.find(name); id < 0 && it != by_name.end()) id = it->second;
  };
  named(spec.eot, {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>",
                   "_<EOT>", "<｜end▁of▁sentence｜>", "<end_of_utterance>"});
  named(spec.eom, {"<|eom_id|>"});
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
  std::vector<PreTokenizerStep> steps = Canonical(spec.pre_steps);
  auto fits = [&](const PreTokenizerRow& row) {
    return row.ignore_merges == spec.ignore_merges && NormalizerOf(row) == spec.normalizer &&
           Canonical(StepsOf(row)) == steps;
  };
  for (const PreTokenizerRow& row : kPreTokenizers)
    if (row.name == spec.pre && fits(row)) return spec.pre;
  for (const PreTokenizerRow& row : kPreTokenizers)
    if (fits(row)) return std::string(row.name);
  std::string found;
  for (const PreTokenizerStep& step : spec.pre_steps)
    found += step.kind == PreTokenizerStep::Kind::kSplit ? " Split \"" + step.pattern + "\""
                                                         : " step " + std::to_string(int(step.kind));
  Fail(ErrorKind::kUnsupported, "no GGUF pre-tokenizer (tokenizer.ggml.pre) has this tokenizer's rules:{}", found);
}

}  // namespace assay
