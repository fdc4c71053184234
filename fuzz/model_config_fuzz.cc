// The configuration of any family (tests/golden/models) with two keys changed: a byte chooses the model, two each a key
// of its class or of its rotation, a kind of value and the value. A text that begins with { is a config.json of its
// own. What is accepted is planned: tensors, the memory of a sequence, the angles. Only assay::Error may come out.
#include <array>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/layout.h"
#include "describe/arch/config_class.h"
#include "describe/hf_config.h"
#include "describe/hf_wrapper.h"
#include "model/block/rope.h"
#include "model/sequence.h"
#include "system/file.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

struct Family {
  Json config;
  std::vector<std::string> keys;  // "rope_parameters/factor": of an object inside
};

void AddKeys(const Json& object, const std::string& before, std::vector<std::string>& out) {
  for (const auto& [key, value] : object.items()) {
    out.push_back(before + key);
    if (value.is_object()) AddKeys(value, before + key + "/", out);
  }
}

std::vector<Family> Families() {
  std::vector<Family> out;
  for (const auto& entry : fs::directory_iterator(fs::path(ASSAY_TEST_DATA) / "golden/models")) {
    Family& family = out.emplace_back();
    family.config = ParseJson(ReadFile(entry.path() / "config.json"), "config.json");
    AddKeys(family.config, "", family.keys);
    const ConfigClass* type = FindConfigClass(family.config.value("model_type", ""));
    if (!type) continue;
    for (const auto& [key, value] : type->defaults.items()) family.keys.push_back(key);
    family.keys.insert(family.keys.end(), type->also.begin(), type->also.end());
    for (const char* rope : {"rope_parameters", "rope_scaling"})
      for (const char* key : {"rope_type", "factor", "rope_theta", "original_max_position_embeddings", "beta_fast",
                              "beta_slow", "mscale", "mscale_all_dim", "attention_factor", "partial_rotary_factor",
                              "low_freq_factor", "high_freq_factor", "truncate", "short_factor", "long_factor"})
        family.keys.push_back(std::string(rope) + "/" + key);
  }
  return out;
}

Json Value(uint8_t kind, uint8_t byte, const Json& old) {
  const int64_t bit = int64_t{1} << (byte % 63);
  const std::array<const char*, 12> texts = {"",       "silu", "relu",     "default", "linear",  "dynamic",
                                             "llama3", "yarn", "longrope", "nope",    "softmax", "full_attention"};
  switch (kind % 14) {
    case 0:
      return byte;
    case 1:
      return -static_cast<int64_t>(byte);
    case 2:
      return bit;
    case 3:
      return bit - 1;
    case 4:
      return -bit;
    case 5:
      return std::numeric_limits<int64_t>::max() - byte;
    case 6:
      return std::numeric_limits<int64_t>::min() + byte;
    case 7:
      return static_cast<double>(bit) * 1e300;
    case 8:
      return 1.0 / (static_cast<double>(bit) * 1e290);
    case 9:
      return byte / 16.0;
    case 10:
      return nullptr;
    case 11:
      return texts[byte % texts.size()];
    case 12:
      return byte % 2 ? Json(true) : byte % 4 ? Json(false) : byte % 8 ? Json::array() : Json::object();
    default:
      return Json::array({old, byte});
  }
}

void Change(Json& config, const std::string& path, uint8_t kind, uint8_t byte) {
  Json* place = &config;
  std::string key = path;
  for (size_t slash; (slash = key.find('/')) != std::string::npos; key = key.substr(slash + 1)) {
    Json& inner = (*place)[key.substr(0, slash)];
    if (!inner.is_object()) inner = Json::object();
    place = &inner;
  }
  Json& value = (*place)[key];
  value = Value(kind, byte, value);
}

void Plan(const Json& json) {
  Json config = json;
  if (const HfWrapper* wrapper = FindWrapper(config)) config = TextConfig(*wrapper, config, "config.json");
  const ModelConfig model = HfModelConfig(config, nullptr, "config.json");
  if (model.n_layers * (model.experts.count + 1) < 4096) TensorSlots(model);
  for (int64_t capacity : {int64_t{1}, model.context}) PlanCache(model, Arithmetic::kReference, capacity);
  RopeTable(model, RopeTable::Kind::kMain);
  if (model.rope_local_theta > 0) RopeTable(model, RopeTable::Kind::kLocal);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<Family> kFamilies = Families();
  try {
    if (size > 0 && data[0] == '{') {
      Plan(ParseJson(std::string_view(reinterpret_cast<const char*>(data), size), "config.json"));
      return 0;
    }
    if (size < 9) return 0;
    const Family& family = kFamilies[data[0] % kFamilies.size()];
    Json config = family.config;
    for (size_t at : {1, 5}) {
      const size_t key = static_cast<size_t>(data[at] << 8 | data[at + 1]) % family.keys.size();
      Change(config, family.keys[key], data[at + 2], data[at + 3]);
    }
    Plan(config);
  } catch (const Error&) {
  }
  return 0;
}
