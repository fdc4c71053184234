#pragma once
// The smallest vocabulary that says every text, for tests.

#include <fmt/core.h>

#include <string_view>

#include "text/tokenizer.h"

namespace assay {

/// One token per byte in SentencePiece's notation, then <unk> (256), <s> (257), </s> (258) and <pad>.
inline TokenizerSpec ByteVocabulary(std::string_view where) {
  TokenizerSpec spec;
  spec.model = TokenizerModel::kSentencePieceBpe;
  for (int b = 0; b < 256; ++b) {
    spec.tokens.push_back(fmt::format("<0x{:02X}>", b));
    spec.types.push_back(TokenType::kByte);
  }
  for (const char* name : {"<unk>", "<s>", "</s>", "<pad>"}) {
    spec.tokens.push_back(name);
    spec.types.push_back(TokenType::kControl);
  }
  spec.types[256] = TokenType::kUnknown;
  spec.scores.assign(spec.tokens.size(), 0.0f);
  spec.byte_fallback = true;
  spec.unk = 256;
  spec.bos = 257;
  spec.eos = 258;
  CompleteGgufSpec(spec, where);
  return spec;
}

}  // namespace assay
