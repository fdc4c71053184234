#include "text/tokenizer_files.h"

#include <unordered_map>

namespace assay {
namespace {

constexpr size_t kMaxJsonBytes = size_t{256} << 20;

}  // namespace

Dom ParseTokenizerFile(std::string_view text, std::string_view where) {
  if (text.size() > kMaxJsonBytes)
    Fail(ErrorKind::kCorrupt, "{}: {} bytes, at most {} expected", where, text.size(), kMaxJsonBytes);
  auto depth_limit = [&](int depth, Dom::parse_event_t, Dom&) {
    if (depth > 64) Fail(ErrorKind::kCorrupt, "{}: JSON nested deeper than 64", where);
    return true;
  };
  try {
    return Dom::parse(text.begin(), text.end(), depth_limit);
  } catch (const nlohmann::json::exception& e) {
    std::string message = e.what();
    if (auto end = message.find("] "); end != std::string::npos) message = message.substr(end + 2);
    Fail(ErrorKind::kCorrupt, "{}: not JSON: {}", where, message);
  }
}

std::string DecodeBase64(std::string_view text, const std::string& where) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    if (c == '=' || c == '\n' || c == '\r') continue;
    int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52
                : c == '+'             ? 62
                : c == '/'             ? 63
                                       : -1;
    if (value < 0) Fail(ErrorKind::kCorrupt, "{}: not base64", where);
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  return out;
}

void ReadTokenizerConfig(std::string_view text, TokenizerSpec& spec, std::string_view where) {
  std::string name = std::string(where) + ": tokenizer_config.json";
  Dom dom = ParseTokenizerFile(text, name);
  Node config(dom, name);
  std::unordered_map<std::string_view, TokenId> by_name;
  for (size_t i = 0; i < spec.tokens.size(); ++i) by_name.emplace(spec.tokens[i], static_cast<TokenId>(i));
  auto token = [&](const char* key, TokenId& id) {
    const Dom* value = config.Find(key);
    if (!value) return;
    std::string content =
        value->is_object() ? Node(*value, name + ": " + key).String("content") : config.AsString(*value, key);
    if (auto it = by_name.find(content); it != by_name.end()) id = it->second;
  };
  // What the template puts around has the last word about its own ids.
  if (!spec.add_bos) token("bos_token", spec.bos);
  if (!spec.add_eos) token("eos_token", spec.eos);
  token("pad_token", spec.pad);
  if (spec.unk < 0) token("unk_token", spec.unk);
  if (config.Find("add_bos_token")) spec.add_bos = config.Bool("add_bos_token", false) && spec.bos >= 0;
  if (config.Find("add_eos_token")) spec.add_eos = config.Bool("add_eos_token", false) && spec.eos >= 0;
}

}  // namespace assay
