#pragma once
// The seam of writing quantized Hugging Face checkpoints: which file tensors a linear module becomes in a container,
// how rows of codes and scales get into them, and what config.json says. One container is one class; table at the end.

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint/safetensors.h"
#include "format/format.h"

namespace assay {

/// A linear module of the files to be written.
struct HfModule {
  std::string name;  // "model.layers.0.mlp.up_proj"
  const Format* format = nullptr;
  int64_t rows = 0, cols = 0;
  std::vector<int64_t> shape;  // [out, in]
  float global_scale = 1.0f, global_divisor = 1.0f;
  float activation_scale = 0.0f;
  std::string_view scale_dtype;       // of float scales in the file: "F16" …; "": the container's usual
  std::vector<int32_t> column_group;  // [cols] or none
};

/// Puts bytes at an offset of the module's file tensor of that name.
using HfSink = std::function<void(const std::string& tensor, uint64_t offset, std::span<const std::byte> bytes)>;

struct HfContainerOptions {
  std::string dtype = "bfloat16";  // of what is not quantized: torch's name
  bool fp8_cache = false;          // calibrated scales of an E4M3 KV cache will be there
};

class HfContainer {
 public:
  virtual ~HfContainer() = default;
  /// Whether modules of this format can be stored so.
  virtual bool Holds(const Format& format) const = 0;
  /// Whether a module that is not a torch.nn.Linear, or has three dimensions, can be stored so.
  virtual bool HoldsModule(bool linear, const std::vector<int64_t>& shape) const { return linear && shape.size() == 2; }
  /// Why a zero of an asymmetric integer format (as the scales plane has it) cannot be stated; empty: it can.
  virtual std::string WhyNotZero(const Format&, float) const { return ""; }
  /// Type of a module's float scales in the file; "": float32, or it has none.
  virtual std::string_view ScaleDtype(const HfModule&) const { return ""; }
  /// The tensor that holds the cache's scale of 'k' or 'v' and its shape; an empty name: there is no place.
  virtual SafetensorsPart CacheScalePart(const std::string&, char) const { return {}; }
  /// The file tensors of a module, bytes included. Throws Error{kUnsupported} for shapes that the container has no
  /// room for.
  virtual std::vector<SafetensorsPart> Parts(const HfModule& module) const = 0;
  /// Writes what does not depend on rows; once, before the first rows.
  virtual void Begin(const HfModule& module, const HfSink& sink) = 0;
  /// Rows [begin, begin + n) as Format lays them out; every row comes once.
  virtual void Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
                    std::span<const std::byte> scales, const HfSink& sink) = 0;
  /// quantization_config. `plain` are the linear modules that are not quantized.
  virtual Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const = 0;
  /// Whether rows came of which the sink has not got everything yet.
  virtual bool HoldsRows() const { return false; }
};

/// `name`: "compressed-tensors", "gptq", … Throws Error{kInvalid} with the names there are.
std::unique_ptr<HfContainer> CreateHfContainer(std::string_view name, const HfContainerOptions& options);
/// Names for CreateHfContainer, the usual one of a format first.
std::vector<std::string_view> HfContainersOf(const Format& format);
std::span<const std::string_view> HfContainerNames();
/// Why a container that is read is not written; empty for all others.
std::string_view WhyNotWritten(std::string_view name);

std::unique_ptr<HfContainer> MakeCompressedTensors(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeBitsandbytes(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeBitsandbytesNested(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeGptq(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeGptqV2(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeGptqPlanar(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeAwq(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeAutoRound(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeFineGrainedFp8(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeModelOpt(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeHqq(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeBitNet(const HfContainerOptions& options);
std::unique_ptr<HfContainer> MakeMxfp4(const HfContainerOptions& options);

/// A part whose bytes follow from dtype and shape.
SafetensorsPart MakePart(std::string name, std::string_view dtype, std::vector<int64_t> shape);

/// Modules whose rows are collected until the last has come: for containers that store matrices the other way round.
class MatrixCollector {
 public:
  struct Matrix {
    std::vector<std::byte> codes, scales;
    int64_t rows = 0;  // so far
  };
  /// Null until all rows of the module are there; then the whole, which Drop forgets.
  const Matrix* Add(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
                    std::span<const std::byte> scales);
  void Drop(const HfModule& module) { matrices_.erase(module.name); }
  bool empty() const { return matrices_.empty(); }

 private:
  std::map<std::string, Matrix> matrices_;
};

}  // namespace assay
