// Any bytes as config.json with a quantization_config: every container's parser, and then a small file without weights.
// Only assay::Error may come out.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/hf/quantization.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Json json = ParseJson(text, "config.json");
    auto quantization = ParseHfQuantization(json, {{"hf_quant_config.json", json}}, "config.json");
    if (!quantization) return 0;
    HfSource source({}, "fuzz");
    quantization->description();
    quantization->Quantizes("model.layers.0.mlp.up_proj", source);
    quantization->Finish(source);
  } catch (const Error&) {
  }
  return 0;
}
