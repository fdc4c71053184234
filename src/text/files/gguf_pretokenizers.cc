// The table of the pre-tokenizers that `tokenizer.ggml.pre` names.

#include "text/files/gguf_pretokenizers.h"

#include <algorithm>
#include <iterator>

#include "text/pretokenizer.h"

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
// llama.cpp's regular expressions know letters, not their case, which is ASCII's.
#define ASSAY_ENGINE_CASED(not_lower, not_upper, after, digits)                                                        \
  ASSAY_NO_WORD not_lower "*" not_upper "+" after "|" ASSAY_NO_WORD not_lower "+" not_upper "*" after "|\\p{N}" digits \
                          "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" ASSAY_SPACES
constexpr std::string_view kEngineTekken = ASSAY_ENGINE_CASED("(?:(?![a-z])\\p{L})", "(?:(?![A-Z])\\p{L})", "", "");
constexpr std::string_view kEngineGpt4o =
    ASSAY_ENGINE_CASED("(?:(?![a-z])\\p{L})", "(?:(?![A-Z])\\p{L})", ASSAY_CONTRACTIONS "?", "{1,3}");
constexpr std::string_view kEngineGranite =
    ASSAY_ENGINE_CASED("(?:(?![a-z])[\\p{L}\\p{M}])", "(?:(?![A-Z])[\\p{L}\\p{M}])", ASSAY_CONTRACTIONS "?", "{1,3}");
constexpr std::string_view kEngineAya =
    ASSAY_ENGINE_CASED("[\\p{L}\\p{M}]", "[\\p{L}\\p{M}]", ASSAY_CONTRACTIONS "?", "{1,3}");
constexpr std::string_view kEngineYoutu =
    ASSAY_ENGINE_CASED("[\\p{L}\\p{M}]", "[\\p{L}\\p{M}]", ASSAY_CONTRACTIONS "?", "");
#undef ASSAY_ENGINE_CASED
// A digit group keeps what stands in front of it.
constexpr std::string_view kEngineGroupsOfThree = "\\P{N}*\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))|\\P{N}+";
#define ASSAY_ENGINE_HAN                                                                                               \
  "\\x{4e00}-\\x{9fff}\\x{3400}-\\x{4dbf}\\x{20000}-\\x{2a6df}\\x{2a700}-\\x{2ebef}\\x{f900}-\\x{faff}\\x{2f800}-\\x{" \
  "2fa1f}"
constexpr std::string_view kEngineKimiK2 =
    "[" ASSAY_ENGINE_HAN "]+|" ASSAY_NO_WORD "(?:(?![" ASSAY_ENGINE_HAN "])\\p{L})+" ASSAY_CONTRACTIONS
    "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" ASSAY_SPACES;
#undef ASSAY_ENGINE_HAN
// White space beyond ASCII is in no other set.
constexpr std::string_view kEngineCjkAndHangul = "(?:(?!\\s)[一-龥ࠀ-一가-\ud7ff])+";
constexpr std::string_view kEnginePunctuation = "\\s?[!-/:-~！-／：-～‘-‟\u3001-。]+";
constexpr std::string_view kEngineSuperBpe = "[\\s\\S]+?(?=(?:[0-9]{3})+(?![0-9]))|[\\s\\S]+";
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

constexpr size_t kMaxCuts = 7;

struct PreTokenizerRow {
  std::string_view name;
  bool ignore_merges, nfc;
  Cut cuts[kMaxCuts];
};

// Rules as the models' own tokenizer.json states them where it does. Of rows with the same rules the first gives its
// name to a new file.
constexpr PreTokenizerRow kPreTokenizers[] = {
    {"gpt-2", false, false, {kGpt2}},
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

// llama.cpp's rules where they are others than the maker's (llama-vocab.cpp, unicode.cpp).
struct EngineRow {
  std::string_view name;
  Cut cuts[kMaxCuts];
};
constexpr EngineRow kEngine[] = {
    // As transformers reads a GGUF, which published reference ids follow: decimal digits apart, other numerals (Ⅷ ① ½)
    // with the word. llama.cpp takes all apart, as the makers do.
    {"smollm", {Re("\\p{Nd}"), kGpt2}},
    {"tekken", {Re(kEngineTekken)}},
    {"gpt-4o", {Re(kEngineGpt4o)}},
    {"llama4", {Re(kEngineGpt4o)}},
    {"kanana2", {Re(kEngineGpt4o)}},
    {"talkie", {Re(kEngineGpt4o)}},
    {"minimax-m2", {Re(kEngineGpt4o)}},
    {"granite-embed-multi-97m", {Re(kEngineGranite)}},
    {"tiny_aya", {Re(kEngineGroupsOfThree), Re(kEngineAya)}},
    {"cohere2moe", {Re(kEngineGroupsOfThree), Re(kEngineAya)}},
    {"youtu", {Re(kYoutuScripts), Re(kEngineYoutu)}},
    {"deepseek-llm",
     {Re("[\\r\\n]"), Re(kCasedWord), Re(kEnginePunctuation), Re("\\s+$"), Re(kEngineCjkAndHangul), Re("\\p{N}+")}},
    {"deepseek-coder", {Re("[\\r\\n]"), Re("\\s?\\p{L}+"), Re("\\s?\\p{P}+"), Re(kEngineCjkAndHangul), Re("\\p{N}")}},
    {"kimi-k2", {Re(kEngineKimiK2)}},
    {"afmoe", {Re(kEngineGroupsOfThree), Re(kAfmoeScripts), Re(kDeepseek3)}},
    {"falcon", {Re("[\\p{P}\\$\\+<=>\\^~\\|`]+"), kGpt2, Re("[0-9][0-9][0-9]")}},
    {"superbpe", {Re("\\p{N}+"), Re(kEngineSuperBpe)}},
};

const PreTokenizerRow* FindRow(std::string_view name) {
  auto row =
      std::find_if(std::begin(kPreTokenizers), std::end(kPreTokenizers), [&](const auto& r) { return r.name == name; });
  return row == std::end(kPreTokenizers) ? nullptr : row;
}

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

std::vector<PreTokenizerStep> StepsOf(const Cut (&cuts)[kMaxCuts]) {
  std::vector<PreTokenizerStep> steps;
  bool byte_level = false;
  for (size_t i = 0; i < kMaxCuts; ++i) {
    const Cut& cut = cuts[i];
    bool last = i + 1 == kMaxCuts || cuts[i + 1].rule == Rule::kNone;
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

PreTokenizerRules RulesOf(const PreTokenizerRow& row) {
  PreTokenizerRules rules{row.ignore_merges, {}, StepsOf(row.cuts)};
  if (row.nfc) rules.normalizer = {{NormalizerStep::Kind::kNfc}};
  return rules;
}

}  // namespace

std::optional<PreTokenizerRules> MakersRules(std::string_view name) {
  const PreTokenizerRow* row = FindRow(name);
  if (!row) return std::nullopt;
  return RulesOf(*row);
}

std::optional<PreTokenizerRules> EngineRules(std::string_view name) {
  const PreTokenizerRow* row = FindRow(name);
  if (!row) return std::nullopt;
  PreTokenizerRules rules = RulesOf(*row);
  rules.normalizer.clear();
  for (const EngineRow& engine : kEngine)
    if (engine.name == name) rules.steps = StepsOf(engine.cuts);
  return rules;
}

std::string FindPreTokenizer(const TokenizerSpec& spec) {
  const std::vector<PreTokenizerStep> steps = Canonical(spec.pre_steps);
  auto same = [&](const PreTokenizerRules& rules) {
    return rules.ignore_merges == spec.ignore_merges && Canonical(rules.steps) == steps;
  };
  if (auto rules = EngineRules(spec.pre); rules && spec.normalizer.empty() && same(*rules)) return spec.pre;
  std::string_view exact, near;  // the first of each
  for (const PreTokenizerRow& row : kPreTokenizers) {
    const PreTokenizerRules rules = RulesOf(row);
    if (!same(rules) || (!spec.normalizer.empty() && rules.normalizer != spec.normalizer)) continue;
    if (row.name == spec.pre) return spec.pre;
    std::string_view& found = rules.normalizer == spec.normalizer ? exact : near;
    if (found.empty()) found = row.name;
  }
  return std::string(exact.empty() ? near : exact);
}

bool HasMergesOfMarkedText(std::string_view pre) {
  return pre == "gemma4" || pre == "sarvam-moe" || pre == "granite-embed-multi-311m";
}

std::vector<std::string_view> PreTokenizerNames() {
  std::vector<std::string_view> names;
  for (const PreTokenizerRow& row : kPreTokenizers) names.push_back(row.name);
  return names;
}

}  // namespace assay
