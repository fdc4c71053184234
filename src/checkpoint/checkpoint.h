#pragma once
// A model as it lies on the disk, whichever container it comes in: hyperparameters, tokenizer, chat template and
// tensors under one set of names. Opening reads headers and small tensors and validates what they say; weights are
// read, and what only they can say is found, when a tensor is loaded (tensor.h).
//
// Tensor names are GGUF's (token_embd.weight, output_norm.weight, output.weight,
// blk.N.{attn_norm,attn_q,attn_k,attn_v,attn_output, ffn_norm,ffn_gate,ffn_up,ffn_down}.{weight,bias}), because they
// are short and architecture-neutral.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint/tensor.h"
#include "describe/model_config.h"
#include "describe/slots.h"
#include "text/tokenizer.h"

namespace assay {

/// Const after Open and shareable between threads; keeps the mappings alive.
class Checkpoint {
 public:
  /// `path`: a .gguf file (the first of a split set opens them all), a .safetensors file's folder, or a Hugging Face
  /// snapshot folder. Errors name file, tensor, expected and found.
  static std::shared_ptr<const Checkpoint> Open(const std::filesystem::path& path);
  /// The tokenizer alone, of files that need not hold a model: a vocabulary-only GGUF, a folder of tokenizer files.
  static TokenizerSpec OpenTokenizer(const std::filesystem::path& path);
  virtual ~Checkpoint() = default;

  Container container() const { return container_; }
  const std::filesystem::path& path() const { return path_; }
  /// As the engine that the container is made for runs it.
  const ModelConfig& config() const { return config_; }
  /// As its maker means it, which `reference` arithmetic runs. The same, but where differences() has an entry.
  const ModelConfig& as_made() const { return as_made_ ? *as_made_ : config_; }
  /// What the engine does otherwise than the maker, and why it would not load the files, a sentence each; for people.
  const std::vector<std::string>& differences() const { return differences_; }
  const TokenizerSpec& tokenizer() const { return tokenizer_; }
  /// Empty when the model ships none.
  const std::string& chat_template() const { return chat_template_; }
  /// Further templates by name (`tool_use`, `rag` …).
  const std::map<std::string, std::string>& extra_chat_templates() const { return extra_chat_templates_; }
  /// In the order of ListedBefore: layer after layer.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  /// Which tensors the model has and where files have them, by its configuration.
  const Layout& layout() const;
  /// HfSlots of its configuration, for whoever reads or writes a Hugging Face folder of it: built once, as layout() is.
  const std::vector<TensorSlot>& hf_slots() const;
  const Tensor* Find(std::string_view name) const;
  /// Throws Error{kCorrupt} naming the file and the tensor.
  const Tensor& Get(std::string_view name) const;
  /// Sum of all files, bytes.
  uint64_t file_bytes() const { return file_bytes_; }
  /// Bits stored per weight of all tensors of two or more dimensions.
  double bits_per_weight() const;
  /// Weights in all tensors.
  uint64_t parameter_count() const;
  /// The format that most weights of the matrices (embedding apart) have, e.g. "q4_k"; for people.
  std::string_view main_format() const;
  /// XXH3-128 over config, tokenizer and all tensors' names, shapes, formats and planes. Computed on first use, which
  /// loads every tensor, cached; equal fingerprints mean equal answers. Throws as Tensor::Load does.
  std::string fingerprint() const;
  /// "compressed-tensors float-quantized W8A8"…: what quantization_config says, or the GGUF file type's name; for
  /// people.
  const std::string& scheme() const { return scheme_; }
  /// What the files hold beside the language model, for people; empty: nothing.
  const std::string& unread() const { return unread_; }
  /// Of that, the layers that draft further tokens.
  const std::string& drafts() const { return drafts_; }
  /// Hugging Face: the parsed config.json (of a model of text and images, that of its language model); GGUF: metadata
  /// as an object (arrays longer than 64 elements left out).
  const Json& metadata() const { return metadata_; }
  /// Calibrated scales of activations and of the KV cache that the files state beside the weights, by tensor name.
  const std::map<std::string, std::vector<float>>& side_scales() const { return side_scales_; }
  /// Whether those of the KV cache are for E4M3.
  bool fp8_cache() const { return fp8_cache_; }

 protected:
  Container container_ = Container::kGguf;
  std::filesystem::path path_;
  ModelConfig config_;
  std::optional<ModelConfig> as_made_;
  std::vector<std::string> differences_;
  TokenizerSpec tokenizer_;
  std::string chat_template_;
  std::map<std::string, std::string> extra_chat_templates_;
  std::vector<Tensor> tensors_;  // sorted once opened
  void SortTensors();
  uint64_t file_bytes_ = 0;
  /// Notes what was found of layers that draft further tokens.
  void LeaveDrafts(uint64_t tensors, uint64_t bytes);
  /// Adds to unread().
  void SayUnread(std::string_view what);

  std::string scheme_, unread_, drafts_;
  Json metadata_;
  std::map<std::string, std::vector<float>> side_scales_;
  bool fp8_cache_ = false;

 private:
  mutable std::once_flag layout_once_;
  mutable std::unique_ptr<const Layout> layout_;
  mutable std::once_flag hf_slots_once_;
  mutable std::vector<TensorSlot> hf_slots_;
  mutable std::once_flag fingerprint_once_;
  mutable std::string fingerprint_;
};

}  // namespace assay
