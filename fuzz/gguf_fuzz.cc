// Any bytes as a GGUF file: parse, read configuration and tokenizer, decode a row of every tensor. Only assay::Error
// may come out.
#include <cstdint>
#include <span>

#include "base/error.h"
#include "checkpoint/gguf/gguf_checkpoint.h"
#include "checkpoint/gguf/gguf_config.h"
#include "checkpoint/remote_headers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    GgufHeaderBytes(bytes, "fuzz");
  } catch (const Error&) {
  }
  std::vector<GgufFile> files(1);
  try {
    files[0] = GgufFile::Parse(bytes, "fuzz");
  } catch (const Error&) {
    return 0;
  }
  GgufMetadataJson(files[0]);
  try {
    GgufTokenizer(files[0]);
  } catch (const Error&) {
  }
  try {
    GgufCheckpoint model("fuzz", std::move(files), {});
    std::vector<float> row;
    for (const Tensor& tensor : model.tensors()) {
      row.resize(static_cast<size_t>(tensor.cols));
      const LoadedTensor last = tensor.LoadRows(tensor.rows - 1, 1);
      tensor.format->decode_row(last.view, 0, row.data());
    }
  } catch (const Error&) {
  }
  return 0;
}
