#pragma once
// FP8 weights with their scales, which several containers store alike. Internal to hf/.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/hf/packing/source.h"

namespace assay {

enum class Fp8Grain { kTensor, kChannel, kBlock };  // blocks of 128 x 128

struct Fp8Names {
  std::string weight, scale;
};

/// Reads n floats from the one that is number `first`: out [n]. On any thread.
using FloatReader = std::function<void(int64_t first, int64_t n, float* out)>;
/// Scales as float32, or as powers of two (F8_E8M0, U8).
FloatReader Fp8Scales(const SafetensorsTensor& scale, const HfSource& source);

/// E4M3 weight and scales.
void PlaceFp8(Fp8Grain grain, ActivationKind activation, const Fp8Names& names, const std::string& why,
              HfSource& source, Tensor& tensor);

/// The scale of calibrated activations, if the file has it.
void TakeActivationScale(const std::string& name, HfSource& source, Tensor& tensor);

}  // namespace assay
