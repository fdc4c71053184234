// tokenizer.json and tokenizer.model from anywhere must never crash, hang or take memory on their word. The first byte
// of the input chooses the parser; what loads is used, written and read back.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "text/tokenizer.h"

namespace {

constexpr std::string_view kText =
    "Hello, w\xc3\xb6rld  12 345 <s>\n\t\xf0\x9f\x98\x80 it's \xff\xfe e\xcc\x81 \xe2\x96\x81x";

void Use(const assay::TokenizerSpec& spec) {
  auto tokenizer = assay::Tokenizer::Create(spec, "fuzz");
  for (bool special : {false, true}) {
    auto ids = tokenizer->Encode(kText, special, true);
    for (assay::TokenId id : ids)
      if (id < 0 || id >= tokenizer->vocab_size()) __builtin_trap();
    tokenizer->Decode(ids, special);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::span<const uint8_t> rest(data + 1, size - 1);
  std::string_view text(reinterpret_cast<const char*>(rest.data()), rest.size());
  try {
    if (data[0] % 2 == 0) {
      assay::TokenizerSpec spec = assay::TokenizerSpecFromJson(text, {}, "fuzz");
      Use(spec);
      Use(assay::TokenizerSpecFromJson(assay::TokenizerJsonFromSpec(spec), {}, "written"));
    } else {
      Use(assay::TokenizerSpecFromSentencePiece(std::as_bytes(rest), "fuzz"));
    }
  } catch (const assay::Error&) {
  }
  return 0;
}
