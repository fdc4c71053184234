// A text that begins with '{' is a config.json with a quantization_config: every container's parser, and then a small
// file without weights. Any other bytes are decisions about which golden container's configuration and tensors are
// damaged and how; the result is opened and decoded. Only assay::Error may come out.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/joint_mutations.h"

namespace {

using namespace assay;

void ParseConfig(std::string_view text) {
  const Json json = ParseJson(text, "config.json");
  auto quantization = ParseHfQuantization(json, {{"hf_quant_config.json", json}}, "config.json");
  if (!quantization) return;
  HfSource source({}, "fuzz");
  quantization->description();
  quantization->Quantizes("model.layers.0.mlp.up_proj", source);
  quantization->Finish(source);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<LooseContainer> containers = GoldenContainers(ASSAY_TEST_DATA "/golden/containers");
  if (size > 0 && data[0] == '{') {
    try {
      ParseConfig({reinterpret_cast<const char*>(data), size});
    } catch (const Error&) {
    }
    return 0;
  }
  size_t at = 0;
  auto choose = [&](size_t n) {
    size_t value = 0;
    for (size_t range = n; range > 1 && at < size; range >>= 8) value = value << 8 | data[at++];
    return value % n;
  };
  OpenMutated(containers[choose(containers.size())], choose);
  return 0;
}
