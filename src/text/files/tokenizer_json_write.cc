// Hugging Face tokenizer.json: writing.

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/json.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kMaxPieceBytes = 1024;             // all its cuts are looked up
constexpr std::string_view kMark = "\xe2\x96\x81";  // ▁

std::string Quote(std::string_view text) {
  return DumpJson(Json(std::string(text)));
}

std::string EncodeBase64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    size_t n = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

Json Sequence(Json list, const char* key) {
  if (list.empty()) return nullptr;
  if (list.size() == 1) return list[0];
  return Json{{"type", "Sequence"}, {key, std::move(list)}};
}

Json Pattern(const std::string& pattern, bool regex) {
  return Json{{regex ? "Regex" : "String", pattern}};
}

Json NormalizerJson(const TokenizerSpec& spec) {
  using Kind = NormalizerStep::Kind;
  Json list = Json::array();
  for (const NormalizerStep& step : spec.normalizer) {
    Json json;
    switch (step.kind) {
      case Kind::kNfc:
        json["type"] = "NFC";
        break;
      case Kind::kNfd:
        json["type"] = "NFD";
        break;
      case Kind::kNfkc:
        json["type"] = "NFKC";
        break;
      case Kind::kNfkd:
        json["type"] = "NFKD";
        break;
      case Kind::kLowercase:
        json["type"] = "Lowercase";
        break;
      case Kind::kStripAccents:
        json["type"] = "StripAccents";
        break;
      case Kind::kCleanText:
      case Kind::kSpaceIdeographs:
      case Kind::kBertAccents:
        json = Json{{"type", "BertNormalizer"},
                    {"clean_text", step.kind == Kind::kCleanText},
                    {"handle_chinese_chars", step.kind == Kind::kSpaceIdeographs},
                    {"strip_accents", step.kind == Kind::kBertAccents},
                    {"lowercase", false}};
        break;
      case Kind::kPrepend:
        json = Json{{"type", "Prepend"}, {"prepend", step.content}};
        break;
      case Kind::kReplace:
        json = Json{{"type", "Replace"}, {"pattern", Pattern(step.pattern, step.regex)}, {"content", step.content}};
        break;
      case Kind::kStrip:
        json = Json{{"type", "Strip"}, {"strip_left", step.left}, {"strip_right", step.right}};
        break;
      case Kind::kPrecompiled:
        json = Json{{"type", "Precompiled"}, {"precompiled_charsmap", EncodeBase64(step.content)}};
        break;
    }
    list.push_back(std::move(json));
  }
  return Sequence(std::move(list), "normalizers");
}

const char* BehaviorName(SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::kRemoved:
      return "Removed";
    case SplitBehavior::kIsolated:
      return "Isolated";
    case SplitBehavior::kMergedWithPrevious:
      return "MergedWithPrevious";
    case SplitBehavior::kMergedWithNext:
      return "MergedWithNext";
    case SplitBehavior::kContiguous:
      return "Contiguous";
  }
  return "Isolated";
}

const char* PrependName(PrependScheme scheme) {
  return scheme == PrependScheme::kAlways ? "always" : scheme == PrependScheme::kFirst ? "first" : "never";
}

Json PreTokenizerJson(const TokenizerSpec& spec) {
  using Kind = PreTokenizerStep::Kind;
  Json list = Json::array();
  for (const PreTokenizerStep& step : spec.pre_steps) {
    Json json;
    switch (step.kind) {
      case Kind::kSplit:
        json = Json{{"type", "Split"},
                    {"pattern", Pattern(step.pattern, step.regex)},
                    {"behavior", BehaviorName(step.behavior)},
                    {"invert", step.invert}};
        break;
      case Kind::kDigits:
        json = Json{{"type", "Digits"}, {"individual_digits", step.individual}};
        break;
      case Kind::kPunctuation:
        json = Json{{"type", "Punctuation"}, {"behavior", BehaviorName(step.behavior)}};
        break;
      case Kind::kWhitespace:
        json["type"] = "Whitespace";
        break;
      case Kind::kWhitespaceSplit:
        json["type"] = "WhitespaceSplit";
        break;
      case Kind::kByteLevel:
        json = Json{{"type", "ByteLevel"},
                    {"add_prefix_space", step.add_prefix_space},
                    {"trim_offsets", true},
                    {"use_regex", step.use_regex}};
        break;
      case Kind::kMetaspace:
        json = Json{{"type", "Metaspace"},
                    {"replacement", step.pattern},
                    {"prepend_scheme", PrependName(step.prepend)},
                    {"split", step.split}};
        break;
    }
    list.push_back(std::move(json));
  }
  return Sequence(std::move(list), "pretokenizers");
}

Json DecoderJson(const TokenizerSpec& spec) {
  if (spec.model == TokenizerModel::kByteLevelBpe)
    return Json{{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  if (spec.model == TokenizerModel::kWordPiece)
    return Json{{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", false}};
  Json list = Json::array();
  list.push_back(Json{{"type", "Replace"}, {"pattern", Pattern(std::string(kMark), false)}, {"content", " "}});
  list.push_back(Json{{"type", "ByteFallback"}});
  list.push_back(Json{{"type", "Fuse"}});
  if (spec.add_space_prefix) list.push_back(Json{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return Sequence(std::move(list), "decoders");
}

Json PostProcessorJson(const TokenizerSpec& spec) {
  if (!spec.add_bos && !spec.add_eos) return nullptr;
  Json single = Json::array(), pair = Json::array(), specials = Json::object();
  auto special = [&](TokenId id, int type) {
    const std::string& name = spec.tokens[id];
    specials[name] = Json{{"id", name}, {"ids", Json::array({id})}, {"tokens", Json::array({name})}};
    return Json{{"SpecialToken", Json{{"id", name}, {"type_id", type}}}};
  };
  auto text = [](const char* id, int type) { return Json{{"Sequence", Json{{"id", id}, {"type_id", type}}}}; };
  auto begin = [&](Json& list, int type) {
    if (!spec.add_bos) return;
    list.push_back(special(spec.bos, type));
    for (const TokenId id : spec.after_bos) list.push_back(special(id, type));
  };
  begin(single, 0);
  single.push_back(text("A", 0));
  if (spec.add_eos) single.push_back(special(spec.eos, 0));
  pair = single;
  begin(pair, 1);
  pair.push_back(text("B", 1));
  if (spec.add_eos) pair.push_back(special(spec.eos, 1));
  return Json{{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", specials}};
}

// Merges that do what scores do: every way to put a token together from two others, best score of the whole first.
std::vector<std::pair<std::string_view, std::string_view>> MergesFromScores(const TokenizerSpec& spec) {
  struct Found {
    TokenId left, right, whole;
  };
  std::unordered_map<std::string_view, TokenId> ids;
  auto mergeable = [&](size_t i) { return spec.types[i] == TokenType::kNormal || spec.types[i] == TokenType::kUnused; };
  for (size_t i = 0; i < spec.tokens.size(); ++i)
    if (mergeable(i)) ids.emplace(spec.tokens[i], static_cast<TokenId>(i));
  std::vector<Found> found;
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    if (!mergeable(i)) continue;
    std::string_view whole = spec.tokens[i];
    if (whole.size() > kMaxPieceBytes)
      Fail(ErrorKind::kUnsupported, "tokenizer.json: token {} of {} bytes", i, whole.size());
    for (size_t cut = 1; cut < whole.size(); ++cut) {
      if ((whole[cut] & 0xc0) == 0x80) continue;
      auto left = ids.find(whole.substr(0, cut)), right = ids.find(whole.substr(cut));
      if (left != ids.end() && right != ids.end())
        found.push_back({left->second, right->second, static_cast<TokenId>(i)});
    }
  }
  std::stable_sort(found.begin(), found.end(), [&](const Found& a, const Found& b) {
    if (spec.scores[a.whole] != spec.scores[b.whole]) return spec.scores[a.whole] > spec.scores[b.whole];
    return a.whole != b.whole ? a.whole < b.whole : a.left != b.left ? a.left < b.left : a.right < b.right;
  });
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  merges.reserve(found.size());
  for (const Found& f : found) merges.emplace_back(spec.tokens[f.left], spec.tokens[f.right]);
  return merges;
}

// Written by hand: a JSON object type that looks its keys up one by one is quadratic in the vocabulary. The first of
// equal tokens counts; `seen` gets them all.
std::string VocabularyJson(const TokenizerSpec& spec, std::unordered_set<std::string_view>& seen) {
  std::string out = "{";
  for (size_t i = 0; i < ModelTokens(spec); ++i) {
    if (!seen.insert(spec.tokens[i]).second) continue;
    if (out.back() != '{') out += ',';
    out += Quote(spec.tokens[i]) + ":" + std::to_string(i);
  }
  return out + "}";
}

std::string WordPieceJson(const TokenizerSpec& spec) {
  std::unordered_set<std::string_view> seen;
  std::string unk = spec.unk >= 0 ? spec.tokens[spec.unk] : "[UNK]";
  return "{\"type\":\"WordPiece\",\"unk_token\":" + Quote(unk) +
         ",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":" +
         VocabularyJson(spec, seen) + "}";
}

std::string BpeJson(const TokenizerSpec& spec) {
  std::string unk = spec.unk >= 0 && !spec.drop_unknown ? Quote(spec.tokens[spec.unk]) : "null";
  auto flag = [](bool on) { return on ? "true" : "false"; };
  std::string out =
      "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":" + unk +
      ",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":" + flag(spec.fuse_unk) +
      ",\"byte_fallback\":" + flag(spec.byte_fallback) + ",\"ignore_merges\":" + flag(spec.ignore_merges) +
      ",\"vocab\":";
  std::unordered_set<std::string_view> seen;
  out += VocabularyJson(spec, seen) + ",\"merges\":[";
  auto merge = [&](std::string_view left, std::string_view right) {
    if (out.back() != '[') out += ',';
    out += "[" + Quote(left) + "," + Quote(right) + "]";
  };
  if (spec.merges.empty() && !spec.scores.empty()) {
    for (const auto& [left, right] : MergesFromScores(spec)) merge(left, right);
  } else {
    for (const std::string& text : spec.merges) {
      size_t space = text.find(' ', 1);
      if (space == std::string::npos)
        Fail(ErrorKind::kCorrupt, "merge \"{}\": expected two tokens with a space between", text);
      for (size_t next = text.find(' ', space + 1); next != std::string::npos; next = text.find(' ', next + 1)) {
        auto known = [&](std::string_view token) { return seen.contains(token); };
        if (known(std::string_view(text).substr(0, space)) && known(std::string_view(text).substr(space + 1))) break;
        space = next;
      }
      merge(std::string_view(text).substr(0, space), std::string_view(text).substr(space + 1));
    }
  }
  return out + "]}";
}

std::string UnigramJson(const TokenizerSpec& spec) {
  std::string out =
      "{\"type\":\"Unigram\",\"unk_id\":" + (spec.unk >= 0 && !spec.drop_unknown ? std::to_string(spec.unk) : "null") +
      ",\"byte_fallback\":" + (spec.byte_fallback ? "true" : "false") + ",\"vocab\":[";
  for (size_t i = 0; i < ModelTokens(spec); ++i) {
    if (i > 0) out += ',';
    out += "[" + Quote(spec.tokens[i]) + "," + DumpJson(Json(static_cast<double>(spec.scores[i]))) + "]";
  }
  return out + "]}";
}

}  // namespace

std::string TokenizerJsonFromSpec(const TokenizerSpec& spec) {
  for (size_t i = 0; i < spec.tokens.size(); ++i)
    if (!IsValidUtf8(spec.tokens[i])) Fail(ErrorKind::kUnsupported, "tokenizer.json: token {} is not UTF-8", i);
  std::vector<AddedToken> added = spec.added;
  std::sort(added.begin(), added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  Json added_json = Json::array();
  for (const AddedToken& token : added)
    added_json.push_back(Json{{"id", token.id},
                              {"content", token.content},
                              {"single_word", token.single_word},
                              {"lstrip", token.lstrip},
                              {"rstrip", token.rstrip},
                              {"normalized", token.normalized},
                              {"special", token.special}});
  std::string model = spec.model == TokenizerModel::kUnigram     ? UnigramJson(spec)
                      : spec.model == TokenizerModel::kWordPiece ? WordPieceJson(spec)
                                                                 : BpeJson(spec);
  std::string out =
      "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n\"added_tokens\":" + DumpJson(added_json);
  out += ",\n\"normalizer\":" + DumpJson(NormalizerJson(spec));
  out += ",\n\"pre_tokenizer\":" + DumpJson(PreTokenizerJson(spec));
  out += ",\n\"post_processor\":" + DumpJson(PostProcessorJson(spec));
  out += ",\n\"decoder\":" + DumpJson(DecoderJson(spec));
  out += ",\n\"model\":" + model + "}\n";
  return out;
}

}  // namespace assay
