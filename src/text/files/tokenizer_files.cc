#include "text/files/tokenizer_files.h"

namespace assay {
namespace {

constexpr size_t kMaxJsonBytes = size_t{256} << 20;

}  // namespace

Json ParseTokenizerFile(std::string_view text, std::string_view where) {
  if (text.size() > kMaxJsonBytes)
    Fail(ErrorKind::kCorrupt, "{}: {} bytes, at most {} expected", where, text.size(), kMaxJsonBytes);
  return ParseJson(text, where);
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

}  // namespace assay
