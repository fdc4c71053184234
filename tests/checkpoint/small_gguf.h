#pragma once
// A GGUF file of one layer and eight tokens, built by hand so that tests can break any part of it.

#include <cstring>
#include <string>
#include <vector>

#include "checkpoint/gguf/gguf_metadata.h"

namespace assay {

struct SmallTensor {
  std::string name;
  std::vector<uint64_t> dims;  // file order: fastest first
  uint32_t type = 0;
  uint64_t bytes = 0;
  int64_t offset = -1;  // -1: after the one before, aligned
};

struct SmallGguf {
  uint32_t version = 3;
  int64_t n_tensors = -1, n_entries = -1;  // -1: the truth
  GgufMetadata metadata;
  std::vector<SmallTensor> tensors;
  std::string skip_key;

  /// `without` leaves one metadata key out, so that a test can add it differently.
  explicit SmallGguf(std::string without = "") : skip_key(std::move(without)) {
    auto text = [&](const char* key, const char* value) {
      if (skip_key != key) metadata.AddString(key, value);
    };
    auto number = [&](const char* key, uint64_t value) {
      if (skip_key != key) metadata.AddUint32(key, value);
    };
    text("general.architecture", "llama");
    number("llama.block_count", 1);
    number("llama.context_length", 16);
    number("llama.embedding_length", 4);
    number("llama.feed_forward_length", 4);
    number("llama.attention.head_count", 2);
    if (skip_key != "llama.attention.layer_norm_rms_epsilon")
      metadata.AddFloat32("llama.attention.layer_norm_rms_epsilon", 1e-5);
    text("tokenizer.ggml.model", "gpt2");
    text("tokenizer.ggml.pre", "gpt-2");
    if (skip_key != "tokenizer.ggml.tokens")
      metadata.AddStrings("tokenizer.ggml.tokens", {"<s>", "a", "b", "c", "d", "e", "ab", "cd"});
    if (skip_key != "tokenizer.ggml.token_type")
      metadata.AddInts("tokenizer.ggml.token_type", {3, 1, 1, 1, 1, 1, 1, 1});
    if (skip_key != "tokenizer.ggml.merges") metadata.AddStrings("tokenizer.ggml.merges", {"a b", "c d"});
    number("tokenizer.ggml.eos_token_id", 0);
    auto matrix = [&](const char* name, uint64_t out, uint64_t in) {
      tensors.push_back({name, {in, out}, 0, out * in * 4, -1});
    };
    auto vector = [&](const char* name) { tensors.push_back({name, {4}, 0, 16, -1}); };
    matrix("token_embd.weight", 8, 4);
    vector("blk.0.attn_norm.weight");
    for (const char* name :
         {"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight", "blk.0.attn_output.weight"})
      matrix(name, 4, 4);
    vector("blk.0.ffn_norm.weight");
    for (const char* name : {"blk.0.ffn_gate.weight", "blk.0.ffn_up.weight", "blk.0.ffn_down.weight"})
      matrix(name, 4, 4);
    vector("output_norm.weight");
  }

  SmallTensor& tensor(const std::string& name) {
    for (SmallTensor& t : tensors)
      if (t.name == name) return t;
    return tensors.front();
  }

  template <typename T>
  static void Put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  std::string Bytes() const {
    std::string out = "GGUF";
    Put(out, version);
    Put<uint64_t>(out, n_tensors < 0 ? tensors.size() : static_cast<uint64_t>(n_tensors));
    Put<uint64_t>(out, n_entries < 0 ? metadata.count() : static_cast<uint64_t>(n_entries));
    out += metadata.bytes();
    uint64_t at = 0, end = 0;
    for (const SmallTensor& t : tensors) {
      Put<uint64_t>(out, t.name.size());
      out += t.name;
      Put(out, static_cast<uint32_t>(t.dims.size()));
      for (uint64_t dim : t.dims) Put(out, dim);
      Put(out, t.type);
      Put(out, t.offset < 0 ? at : static_cast<uint64_t>(t.offset));
      end = at + t.bytes;
      at = (end + 31) / 32 * 32;
    }
    out.resize((out.size() + 31) / 32 * 32, '\0');
    for (uint64_t i = 0; i < end; i += 4) Put(out, 0.25f);
    return out;
  }
};

}  // namespace assay
