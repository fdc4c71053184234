// Hugging Face tokenizer.json: reading.

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "text/files/tokenizer_files.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/unigram.h"

namespace assay {
namespace {

constexpr int kMaxNesting = 8;
constexpr size_t kMaxAround = 64;                   // tokens that a post-processor puts around a text
constexpr std::string_view kMark = "\xe2\x96\x81";  // ▁

// `pattern` is {"String": …} or {"Regex": …}.
void ReadPattern(const Node& node, std::string& pattern, bool& regex) {
  Node inner(node.Get("pattern"), node.name() + ".pattern");
  regex = inner.Find("Regex") != nullptr;
  pattern = inner.String(regex ? "Regex" : "String");
}

SplitBehavior ReadBehavior(const Node& node, std::string_view fallback) {
  std::string name = node.String("behavior", fallback);
  constexpr std::pair<std::string_view, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  for (const auto& [text, behavior] : kNames)
    if (name == text) return behavior;
  Fail(ErrorKind::kCorrupt, "{}: behavior \"{}\" does not exist", node.name(), name);
}

void ReadNormalizer(const Node& node, TokenizerSpec& spec, int depth) {
  if (depth > kMaxNesting) Fail(ErrorKind::kCorrupt, "{}: nested deeper than {}", node.name(), kMaxNesting);
  using Kind = NormalizerStep::Kind;
  std::string type = node.String("type");
  if (type == "Sequence") {
    const Json& list = node.Array("normalizers");
    for (size_t i = 0; i < list.size(); ++i)
      ReadNormalizer(Node(list[i], node.name() + "[" + std::to_string(i) + "]"), spec, depth + 1);
    return;
  }
  constexpr std::pair<std::string_view, Kind> kPlain[] = {{"NFC", Kind::kNfc},
                                                          {"NFD", Kind::kNfd},
                                                          {"NFKC", Kind::kNfkc},
                                                          {"NFKD", Kind::kNfkd},
                                                          {"Lowercase", Kind::kLowercase},
                                                          {"StripAccents", Kind::kStripAccents}};
  for (const auto& [name, kind] : kPlain) {
    if (type == name) {
      spec.normalizer.push_back({kind});
      return;
    }
  }
  NormalizerStep step{Kind::kPrepend};
  if (type == "BertNormalizer") {
    bool lowercase = node.Bool("lowercase", true);
    if (node.Bool("clean_text", true)) spec.normalizer.push_back({Kind::kCleanText});
    if (node.Bool("handle_chinese_chars", true)) spec.normalizer.push_back({Kind::kSpaceIdeographs});
    if (node.Bool("strip_accents", lowercase)) spec.normalizer.push_back({Kind::kBertAccents});
    if (lowercase) spec.normalizer.push_back({Kind::kLowercase});
    return;
  }
  if (type == "Prepend") {
    step.content = node.String("prepend");
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    ReadPattern(node, step.pattern, step.regex);
    step.content = node.String("content");
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.left = node.Bool("strip_left", true);
    step.right = node.Bool("strip_right", true);
  } else if (type == "Precompiled") {
    step.kind = Kind::kPrecompiled;
    step.content = DecodeBase64(node.String("precompiled_charsmap", ""), node.name());
    if (step.content.empty()) return;
    spec.precompiled_charsmap = step.content;
  } else {
    Fail(ErrorKind::kUnsupported, "{}: normalizer type \"{}\"", node.name(), type);
  }
  spec.normalizer.push_back(std::move(step));
}

PrependScheme ReadPrependScheme(const Node& node) {
  if (!node.Find("prepend_scheme"))
    return node.Bool("add_prefix_space", true) ? PrependScheme::kAlways : PrependScheme::kNever;
  std::string name = node.String("prepend_scheme");
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kNever;
  Fail(ErrorKind::kCorrupt, "{}: prepend_scheme \"{}\" does not exist", node.name(), name);
}

void ReadPreTokenizer(const Node& node, TokenizerSpec& spec, int depth) {
  if (depth > kMaxNesting) Fail(ErrorKind::kCorrupt, "{}: nested deeper than {}", node.name(), kMaxNesting);
  using Kind = PreTokenizerStep::Kind;
  std::string type = node.String("type");
  PreTokenizerStep step{Kind::kSplit};
  if (type == "Sequence") {
    const Json& list = node.Array("pretokenizers");
    for (size_t i = 0; i < list.size(); ++i)
      ReadPreTokenizer(Node(list[i], node.name() + "[" + std::to_string(i) + "]"), spec, depth + 1);
    return;
  }
  if (type == "Split") {
    ReadPattern(node, step.pattern, step.regex);
    step.behavior = ReadBehavior(node, "Isolated");
    step.invert = node.Bool("invert", false);
  } else if (type == "CharDelimiterSplit") {
    step.pattern = node.String("delimiter");
    step.behavior = SplitBehavior::kRemoved;
  } else if (type == "Digits") {
    step.kind = Kind::kDigits;
    step.individual = node.Bool("individual_digits", false);
  } else if (type == "Punctuation") {
    step.kind = Kind::kPunctuation;
    step.behavior = ReadBehavior(node, "Isolated");
  } else if (type == "Whitespace") {
    step.kind = Kind::kWhitespace;
  } else if (type == "WhitespaceSplit") {
    step.kind = Kind::kWhitespaceSplit;
  } else if (type == "BertPreTokenizer") {
    spec.pre_steps.push_back({Kind::kWhitespaceSplit});
    step.kind = Kind::kPunctuation;
  } else if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
    step.add_prefix_space = node.Bool("add_prefix_space", true);
    step.use_regex = node.Bool("use_regex", true);
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    step.pattern = node.String("replacement", kMark);
    step.prepend = ReadPrependScheme(node);
    step.split = node.Bool("split", true);
  } else {
    Fail(ErrorKind::kUnsupported, "{}: pre-tokenizer type \"{}\"", node.name(), type);
  }
  spec.pre_steps.push_back(std::move(step));
}

// Grows the vocabulary to hold `id` and names it.
void SetToken(TokenizerSpec& spec, std::vector<bool>& taken, TokenId id, std::string text, const std::string& where) {
  size_t index = static_cast<size_t>(id);
  if (index >= spec.tokens.size()) {
    spec.tokens.resize(index + 1);
    taken.resize(index + 1, false);
  }
  if (taken[index] && spec.tokens[index] != text)
    Fail(ErrorKind::kCorrupt, "{}: id {} belongs to both \"{}\" and \"{}\"", where, id, spec.tokens[index], text);
  taken[index] = true;
  spec.tokens[index] = std::move(text);
}

void ReadVocabulary(const Node& model, TokenizerSpec& spec, std::vector<bool>& taken) {
  const Json& vocabulary = model.Get("vocab");
  if (!vocabulary.is_object()) model.Wrong("vocab", "an object", vocabulary);
  // Ids may have holes but not many: what a small file says must not reserve a large table.
  int64_t limit = static_cast<int64_t>(vocabulary.size()) * 4 + 100'000;
  for (const auto& [text, value] : vocabulary.items()) {
    TokenId id = model.AsId(value, text);
    if (id >= limit)
      Fail(ErrorKind::kCorrupt, "{}: id {} of \"{}\" in a vocabulary of {} tokens", model.name(), id, text,
           vocabulary.size());
    SetToken(spec, taken, id, text, model.name() + ".vocab");
  }
}

void ReadBpe(const Node& model, TokenizerSpec& spec, std::vector<bool>& taken) {
  if (const Json* dropout = model.Find("dropout"); dropout && !(dropout->is_number() && dropout->get<double>() == 0))
    Fail(ErrorKind::kUnsupported, "{}: BPE dropout", model.name());
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model.String(key, "").empty())
      Fail(ErrorKind::kUnsupported, "{}: BPE {} \"{}\"", model.name(), key, model.String(key));
  spec.byte_fallback = model.Bool("byte_fallback", false);
  spec.ignore_merges = model.Bool("ignore_merges", false);
  spec.fuse_unk = model.Bool("fuse_unk", false);
  ReadVocabulary(model, spec, taken);
  const Json& merges = model.Array("merges");
  if (merges.size() > static_cast<size_t>(kMaxFileTokens))
    Fail(ErrorKind::kCorrupt, "{}: {} merges", model.name(), merges.size());
  spec.merges.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      spec.merges.push_back(merge.get<std::string>());
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      spec.merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    } else {
      model.Wrong("merges", "\"a b\" or [\"a\", \"b\"]", merge);
    }
  }
}

void ReadWordPiece(const Node& model, TokenizerSpec& spec, std::vector<bool>& taken) {
  if (std::string prefix = model.String("continuing_subword_prefix", "##"); prefix != "##")
    Fail(ErrorKind::kUnsupported, "{}: WordPiece continuing_subword_prefix \"{}\"", model.name(), prefix);
  if (model.Find("max_input_chars_per_word") && model.Id("max_input_chars_per_word") != 100)
    Fail(ErrorKind::kUnsupported, "{}: WordPiece max_input_chars_per_word {}", model.name(),
         model.Id("max_input_chars_per_word"));
  ReadVocabulary(model, spec, taken);
}

void ReadUnigram(const Node& model, TokenizerSpec& spec, std::vector<bool>& taken) {
  spec.byte_fallback = model.Bool("byte_fallback", false);
  const Json& vocabulary = model.Array("vocab");
  if (vocabulary.size() > static_cast<size_t>(kMaxFileTokens))
    Fail(ErrorKind::kCorrupt, "{}: {} tokens", model.name(), vocabulary.size());
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const Json& entry = vocabulary[i];
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
      model.Wrong("vocab", "[token, score]", entry);
    SetToken(spec, taken, static_cast<TokenId>(i), entry[0].get<std::string>(), model.name() + ".vocab");
    spec.scores.push_back(entry[1].get<float>());
  }
  if (model.Find("unk_id")) {
    spec.unk = model.Id("unk_id");
    if (static_cast<size_t>(spec.unk) >= vocabulary.size())
      Fail(ErrorKind::kCorrupt, "{}: unk_id {} in a vocabulary of {} tokens", model.name(), spec.unk,
           vocabulary.size());
  }
}

void ReadAdded(const Node& root, TokenAdder& adder) {
  if (!root.Find("added_tokens")) return;
  const Json& list = root.Array("added_tokens");
  for (size_t i = 0; i < list.size(); ++i) {
    Node node(list[i], root.name() + ": added_tokens[" + std::to_string(i) + "]");
    AddedToken added = ReadAddedToken(node);
    added.id = node.Id("id");
    adder.Add(std::move(added), node.name());
  }
}

// What stands around a single sequence: any tokens before it, at most one behind it.
void ReadPostProcessor(const Node& node, TokenizerSpec& spec, int depth) {
  if (depth > kMaxNesting) Fail(ErrorKind::kCorrupt, "{}: nested deeper than {}", node.name(), kMaxNesting);
  std::string type = node.String("type");
  auto around = [&](TokenId id, bool before) {
    bool& flag = before ? spec.add_bos : spec.add_eos;
    if (flag && before) return spec.after_bos.push_back(id);
    if (flag) Fail(ErrorKind::kUnsupported, "{}: more than one token after the text", node.name());
    flag = true;
    (before ? spec.bos : spec.eos) = id;
  };
  if (type == "Sequence") {
    const Json& list = node.Array("processors");
    for (size_t i = 0; i < list.size(); ++i)
      ReadPostProcessor(Node(list[i], node.name() + "[" + std::to_string(i) + "]"), spec, depth + 1);
  } else if (type == "TemplateProcessing") {
    bool before = true;
    const Json& single = node.Array("single");
    if (single.size() > kMaxAround)
      Fail(ErrorKind::kUnsupported, "{}: {} pieces around a text, at most {} expected", node.name(), single.size(),
           kMaxAround);
    for (const Json& item : single) {
      Node piece(item, node.name() + ".single");
      if (piece.Find("Sequence")) {
        before = false;
        continue;
      }
      std::string name = Node(piece.Get("SpecialToken"), piece.name()).String("id");
      Node specials(node.Get("special_tokens"), node.name() + ".special_tokens");
      Node special(specials.Get(name.c_str()), specials.name() + "." + name);
      const Json& ids = special.Array("ids");
      if (ids.size() != 1)
        Fail(ErrorKind::kUnsupported, "{}: {} ids for one special token", special.name(), ids.size());
      around(special.AsId(ids[0], "ids"), before);
    }
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    for (const char* key : {"cls", "sep"}) {
      const Json& pair = node.Array(key);
      if (pair.size() != 2) node.Wrong(key, "[token, id]", pair);
      around(node.AsId(pair[1], key), std::string_view(key) == "cls");
    }
  } else if (type != "ByteLevel") {
    Fail(ErrorKind::kUnsupported, "{}: post-processor type \"{}\"", node.name(), type);
  }
}

bool HasDecoder(const Json& decoder, std::string_view wanted, int depth = 0) {
  if (!decoder.is_object() || depth > kMaxNesting) return false;
  if (auto type = decoder.find("type");
      type != decoder.end() && type->is_string() && type->get<std::string>() == wanted)
    return true;
  auto list = decoder.find("decoders");
  if (list == decoder.end() || !list->is_array()) return false;
  return std::any_of(list->begin(), list->end(), [&](const Json& d) { return HasDecoder(d, wanted, depth + 1); });
}

void SetTypes(TokenizerSpec& spec, const std::vector<bool>& taken) {
  spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    if (!taken[i]) {
      spec.types[i] = TokenType::kUnused;
      spec.tokens[i] = "[PAD" + std::to_string(i) + "]";
    } else if (spec.byte_fallback && ByteTokenValue(spec.tokens[i]) >= 0) {
      spec.types[i] = TokenType::kByte;
    }
  }
}

void SetUnknown(TokenizerSpec& spec, const std::string& unk_token, const TokenAdder& adder, std::string_view where) {
  if (!unk_token.empty()) {
    spec.unk = adder.Find(unk_token);
    if (spec.unk < 0) Fail(ErrorKind::kCorrupt, "{}: unk_token \"{}\" is not in the vocabulary", where, unk_token);
  }
  spec.drop_unknown = spec.unk < 0;
}

/// Classes that, up to transformers 4.57, write the post-processor anew by add_bos_token and add_eos_token; to all
/// others, and to everything that 5 reads, these keys say nothing beside a tokenizer.json.
bool RebuildsPostProcessor(std::string_view tokenizer_class) {
  constexpr std::string_view kClasses[] = {"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer"};
  return std::any_of(std::begin(kClasses), std::end(kClasses),
                     [&](std::string_view name) { return tokenizer_class.starts_with(name); });
}

}  // namespace

TokenizerSpec TokenizerSpecFromJson(std::string_view tokenizer_json, const TokenizerSettings& settings,
                                    std::string_view where) {
  std::string place(where);
  Json dom = ParseTokenizerFile(tokenizer_json, where);
  Node root(dom, place);
  Node model(root.Get("model"), place + ": model");
  TokenizerSpec spec;
  if (root.Find("normalizer")) ReadNormalizer(Node(root.Get("normalizer"), place + ": normalizer"), spec, 0);
  if (root.Find("pre_tokenizer")) ReadPreTokenizer(Node(root.Get("pre_tokenizer"), place + ": pre_tokenizer"), spec, 0);
  auto is_byte_level = [](const PreTokenizerStep& s) { return s.kind == PreTokenizerStep::Kind::kByteLevel; };
  bool byte_level = std::any_of(spec.pre_steps.begin(), spec.pre_steps.end(), is_byte_level);
  const Json* decoder = root.Find("decoder");
  if (!byte_level && decoder && HasDecoder(*decoder, "ByteLevel"))
    Fail(ErrorKind::kUnsupported, "{}: ByteLevel decoder without a ByteLevel pre-tokenizer", where);
  std::vector<bool> taken;
  std::string type = model.String("type", model.Find("merges") ? "BPE" : "");
  std::string unk_token;
  if (type == "BPE") {
    spec.model = byte_level ? TokenizerModel::kByteLevelBpe : TokenizerModel::kSentencePieceBpe;
    ReadBpe(model, spec, taken);
    unk_token = model.String("unk_token", "");
  } else if (type == "Unigram") {
    spec.model = TokenizerModel::kUnigram;
    ReadUnigram(model, spec, taken);
  } else if (type == "WordPiece") {
    spec.model = TokenizerModel::kWordPiece;
    ReadWordPiece(model, spec, taken);
    unk_token = model.String("unk_token", "[UNK]");
  } else {
    Fail(ErrorKind::kUnsupported, "{}: model type \"{}\" (supported: BPE, Unigram, WordPiece)", where, type);
  }
  SetTypes(spec, taken);
  spec.model_tokens = static_cast<TokenId>(spec.tokens.size());
  TokenAdder adder(spec, static_cast<size_t>(std::count(taken.begin(), taken.end(), true)), TokenAdder::Ids::kCounted);
  ReadAdded(root, adder);
  if (spec.tokens.empty()) Fail(ErrorKind::kCorrupt, "{}: the vocabulary is empty", where);
  SetUnknown(spec, unk_token, adder, where);
  const TokenId model_unk = spec.unk;
  if (root.Find("post_processor"))
    ReadPostProcessor(Node(root.Get("post_processor"), place + ": post_processor"), spec, 0);
  for (const NormalizerStep& step : spec.normalizer) {
    if (step.kind == NormalizerStep::Kind::kPrepend && step.content == kMark) spec.add_space_prefix = true;
    if (step.kind == NormalizerStep::Kind::kReplace && step.regex && step.pattern == " {2,}")
      spec.remove_extra_whitespaces = true;
  }
  for (const PreTokenizerStep& step : spec.pre_steps)
    if (step.kind == PreTokenizerStep::Kind::kMetaspace && step.prepend != PrependScheme::kNever)
      spec.add_space_prefix = true;
  const Json json = ApplySettings(settings, spec, adder, where);
  const Node config(json, place + ": tokenizer_config.json");
  if (RebuildsPostProcessor(config.String("tokenizer_class", ""))) ApplyFlags(config, spec);
  if (model_unk >= 0 && spec.model != TokenizerModel::kByteLevelBpe)
    spec.types[static_cast<size_t>(model_unk)] = TokenType::kUnknown;
  return spec;
}

}  // namespace assay
