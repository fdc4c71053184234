#pragma once
// From one checkpoint to another: preset in, file out, a few rows at a time.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "quantize/presets.h"
#include "record/quant_record.h"
#include "system/threads.h"

namespace assay {

struct ConvertOptions {
  bool measure_error = true;  // decode what was written and compare: fills rmse and relative_error, else NaN
  std::string hf_container;   // "gptq", "awq" … (HfContainersOf); "": the usual one of the format
  uint64_t shard_bytes = 0;   // of one file; 0: CheckpointWriter's
  OutputRules rules = {};     // what may be replaced
  /// Told what became of an output that was interrupted before, see StreamOutput. None: an interruption leaves nothing.
  std::function<void(std::string_view)> tell = {};
};

/// Quantizes every matrix by the preset's choice and writes the result to `out` (GGUF file or Hugging Face folder, as
/// the preset says). Round to nearest by each format's own encoder, without calibration. Streams from the mapped
/// source: memory stays within some tens of MiB whatever the model's size. Nothing is visible at `out` until all is
/// written. Weights that are NaN or infinite are refused by tensor and row. Progress counts bytes of float32 weights
/// read. Throws Interrupted on cancellation; the same call goes on there, to the same bytes and record.
QuantRecord ConvertCheckpoint(const Checkpoint& source, const Preset& preset, const std::filesystem::path& out,
                              const ConvertOptions& options, ThreadPool& pool, Progress& progress);

/// Throws what ConvertCheckpoint would before its first weight is read: a name that is taken, what is in the way in
/// that folder, a container that does not hold the preset. Leaves nothing.
void CheckConversion(const Checkpoint& source, const Preset& preset, const std::filesystem::path& out,
                     const ConvertOptions& options, ThreadPool& pool, Progress& progress);

/// "model" of model.gguf or of the folder model/.
std::string ModelStem(const Checkpoint& source);
/// "model-Q4_K_M.gguf" or "model-fp8" beside nothing: the usual name of the output.
std::string DefaultOutputName(const Checkpoint& source, const Preset& preset);

}  // namespace assay
