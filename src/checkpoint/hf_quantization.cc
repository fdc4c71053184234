#define PCRE2_CODE_UNIT_WIDTH 8
#include "checkpoint/hf_quantization.h"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

/// "Linear", an exact module name, or "re:…" matched from the start of the name.
class Target {
 public:
  Target(std::string text, const std::string& where) : text_(std::move(text)) {
    if (!text_.starts_with("re:")) return;
    int error = 0;
    PCRE2_SIZE at = 0;
    std::string_view pattern = std::string_view(text_).substr(3);
    if (pattern.size() > 4096) Fail(ErrorKind::kUnsupported, "{}: a pattern of {} characters", where, pattern.size());
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_ANCHORED, &error, &at,
                              nullptr));
    if (!code_) Fail(ErrorKind::kInvalid, "{}: \"{}\" is not a regular expression (character {})", where, text_, at);
  }

  /// How specific the match is: 3 name, 2 pattern, 1 class, 0 none.
  int Match(std::string_view module, std::string_view class_name) const {
    if (code_) {
      std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(pcre2_match_data_create(1, nullptr),
                                                                               pcre2_match_data_free);
      std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
          pcre2_match_context_create(nullptr), pcre2_match_context_free);
      pcre2_set_match_limit(context.get(), 100'000);
      pcre2_set_depth_limit(context.get(), 1'000);
      int result = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(module.data()), module.size(), 0, 0,
                               data.get(), context.get());
      if (result < 0 && result != PCRE2_ERROR_NOMATCH)
        Fail(ErrorKind::kInvalid, "quantization_config: \"{}\" cannot be matched against {} within its limits", text_,
             module);
      return result >= 0 ? 2 : 0;
    }
    return text_ == module ? 3 : text_ == class_name ? 1 : 0;
  }

 private:
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  };
  std::string text_;
  std::unique_ptr<pcre2_code, Free> code_;
};

int MatchAny(const std::vector<Target>& targets, std::string_view module, std::string_view class_name) {
  int best = 0;
  for (const Target& target : targets) best = std::max(best, target.Match(module, class_name));
  return best;
}

struct Group {
  HfScheme scheme;
  std::vector<Target> targets;
};

/// One QuantizationArgs object, the fields that matter.
struct Args {
  int64_t bits = 8, group_size = 0;
  std::string type, strategy, dynamic, actorder;
  bool symmetric = true;
};

Args ReadArgs(const Json& json, const std::string& where) {
  Args args;
  if (!json.is_object()) Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", where, json.type_name());
  args.bits = JsonInt(json, "num_bits", where, 8);
  args.type = JsonString(json, "type", where, "int");
  args.symmetric = JsonBool(json, "symmetric", where, true);
  args.group_size = JsonInt(json, "group_size", where, 0);
  args.strategy = JsonString(json, "strategy", where,
                             args.group_size > 0   ? "group"
                             : args.group_size < 0 ? "channel"
                                                   : "tensor");
  if (auto it = json.find("dynamic"); it != json.end() && !it->is_null())
    args.dynamic = it->is_string() ? it->get<std::string>() : it->is_boolean() && it->get<bool>() ? "true" : "";
  if (auto it = json.find("actorder"); it != json.end() && it->is_string()) args.actorder = it->get<std::string>();
  return args;
}

std::string ArgsText(const Args& args) {
  std::string out = fmt::format("{}{} {}", args.type, args.bits, args.strategy);
  if (args.group_size > 0) out += fmt::format(" {}", args.group_size);
  if (!args.symmetric) out += " asymmetric";
  if (!args.dynamic.empty()) out += " dynamic";
  return out;
}

/// Which formats a group may have, by what it says of weights and activations.
struct SchemeRow {
  std::string_view format;      // ours
  std::string_view formats[3];  // compressed-tensors' compression formats
  HfPacking packing;
  std::string_view type;
  int bits;
  int group;                // 0: channel (or tensor)
  bool activations;         // per token, dynamic, same type and bits
  std::string_view scheme;  // for people
};

constexpr SchemeRow kSchemes[] = {
    {"fp8_channel_a8", {"float-quantized", "naive-quantized", ""}, HfPacking::kWhole, "float", 8, 0, true, "W8A8"},
    {"fp8_channel", {"float-quantized", "naive-quantized", ""}, HfPacking::kWhole, "float", 8, 0, false, "W8A16"},
    {"int8_channel_a8", {"int-quantized", "naive-quantized", ""}, HfPacking::kWhole, "int", 8, 0, true, "W8A8"},
    {"int8_channel", {"pack-quantized", "", ""}, HfPacking::kPacked, "int", 8, 0, false, "W8A16"},
    {"int8_channel", {"int-quantized", "naive-quantized", ""}, HfPacking::kWhole, "int", 8, 0, false, "W8A16"},
    {"int4_g128", {"pack-quantized", "", ""}, HfPacking::kPacked, "int", 4, 128, false, "W4A16"},
    {"int4_g64", {"pack-quantized", "", ""}, HfPacking::kPacked, "int", 4, 64, false, "W4A16"},
    {"int4_g32", {"pack-quantized", "", ""}, HfPacking::kPacked, "int", 4, 32, false, "W4A16"},
    {"nvfp4", {"nvfp4-pack-quantized", "", ""}, HfPacking::kFp4, "float", 4, 16, false, "NVFP4A16"},
    {"mxfp4", {"mxfp4-pack-quantized", "", ""}, HfPacking::kFp4, "float", 4, 32, false, "MXFP4A16"},
};

bool Fits(const SchemeRow& row, std::string_view format, const Args& weights, const std::optional<Args>& acts) {
  if (std::find(std::begin(row.formats), std::end(row.formats), format) == std::end(row.formats)) return false;
  if (weights.type != row.type || weights.bits != row.bits || !weights.symmetric || !weights.dynamic.empty())
    return false;
  if (weights.actorder == "group") return false;
  if (row.group == 0 && weights.strategy != "channel" &&
      !(weights.strategy == "tensor" && row.packing == HfPacking::kWhole))
    return false;
  if (row.group != 0 &&
      (weights.group_size != row.group || (weights.strategy != "group" && weights.strategy != "tensor_group")))
    return false;
  if (acts.has_value() != row.activations) return false;
  return !acts || (acts->type == row.type && acts->bits == row.bits && acts->strategy == "token" &&
                   acts->dynamic == "true" && acts->symmetric);
}

}  // namespace

struct HfQuantization::Impl {
  std::vector<Group> groups;
  std::vector<Target> ignore;
  bool bitsandbytes = false;
  std::string description;
};

HfQuantization::HfQuantization() : impl_(std::make_unique<Impl>()) {}
HfQuantization::~HfQuantization() = default;
HfQuantization::HfQuantization(HfQuantization&&) noexcept = default;
HfQuantization& HfQuantization::operator=(HfQuantization&&) noexcept = default;

namespace {

HfScheme ReadScheme(const Json& group, const std::string& name, std::string_view format, const std::string& place,
                    std::string* text) {
  auto present = [&](const char* key) { return group.contains(key) && !group[key].is_null(); };
  if (!present("weights")) Fail(ErrorKind::kUnsupported, "{}: a group without quantized weights", place);
  if (present("output_activations")) Fail(ErrorKind::kUnsupported, "{}: quantized output activations", place);
  Args weights = ReadArgs(group["weights"], place + ".weights");
  std::optional<Args> acts;
  if (present("input_activations")) acts = ReadArgs(group["input_activations"], place + ".input_activations");
  for (const SchemeRow& row : kSchemes) {
    if (!Fits(row, format, weights, acts)) continue;
    HfScheme scheme;
    scheme.format = &GetFormat(row.format);
    scheme.packing = row.packing;
    scheme.per_tensor = weights.strategy == "tensor";
    scheme.group = name;
    *text = fmt::format("compressed-tensors {} {}", format, row.scheme);
    return scheme;
  }
  Fail(ErrorKind::kUnsupported, "{}: weights {} with {} activations in format {} are not supported", place,
       ArgsText(weights), acts ? ArgsText(*acts) : "16-bit", format);
}

std::vector<Target> ReadTargets(const Json& object, const char* key, const std::string& where) {
  std::vector<Target> out;
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return out;
  if (!it->is_array() || it->size() > 1'000'000)
    Fail(ErrorKind::kInvalid, "{}: \"{}\" should be a list of names", where, key);
  for (const Json& item : *it) {
    if (!item.is_string())
      Fail(ErrorKind::kInvalid, "{}: \"{}\" should hold strings, found {}", where, key, DumpJson(item));
    out.emplace_back(item.get<std::string>(), where);
  }
  return out;
}

void RefuseUnless(const Json& object, const char* key, const std::string& where) {
  auto it = object.find(key);
  if (it != object.end() && !it->is_null() && !it->empty())
    Fail(ErrorKind::kUnsupported, "{}: {} is not supported", where, key);
}

}  // namespace

HfQuantization HfQuantization::Parse(const Json& config, std::string_view where_view) {
  HfQuantization out;
  const char* key = config.contains("quantization_config") ? "quantization_config" : "compression_config";
  if (!config.is_object() || !config.contains(key) || config[key].is_null()) return out;
  const Json& json = config[key];
  const std::string where = fmt::format("{}: {}", where_view, key);
  std::string method = JsonString(json, "quant_method", where);
  Impl& impl = *out.impl_;
  if (method == "bitsandbytes") {
    bool four = JsonBool(json, "load_in_4bit", where, false) || JsonBool(json, "_load_in_4bit", where, false);
    if (!four)
      Fail(ErrorKind::kUnsupported, "{}: bitsandbytes without load_in_4bit (LLM.int8) is not supported; supported: nf4",
           where);
    std::string type = JsonString(json, "bnb_4bit_quant_type", where, "fp4");
    if (type != "nf4")
      Fail(ErrorKind::kUnsupported, "{}: bitsandbytes type {} is not supported; supported: nf4", where, type);
    if (JsonBool(json, "bnb_4bit_use_double_quant", where, false))
      Fail(ErrorKind::kUnsupported, "{}: bitsandbytes double quantization is not supported", where);
    Group group;
    group.scheme = {&GetFormat("nf4"), HfPacking::kBitsandbytes, false, "bitsandbytes"};
    impl.groups.push_back(std::move(group));
    impl.bitsandbytes = true;
    impl.ignore = ReadTargets(json, "llm_int8_skip_modules", where);
    impl.description = "bitsandbytes nf4";
    return out;
  }
  if (method != "compressed-tensors")
    Fail(ErrorKind::kUnsupported, "{}: quant_method {} is not supported; supported: compressed-tensors, bitsandbytes",
         where, method);
  std::string status = JsonString(json, "quantization_status", where, "compressed");
  if (status != "compressed" && status != "frozen")
    Fail(ErrorKind::kUnsupported, "{}: quantization_status {}", where, status);
  std::string top = JsonString(json, "format", where, "dense");
  for (const char* unsupported : {"kv_cache_scheme", "sparsity_config", "transform_config"})
    RefuseUnless(json, unsupported, where);
  auto groups = json.find("config_groups");
  if (groups == json.end() || !groups->is_object() || groups->empty())
    Fail(ErrorKind::kInvalid, "{}: \"config_groups\" should be an object with at least one group", where);
  for (const auto& [name, group] : groups->items()) {
    std::string place = fmt::format("{}: {}", where, name), text;
    if (!group.is_object()) Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", place, group.type_name());
    Group read;
    read.scheme = ReadScheme(group, name, JsonString(group, "format", place, top), place, &text);
    read.targets = ReadTargets(group, "targets", place);
    if (!impl.description.empty() && impl.description != text) text = "compressed-tensors mixed-precision";
    impl.description = text;
    impl.groups.push_back(std::move(read));
  }
  impl.ignore = ReadTargets(json, "ignore", where);
  return out;
}

const HfScheme* HfQuantization::ForLinear(std::string_view module) const {
  if (impl_->groups.empty()) return nullptr;
  if (impl_->bitsandbytes) {
    // transformers skips the output head always, and every module whose name contains one of the list.
    if (module == "lm_head") return nullptr;
    for (std::string_view part = module; !part.empty();) {
      if (MatchAny(impl_->ignore, part, "") == 3) return nullptr;
      size_t dot = part.find('.');
      part = dot == std::string_view::npos ? std::string_view() : part.substr(dot + 1);
    }
    return &impl_->groups.front().scheme;
  }
  if (MatchAny(impl_->ignore, module, "Linear") > 0) return nullptr;
  const HfScheme* best = nullptr;
  int best_match = 0;
  for (const Group& group : impl_->groups) {
    int match = MatchAny(group.targets, module, "Linear");
    if (match > best_match) {
      best_match = match;
      best = &group.scheme;
    }
  }
  return best;
}

const std::string& HfQuantization::description() const {
  return impl_->description;
}

}  // namespace assay
