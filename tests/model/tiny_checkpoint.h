#pragma once
// A model in memory with random weights, for tests that need no file: two layers, grouped-query attention, byte
// vocabulary.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "checkpoint/checkpoint.h"
#include "text/byte_vocabulary.h"

namespace assay {

class TinyCheckpoint : public Checkpoint {
 public:
  /// Matrices are stored in `format`; hidden and feed-forward widths are multiples of 256.
  explicit TinyCheckpoint(std::string_view format, uint64_t seed = 1) {
    config_.architecture = "llama";
    config_.n_layers = 2;
    config_.hidden = 256;
    config_.n_heads = 4;
    config_.n_kv_heads = 2;
    config_.head_dim = 64;
    config_.rotary_dim = 64;
    config_.feed_forward = 512;
    config_.vocab = 260;
    config_.context = 256;
    config_.tied_output = true;
    config_.stop_tokens = {258};
    path_ = "tiny";
    tokenizer_ = ByteVocabulary("tiny");
    Random random(seed);
    Matrix("token_embd.weight", config_.vocab, 256, format, random, 0.1);
    for (int64_t i = 0; i < config_.n_layers; ++i) {
      std::string blk = "blk." + std::to_string(i) + ".";
      Vector(blk + "attn_norm.weight", random);
      Vector(blk + "ffn_norm.weight", random);
      Matrix(blk + "attn_q.weight", 256, 256, format, random, 0.15);
      Matrix(blk + "attn_k.weight", 128, 256, format, random, 0.15);
      Matrix(blk + "attn_v.weight", 128, 256, format, random, 0.08);
      Matrix(blk + "attn_output.weight", 256, 256, format, random, 0.08);
      Matrix(blk + "ffn_gate.weight", 512, 256, format, random, 0.08);
      Matrix(blk + "ffn_up.weight", 512, 256, format, random, 0.08);
      Matrix(blk + "ffn_down.weight", 256, 512, format, random, 0.08);
    }
    Vector("output_norm.weight", random);
  }

 private:
  void Add(const std::string& name, std::vector<int64_t> shape, const Format& format,
           const std::vector<float>& values) {
    int64_t cols = shape.back(), rows = shape.size() == 2 ? shape[0] : 1;
    auto* codes =
        planes_
            .emplace_back(std::make_unique<std::vector<std::byte>>(static_cast<size_t>(CodesBytes(format, rows, cols))))
            .get();
    auto* scales = planes_
                       .emplace_back(std::make_unique<std::vector<std::byte>>(
                           static_cast<size_t>(ScalesBytes(format, rows, cols))))
                       .get();
    PackedView view{&format, rows, cols, codes->data(), scales->empty() ? nullptr : scales->data(), 1.0f, 1.0f};
    if (format.choose_global) {
      float largest = 0;
      for (float v : values) largest = std::max(largest, std::fabs(v));
      format.choose_global({largest, 0.5f * largest}, &view.global_scale, &view.global_divisor);
    }
    format.encode_rows(values.data(), rows, cols, nullptr, view.global_scale, view.global_divisor, codes->data(),
                       scales->data());
    Tensor& tensor = tensors_.emplace_back();
    tensor.name = tensor.source_name = name;
    tensor.shape = std::move(shape);
    tensor.Borrow(view);
    tensor.stored_bytes = codes->size() + scales->size();
    // Find() looks names up in order.
    SortTensors();
  }
  void Matrix(const std::string& name, int64_t rows, int64_t cols, std::string_view format, Random& random,
              double scale) {
    std::vector<float> values(static_cast<size_t>(rows * cols));
    for (float& v : values) v = static_cast<float>(random.Normal() * scale);
    Add(name, {rows, cols}, GetFormat(format), values);
  }
  void Vector(const std::string& name, Random& random) {
    std::vector<float> values(256);
    for (float& v : values) v = static_cast<float>(1.0 + 0.1 * random.Normal());
    Add(name, {256}, GetFormat("f32"), values);
  }

  std::vector<std::unique_ptr<std::vector<std::byte>>> planes_;
};

}  // namespace assay
