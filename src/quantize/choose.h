#pragma once
// A preset applied to a whole model.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "quantize/presets.h"

namespace assay {

/// What became of the matrices that a preset means to quantize.
struct Fit {
  int64_t quantized = 0;            // those that are, or were already
  std::map<int64_t, int64_t> left;  // those that stay plain since its blocks do not divide them: how many, by columns
  int64_t parts = 0;                // those that stay plain since others in their tensor of the file do
};

/// The format of each of checkpoint.tensors(), in their order; null: it stays unquantized (vectors, routers, tables of
/// positions, what the preset leaves alone, and what Hugging Face's file keeps as parts of a tensor that the format
/// would not fit). Tensors that share one in the preset's container (the experts of a layer, fused projections) get one
/// format.
std::vector<const Format*> ChooseFormats(const Preset& preset, const Checkpoint& checkpoint,
                                         bool has_importance = false, Fit* fit = nullptr);

/// What the preset leaves plain although it means to quantize it, as a sentence for people; empty: nothing. Throws
/// Error{kInvalid} when it quantizes nothing at all: with the columns, the blocks and the nearest preset that fits.
std::string RequireFit(const Preset& preset, const Checkpoint& checkpoint);

/// Bytes that the quantized model will take on a disk, about: the tensors as they are chosen, and what the source's
/// files hold beside theirs.
uint64_t PredictedBytes(const Preset& preset, const Checkpoint& checkpoint);

}  // namespace assay
