#pragma once
// Writing a checkpoint: tensors come in order and in pieces of rows, nothing is visible before Commit().
// GGUF: files, Hugging Face: a folder, by system/output.h. What was written can be left unfinished, and be continued by
// another writer of the same tensors.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "system/output.h"

namespace assay {

/// One tensor of the output, by its canonical name.
struct OutputTensor {
  std::string name;
  const Format* format = nullptr;
  int64_t rows = 0, cols = 0;     // vectors: 1 row
  std::vector<int64_t> shape;     // mathematical order
  float activation_scale = 0.0f;  // of formats with calibrated activations
  bool second_scale = false;      // GGUF only: NVFP4 with a factor of the matrix other than 1, which SetGlobal gives
  // Hugging Face only.
  std::string_view scale_dtype = {};       // of float scales: "F16" …; "": the container's usual
  std::vector<int32_t> column_group = {};  // [cols] of formats with activation order; none: in order
};

/// A file that has not its name yet, and how long it will be.
struct UnfinishedFile {
  std::filesystem::path path;
  uint64_t bytes = 0;
};

class CheckpointWriter {
 public:
  /// Takes configuration, tokenizer, chat template and (same container) metadata from `source`, which outlives it.
  /// `preset` names the recipe ("q4_k_m"…): GGUF's general.file_type; "" where none fits. `tensors` are all that will
  /// be written, in the order in which they will come (any order). What `rules` let be replaced is, at Commit; never a
  /// file of `source`. `shard_bytes` limits one file (0: GGUF is one file, safetensors 5 GB each); a split GGUF is
  /// named as llama.cpp names its sets. Rows and columns must come in the container's order (tensor_order.h).
  /// rope_freqs.weight is written by the writer where the target wants it: leave it out of `tensors`. Throws
  /// Error{kUnsupported} when the container cannot hold a format (GGUF types in safetensors, and the reverse),
  /// Error{kInvalid} when the tensors do not make a model, Error{kIo}.
  static std::unique_ptr<CheckpointWriter> Create(Container container, const std::filesystem::path& out,
                                                  const Checkpoint& source, std::string_view preset,
                                                  const std::vector<OutputTensor>& tensors, uint64_t shard_bytes = 0,
                                                  std::string_view hf_container = "", const OutputRules& rules = {});
  virtual ~CheckpointWriter() = default;

  /// Rows [row_begin, row_begin + n_rows) of tensors[tensor]: codes and scales as Format lays them out (scales: float32
  /// or bytes). In order within a tensor, tensors in order. Flat formats: pieces must be whole blocks.
  virtual void WriteRows(size_t tensor, int64_t row_begin, int64_t n_rows, std::span<const std::byte> codes,
                         std::span<const std::byte> scales) = 0;
  /// Before that tensor's first rows, for formats with has_global and tensors with second_scale.
  virtual void SetGlobal(size_t tensor, float global_scale, float global_divisor) = 0;
  /// Before any rows, of an output that is continued (rules.left): those before `row` of tensors[tensor]
  /// (tensors.size(): all) came to the writer before, which held none. Call SetGlobal for the tensors before it again.
  virtual void ContinueAt(size_t tensor, int64_t row) = 0;
  /// Whether rows came that are not in the files yet: matrices that are turned wait for their last row.
  virtual bool HoldsRows() const { return false; }
  /// What is in the files is on the disk. Not while rows are written.
  virtual void Flush() = 0;
  /// Whether the files outlive a writer, or a process, that ends before Commit; at first only continued ones do.
  virtual void Leave(bool leaves) = 0;
  /// The files of the weights; in folders that have not their names yet, those.
  virtual std::vector<UnfinishedFile> unfinished() const = 0;
  /// Everything becomes visible. Throws when rows are missing, or rules.unchanged were changed.
  virtual void Commit() = 0;
  /// What the container rounds a tensor's float scales to ("F16", "BF16"); "": it keeps float32, or there are none.
  virtual std::string_view scale_dtype(size_t) const { return ""; }
  /// What the source states beside its weights and this container has no place for; for people, empty: nothing.
  virtual std::string left_out() const { return ""; }
  /// What Checkpoint::Open opens once it is committed: `out`, of a split GGUF the first file.
  virtual std::filesystem::path first_file() const = 0;
  /// Bytes of the finished checkpoint's weight files, known beforehand.
  virtual uint64_t total_bytes() const = 0;
  /// Stored bits per weight of the tensors with two or more dimensions, scales included, known beforehand.
  virtual double bits_per_weight() const = 0;
};

/// The container that a format is written in when the user does not say: GGUF where GGUF has the type.
Container DefaultContainer(const Format& format);

}  // namespace assay
