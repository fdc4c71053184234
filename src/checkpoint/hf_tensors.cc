#include "checkpoint/hf_tensors.h"

#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "checkpoint/layout.h"
#include "number/bf16.h"
#include "number/f16.h"
#include "number/nf4.h"

namespace assay {
namespace {

constexpr uint64_t kMaxStateBytes = 65536;  // of bitsandbytes' quant_state JSON

struct Found {
  const SafetensorsFile* file = nullptr;
  const SafetensorsTensor* tensor = nullptr;
  bool used = false;
};

std::string_view PlainFormat(std::string_view dtype) {
  return dtype == "F32" ? "f32" : dtype == "F16" ? "f16" : dtype == "BF16" ? "bf16" : "";
}

class Assembler {
 public:
  Assembler(const ModelConfig& config, const HfQuantization& quantization, std::span<const SafetensorsFile> files,
            std::string_view where)
      : config_(config), quantization_(quantization), where_(where) {
    for (const SafetensorsFile& file : files)
      for (const SafetensorsTensor& tensor : file.tensors) {
        auto [before, fresh] = by_name_.emplace(tensor.name, Found{&file, &tensor, false});
        if (!fresh)
          Fail(ErrorKind::kCorrupt, "{}: tensor {} is in {} too", file.where, tensor.name, before->second.file->where);
      }
  }

  HfTensors Run() {
    for (const TensorSlot& slot : TensorSlots(config_)) Place(slot);
    CheckTiedHead();
    for (const auto& [name, found] : by_name_) {
      // Older files of Llama carry the rotary frequencies, which config.json states too.
      if (found.used || name.ends_with("rotary_emb.inv_freq")) continue;
      Fail(ErrorKind::kUnsupported, "{}: tensor {} {} {} has no place in a {} with {} layers{}", found.file->where,
           name, found.tensor->dtype, ShapeText(found.tensor->shape), config_.architecture, config_.n_layers,
           quantization_.description().empty() ? " (and config.json has no quantization_config)" : "");
    }
    return std::move(out_);
  }

 private:
  Found* Find(const std::string& name) {
    auto it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : &it->second;
  }

  const SafetensorsTensor& Take(const std::string& name, const std::string& why) {
    Found* found = Find(name);
    if (!found) Fail(ErrorKind::kCorrupt, "{}: tensor {} is missing ({})", where_, name, why);
    found->used = true;
    return *found->tensor;
  }

  void Expect(const SafetensorsTensor& tensor, std::string_view dtype, const std::vector<int64_t>& shape) {
    if (tensor.dtype != dtype)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected dtype {}, found {}", FileOf(tensor), tensor.name, dtype,
           tensor.dtype);
    ExpectShape(tensor, shape);
  }
  void ExpectShape(const SafetensorsTensor& tensor, const std::vector<int64_t>& shape) {
    if (tensor.shape != shape)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected shape {}, found {}", FileOf(tensor), tensor.name,
           ShapeText(shape), ShapeText(tensor.shape));
  }
  const std::string& FileOf(const SafetensorsTensor& tensor) { return by_name_.at(tensor.name).file->where; }

  /// The bytes at an address that suits elements of `align` bytes: as mapped, else copied.
  const std::byte* Aligned(const SafetensorsTensor& tensor, size_t align) {
    if (reinterpret_cast<uintptr_t>(tensor.data.data()) % align == 0) return tensor.data.data();
    out_.byte_planes.emplace_back(tensor.data.begin(), tensor.data.end());
    return out_.byte_planes.back().data();
  }

  std::vector<float> Floats(const SafetensorsTensor& tensor) {
    int bits = SafetensorsDtypeBits(tensor.dtype);
    if (PlainFormat(tensor.dtype).empty())
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected F32, F16 or BF16, found {}", FileOf(tensor), tensor.name,
           tensor.dtype);
    size_t n = tensor.data.size() * 8 / static_cast<size_t>(bits);
    std::vector<float> out(n);
    if (bits == 32 && n > 0) std::memcpy(out.data(), tensor.data.data(), n * 4);
    for (size_t i = 0; bits == 16 && i < n; ++i) {
      uint16_t code;
      std::memcpy(&code, tensor.data.data() + 2 * i, 2);
      out[i] = tensor.dtype == "F16" ? DecodeF16(code) : DecodeBf16(code);
    }
    for (size_t i = 0; i < n; ++i)
      if (!std::isfinite(out[i]))
        Fail(ErrorKind::kCorrupt, "{}: tensor {}: element {} is {}", FileOf(tensor), tensor.name, i, out[i]);
    return out;
  }

  const std::byte* Keep(std::vector<float> plane) {
    out_.float_planes.push_back(std::move(plane));
    return reinterpret_cast<const std::byte*>(out_.float_planes.back().data());
  }

  void Place(const TensorSlot& slot) {
    std::string module = slot.hugging_face.substr(0, slot.hugging_face.rfind('.'));
    const HfScheme* scheme = nullptr;
    if (slot.linear && slot.shape.size() == 2) scheme = quantization_.ForLinear(module);
    Tensor tensor;
    tensor.name = slot.name;
    tensor.source_name = slot.hugging_face;
    tensor.shape = slot.shape;
    tensor.view.rows = slot.shape.size() == 2 ? slot.shape[0] : 1;
    tensor.view.cols = slot.shape.back();
    if (scheme) {
      PlaceQuantized(tensor, *scheme, module);
    } else {
      if (!slot.required && !Find(slot.hugging_face)) return;
      PlacePlain(tensor, module, slot);
    }
    out_.tensors.push_back(std::move(tensor));
  }

  void PlacePlain(Tensor& tensor, const std::string& module, const TensorSlot& slot) {
    for (const char* quantized : {".weight_packed", ".weight_scale"})
      if (slot.linear && slot.shape.size() == 2 && Find(module + quantized))
        Fail(ErrorKind::kCorrupt, "{}: tensor {}{} is there, but config.json does not say that {} is quantized", where_,
             module, quantized, module);
    const SafetensorsTensor& plain = Take(slot.hugging_face, fmt::format("expected {}; config.json says {} layers",
                                                                         ShapeText(slot.shape), config_.n_layers));
    std::string_view format = PlainFormat(plain.dtype);
    if (format.empty())
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: dtype {} is not supported here; expected F32, F16 or BF16",
           FileOf(plain), plain.name, plain.dtype);
    if (plain.shape != slot.shape)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: config.json expects shape {}, found {}", FileOf(plain), plain.name,
           ShapeText(slot.shape), ShapeText(plain.shape));
    tensor.view.format = &GetFormat(format);
    tensor.view.codes = Aligned(plain, format == "f32" ? 4 : 2);
    tensor.stored_bytes = plain.data.size();
  }

  void PlaceQuantized(Tensor& tensor, const HfScheme& scheme, const std::string& module) {
    tensor.view.format = scheme.format;
    if (!FitsColumns(*scheme.format, tensor.view.cols))
      Fail(ErrorKind::kCorrupt, "{}: {}: {} columns do not fit format {}", where_, module, tensor.view.cols,
           scheme.format->name);
    for (const char* refused : {".weight_zero_point", ".weight_g_idx", ".input_scale", ".input_global_scale"})
      if (Find(module + refused))
        Fail(ErrorKind::kUnsupported, "{}: tensor {}{} is not supported", where_, module, refused);
    switch (scheme.packing) {
      case HfPacking::kWhole:
        return PlaceWhole(tensor, scheme, module);
      case HfPacking::kPacked:
        return PlacePacked(tensor, scheme, module);
      case HfPacking::kFp4:
        return PlaceFp4(tensor, scheme, module);
      case HfPacking::kBitsandbytes:
        return PlaceBitsandbytes(tensor, scheme, module);
    }
  }

  std::string Why(const HfScheme& scheme) {
    return fmt::format("config.json says {}, {}", scheme.format->name, scheme.group);
  }

  /// weight_scale as float32, one a row or one a run of columns.
  const std::byte* RowScales(Tensor& tensor, const HfScheme& scheme, const std::string& module) {
    const SafetensorsTensor& scale = Take(module + ".weight_scale", Why(scheme));
    tensor.stored_bytes += scale.data.size();
    std::vector<float> plane = Floats(scale);
    size_t rows = static_cast<size_t>(tensor.view.rows);
    if (scheme.per_tensor) {
      if (plane.size() != 1) ExpectShape(scale, {1});
      plane.assign(rows, float{plane[0]});
    } else if (scheme.format->scale_weights < 0) {
      if (!(scale.shape.size() == 1 && plane.size() == rows)) ExpectShape(scale, {tensor.view.rows, 1});
    } else {
      ExpectShape(scale, {tensor.view.rows, tensor.view.cols / scheme.format->scale_weights});
    }
    return Keep(std::move(plane));
  }

  void PlaceWhole(Tensor& tensor, const HfScheme& scheme, const std::string& module) {
    const SafetensorsTensor& weight = Take(module + ".weight", Why(scheme));
    Expect(weight, scheme.format->name.starts_with("fp8") ? "F8_E4M3" : "I8", tensor.shape);
    tensor.view.codes = weight.data.data();
    tensor.stored_bytes += weight.data.size();
    tensor.view.scales = RowScales(tensor, scheme, module);
  }

  void PlacePacked(Tensor& tensor, const HfScheme& scheme, const std::string& module) {
    const bool eight = scheme.format->scale_weights < 0;
    const int64_t per_word = eight ? 4 : 8;
    const SafetensorsTensor& packed = Take(module + ".weight_packed", Why(scheme));
    const int64_t words = (tensor.view.cols + per_word - 1) / per_word;
    Expect(packed, "I32", {tensor.view.rows, words});
    CheckStatedShape(tensor, scheme, module);
    tensor.stored_bytes += packed.data.size();
    tensor.view.codes = eight ? Signed(packed, tensor.view.rows, tensor.view.cols, words * 4) : packed.data.data();
    tensor.view.scales = RowScales(tensor, scheme, module);
  }

  /// int8 codes out of packed ones, which are 128 higher and padded to whole words.
  const std::byte* Signed(const SafetensorsTensor& packed, int64_t rows, int64_t cols, int64_t row_bytes) {
    std::vector<std::byte>& out = out_.byte_planes.emplace_back(static_cast<size_t>(rows * cols));
    for (int64_t row = 0; row < rows; ++row) {
      const std::byte* from = packed.data.data() + row * row_bytes;
      std::byte* to = out.data() + row * cols;
      for (int64_t i = 0; i < cols; ++i) to[i] = from[i] ^ std::byte{0x80};
    }
    return out.data();
  }

  void CheckStatedShape(const Tensor& tensor, const HfScheme& scheme, const std::string& module) {
    const SafetensorsTensor& shape = Take(module + ".weight_shape", Why(scheme));
    if ((shape.dtype != "I64" && shape.dtype != "I32") || shape.shape != std::vector<int64_t>{2})
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected I64 [2], found {} {}", FileOf(shape), shape.name, shape.dtype,
           ShapeText(shape.shape));
    std::vector<int64_t> stated(2);
    for (size_t i = 0; i < 2; ++i) {
      if (shape.dtype == "I64") {
        std::memcpy(&stated[i], shape.data.data() + 8 * i, 8);
      } else {
        int32_t narrow;
        std::memcpy(&narrow, shape.data.data() + 4 * i, 4);
        stated[i] = narrow;
      }
    }
    if (stated != tensor.shape)
      Fail(ErrorKind::kCorrupt, "{}: tensor {} says {}, config.json expects {}", FileOf(shape), shape.name,
           ShapeText(stated), ShapeText(tensor.shape));
  }

  void PlaceFp4(Tensor& tensor, const HfScheme& scheme, const std::string& module) {
    const SafetensorsTensor& packed = Take(module + ".weight_packed", Why(scheme));
    Expect(packed, "U8", {tensor.view.rows, tensor.view.cols / 2});
    const SafetensorsTensor& scale = Take(module + ".weight_scale", Why(scheme));
    std::vector<int64_t> scale_shape = {tensor.view.rows, tensor.view.cols / scheme.format->scale_weights};
    if (scheme.format->has_global) {
      Expect(scale, "F8_E4M3", scale_shape);
      const SafetensorsTensor& global = Take(module + ".weight_global_scale", Why(scheme));
      std::vector<float> value = Floats(global);
      if (value.size() != 1 || !(value[0] > 0.0f))
        Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected one positive number, found {} {}", FileOf(global),
             global.name, ShapeText(global.shape), value.empty() ? 0.0f : value[0]);
      tensor.view.global_divisor = value[0];
      tensor.stored_bytes += global.data.size();
    } else {
      Expect(scale, scale.dtype == "F8_E8M0" ? "F8_E8M0" : "U8", scale_shape);
    }
    tensor.view.codes = packed.data.data();
    tensor.view.scales = scale.data.data();
    tensor.stored_bytes += packed.data.size() + scale.data.size();
  }

  void PlaceBitsandbytes(Tensor& tensor, const HfScheme& scheme, const std::string& module) {
    const std::string weight_name = module + ".weight";
    const int64_t n = tensor.view.rows * tensor.view.cols;
    const SafetensorsTensor& weight = Take(weight_name, Why(scheme));
    if (!PlainFormat(weight.dtype).empty() && weight.shape == tensor.shape)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: {} although config.json says nf4 and does not skip {}", FileOf(weight),
           weight.name, weight.dtype, module);
    Expect(weight, "U8", {(n + 1) / 2, 1});
    for (const char* nested : {".nested_absmax", ".nested_quant_map"})
      if (Find(weight_name + nested))
        Fail(ErrorKind::kUnsupported, "{}: tensor {}{}: double quantization", where_, weight_name, nested);
    CheckQuantState(tensor, scheme, weight_name);
    const SafetensorsTensor& absmax = Take(weight_name + ".absmax", Why(scheme));
    Expect(absmax, "F32", {(n + 63) / 64});
    const SafetensorsTensor& map = Take(weight_name + ".quant_map", Why(scheme));
    Expect(map, "F32", {16});
    std::vector<float> values = Floats(map);
    for (size_t i = 0; i < 16; ++i)
      if (std::abs(values[i] - kNf4Values[i]) > 1e-5f)
        Fail(ErrorKind::kUnsupported, "{}: tensor {}: value {} is {}, NF4's is {}", FileOf(map), map.name, i, values[i],
             kNf4Values[i]);
    tensor.view.codes = weight.data.data();
    tensor.view.scales = Keep(Floats(absmax));
    tensor.stored_bytes += weight.data.size() + absmax.data.size() + map.data.size();
  }

  void CheckQuantState(const Tensor& tensor, const HfScheme& scheme, const std::string& weight_name) {
    const SafetensorsTensor& state = Take(weight_name + ".quant_state.bitsandbytes__nf4", Why(scheme));
    if (state.dtype != "U8" || state.data.size() > kMaxStateBytes)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected JSON in U8, found {} of {} bytes", FileOf(state), state.name,
           state.dtype, state.data.size());
    std::string place = fmt::format("{}: tensor {}", FileOf(state), state.name);
    Json json = ParseJson({reinterpret_cast<const char*>(state.data.data()), state.data.size()}, place);
    if (int64_t block = JsonInt(json, "blocksize", place); block != 64)
      Fail(ErrorKind::kUnsupported, "{}: blocksize {}; supported: 64", place, block);
    if (JsonString(json, "quant_type", place) != "nf4") Fail(ErrorKind::kCorrupt, "{}: quant_type is not nf4", place);
    if (json.contains("nested_offset")) Fail(ErrorKind::kUnsupported, "{}: double quantization", place);
    auto shape = json.find("shape");
    if (shape == json.end() || *shape != Json(tensor.shape))
      Fail(ErrorKind::kCorrupt, "{}: shape {}, config.json expects {}", place,
           shape == json.end() ? "missing" : DumpJson(*shape), ShapeText(tensor.shape));
  }

  void CheckTiedHead() {
    if (!config_.tied_output) return;
    Found* head = Find("lm_head.weight");
    if (!head) return;
    Found* embedding = Find("model.embed_tokens.weight");
    if (embedding && embedding->tensor->dtype == head->tensor->dtype &&
        embedding->tensor->data.size() == head->tensor->data.size() &&
        std::memcmp(embedding->tensor->data.data(), head->tensor->data.data(), head->tensor->data.size()) == 0) {
      head->used = true;
      return;
    }
    Fail(ErrorKind::kCorrupt,
         "{}: tensor lm_head.weight differs from model.embed_tokens.weight, but config.json says tie_word_embeddings",
         head->file->where);
  }

  const ModelConfig& config_;
  const HfQuantization& quantization_;
  std::string where_;
  std::unordered_map<std::string, Found> by_name_;
  HfTensors out_;
};

}  // namespace

HfTensors AssembleHfTensors(const ModelConfig& config, const HfQuantization& quantization,
                            std::span<const SafetensorsFile> files, std::string_view where) {
  return Assembler(config, quantization, files, where).Run();
}

}  // namespace assay
