#include "cli/command/inspect_files.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/layout.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

bool Offline() {
  for (const char* name : {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}) {
    const std::string value = ToLowerAscii(Environment(name));
    if (value == "1" || value == "true" || value == "on" || value == "yes") return true;
  }
  return false;
}

std::string Endpoint() {
  std::string endpoint = Environment("HF_ENDPOINT");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint.empty() ? "https://huggingface.co" : endpoint;
}

/// HF_TOKEN, else what `hf auth login` saved.
std::string Token() {
  if (std::string token = Environment("HF_TOKEN"); !token.empty()) return token;
  const fs::path home = HuggingFaceHome();
  std::error_code ignored;
  return !home.empty() && fs::exists(home / "token", ignored) ? std::string(Trim(ReadFile(home / "token", 4096))) : "";
}

const char* ModelText(TokenizerModel model) {
  switch (model) {
    case TokenizerModel::kByteLevelBpe:
      return "byte-level BPE";
    case TokenizerModel::kSentencePieceBpe:
      return "SentencePiece BPE";
    case TokenizerModel::kUnigram:
      return "unigram";
    case TokenizerModel::kWordPiece:
      return "WordPiece";
  }
  return "";
}

/// Tokens with a use of their own, by the name of it.
std::vector<std::pair<const char*, TokenId>> SpecialTokens(const TokenizerSpec& spec) {
  std::vector<std::pair<const char*, TokenId>> out;
  for (auto [name, id] : {std::pair{"bos", spec.bos},
                          {"eos", spec.eos},
                          {"eot", spec.eot},
                          {"eom", spec.eom},
                          {"unk", spec.unk},
                          {"pad", spec.pad}})
    if (id >= 0 && static_cast<size_t>(id) < spec.tokens.size()) out.emplace_back(name, id);
  return out;
}

int64_t ControlTokens(const TokenizerSpec& spec) {
  return std::count(spec.types.begin(), spec.types.end(), TokenType::kControl);
}

Json VocabularyJson(const Vocabulary& vocabulary) {
  const TokenizerSpec& spec = vocabulary.tokenizer;
  Json special = Json::object();
  for (auto [name, id] : SpecialTokens(spec))
    special[name] = {{"id", id}, {"token", spec.tokens[static_cast<size_t>(id)]}};
  return {{"model", ModelText(spec.model)},
          {"pre_tokenizer", spec.pre},
          {"tokens", spec.tokens.size()},
          {"control_tokens", ControlTokens(spec)},
          {"merges", spec.merges.size()},
          {"special", special},
          {"ends", spec.ends},
          {"chat_template", vocabulary.chat_template},
          {"metadata", vocabulary.metadata}};
}

void PrintVocabulary(const Vocabulary& vocabulary) {
  const TokenizerSpec& spec = vocabulary.tokenizer;
  Print("  no tensors: a vocabulary");
  Print(fmt::format("  tokenizer: {}{}, {} tokens, {} of them control tokens, {} merges", ModelText(spec.model),
                    spec.pre.empty() ? "" : fmt::format(" (pre-tokenizer {})", spec.pre), spec.tokens.size(),
                    ControlTokens(spec), spec.merges.size()));
  std::string special;
  for (auto [name, id] : SpecialTokens(spec))
    special += fmt::format("{}{} {} {}", special.empty() ? "" : ", ", name, id,
                           DumpJson(Json(spec.tokens[static_cast<size_t>(id)])));
  Print("  special tokens: " + (special.empty() ? "none" : special));
  Print(fmt::format("  chat template: {}", vocabulary.chat_template.empty() ? "none" : "yes"));
  Print("\n  metadata");
  for (const auto& [key, value] : vocabulary.metadata.items()) {
    const std::string text = DumpJson(value);
    Print(fmt::format("    {:<40} {:.100}{}", key, text, text.size() > 100 ? "…" : ""));
  }
}

}  // namespace

int PrintListing(const FileListing& listing, const std::string& name, bool all, const CommonFlags& flags) {
  if (flags.json) {
    Json tensors = Json::array();
    for (const ListedTensor& t : listing.tensors)
      tensors.push_back({{"name", t.name}, {"type", t.type}, {"shape", t.shape}, {"bytes", t.bytes}});
    Json out = {{"path", name},
                {"container", listing.container},
                {"architecture", listing.architecture},
                {"quantization", listing.quantization},
                {"files", listing.files.size()},
                {"file_bytes", listing.file_bytes},
                {"tensors", tensors}};
    if (listing.vocabulary) out["vocabulary"] = VocabularyJson(*listing.vocabulary);
    PrintJson(out);
    return kHolds;
  }
  struct Share {
    uint64_t tensors = 0, elements = 0, bytes = 0;
  };
  std::map<std::string, Share> types;
  for (const ListedTensor& t : listing.tensors) {
    Share& share = types[t.type];
    ++share.tensors;
    uint64_t n = 1;
    for (int64_t d : t.shape) n *= static_cast<uint64_t>(d);
    share.elements += n;
    share.bytes += t.bytes;
  }
  Print(name);
  Print(fmt::format("  {}{}{}, {} in {} file{}", listing.container,
                    listing.architecture.empty() ? "" : " " + listing.architecture,
                    listing.quantization.empty() ? "" : ", " + listing.quantization, FormatBytes(listing.file_bytes),
                    listing.files.size(), listing.files.size() == 1 ? "" : "s"));
  if (listing.vocabulary) {
    PrintVocabulary(*listing.vocabulary);
    return kHolds;
  }
  Print(fmt::format("\n  {:<12} {:>8} {:>16} {:>12} {:>8}", "stored type", "tensors", "elements", "bytes", "bits"));
  for (const auto& [type, share] : types)
    Print(fmt::format(
        "  {:<12} {:>8} {:>16} {:>12} {:>8.3f}", type, share.tensors, share.elements, FormatBytes(share.bytes),
        share.elements ? 8.0 * static_cast<double>(share.bytes) / static_cast<double>(share.elements) : 0));
  if (all) {
    Print("");
    for (const ListedTensor& t : listing.tensors)
      Print(fmt::format("  {:<52} {:<10} {:<20} {}", t.name, t.type, ShapeText(t.shape), FormatBytes(t.bytes)));
  }
  return kHolds;
}

std::optional<RemoteModel> FindRemote(const std::string& text) {
  std::error_code ignored;
  if (fs::exists(text, ignored)) return std::nullopt;
  const bool address = text.find("://") != std::string::npos;
  std::optional<RemoteModel> model = RemoteModel::Parse(text, Endpoint());
  if (!model) {
    if (address)
      Fail(ErrorKind::kInvalid, "{}: expected hf://org/name or an address on {} (HF_ENDPOINT)", text, Endpoint());
    return std::nullopt;
  }
  if (Offline()) {
    if (address) Fail(ErrorKind::kNotFound, "{}: HF_HUB_OFFLINE is set", text);
    return std::nullopt;
  }
  if (!address && (text[0] == '/' || text[0] == '.' || text[0] == '~')) return std::nullopt;
  return model;
}

int InspectRemote(const RemoteModel& model, const std::string& name, bool all, const CommonFlags& flags) {
  ScratchFolder scratch;
  HttpClient http(Token());
  uint64_t fetched = 0;
  const fs::path path = FetchHeaders(model, scratch.path(), http, &fetched);
  const FileListing listing = ListWeightFiles(path);
  Note(flags,
       fmt::format("read {} of {} from {}", FormatBytes(fetched), FormatBytes(listing.file_bytes), model.endpoint));
  return PrintListing(listing, name, all, flags);
}

}  // namespace assay
