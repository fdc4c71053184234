#pragma once
// Source to tokens, white-space control included.

#include <string>
#include <string_view>
#include <vector>

namespace assay::jinja {

enum class TokenKind {
  kText,           // outside tags; never empty
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // decoded
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;
  int64_t integer = 0;
  std::string beyond;  // digits of an integer that does not fit 64 bits
  double number = 0;
};

/// `source` with its line ends normalised (NormalizeNewlines). Throws Error{kCorrupt} as "where:line: reason".
std::vector<Token> Tokenize(std::string_view source, std::string_view where);

/// CR LF and CR become LF, and one line end at the end goes.
std::string NormalizeNewlines(std::string_view source);

}  // namespace assay::jinja
