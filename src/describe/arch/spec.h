#pragma once
// The description of an architecture: what the two containers call it, its hyperparameters and its tensors, and how its
// blocks are wired. One file per family beside this one, one row in table.cc; the decoder in model/ runs the result.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "describe/gguf_keys.h"
#include "describe/gguf_metadata.h"
#include "describe/model_config.h"

namespace assay {

/// What a container calls a part of a layer ("attn_q"). Parts with the same stored name share one tensor, in the order
/// in which the list names them.
struct StoredName {
  enum class Order : uint8_t {
    kConcatenated,  // of the shared tensor's rows: one part after the other,
    kPerHead,       // all parts of one head, then of the next,
    kPerKeyHead,    // the same for heads of keys of a gated delta net,
    kAlternating,   // a row of each in turn
  };
  std::string_view part, stored;  // stored: "{}" stands for the expert; without it all experts share one tensor
  Order order = Order::kConcatenated;
  bool transposed = false;  // [in, out]
  bool row = false;         // a vector that lies there as a matrix of one row
};

/// What Hugging Face calls the parts outside of the layers, and the layers.
struct ModuleRoots {
  std::string_view embedding = "model.embed_tokens", layers = "model.layers", output_norm = "model.norm",
                   output = "lm_head", positions = "";
};

/// config.json with typed access; messages name file and key.
struct HfFields {
  const Json& json;
  std::string where;
  std::string_view hf_class = "";   // of its description's, the one that the file names
  bool Has(const char* key) const;  // and is not null
  bool Stated(const char* key) const { return json.contains(key); }  // null too
  /// Refuses what is so large that the product of two does not fit.
  int64_t Int(const char* key) const;
  int64_t Int(const char* key, int64_t fallback) const { return Has(key) ? Int(key) : fallback; }
  double Number(const char* key, double fallback) const {
    return Has(key) ? JsonNumber(json, key, where, fallback) : fallback;
  }
  /// null is no, as Python has it.
  bool Bool(const char* key, bool fallback) const { return JsonBool(json, key, where, Stated(key) ? false : fallback); }
  std::string Text(const char* key, const char* fallback) const {
    return Has(key) ? JsonString(json, key, where) : fallback;
  }
};

/// The metadata below the architecture's prefix.
struct GgufFields {
  const GgufKeys& file;
  std::string prefix;  // "llama."
  bool Has(std::string_view key) const { return file.Find(prefix + std::string(key)) != nullptr; }
  int64_t Int(std::string_view key) const { return file.Int(prefix + std::string(key)); }
  int64_t Int(std::string_view key, int64_t fallback) const { return file.Int(prefix + std::string(key), fallback); }
  /// Of a layer: its item of an array, or the one number for all.
  int64_t OfLayer(std::string_view key, int64_t layer, int64_t fallback) const;
  double Number(std::string_view key, double fallback) const {
    return file.Number(prefix + std::string(key), fallback);
  }
  bool Bool(std::string_view key, bool fallback) const { return file.Bool(prefix + std::string(key), fallback); }
};

struct ArchitectureSpec {
  std::string_view name;                                  // GGUF's general.architecture; ours where llama.cpp has none
  std::string_view gguf_name = "";                        // where it differs
  std::vector<std::string_view> classes = {};             // Hugging Face's
  std::vector<std::string_view> model_types = {};         // of a config.json that names no class: of the first classes
  bool in_llama_cpp = true;                               // else no GGUF is read or written
  bool hf_interleaved = false, gguf_interleaved = false;  // ModelConfig::rope_interleaved of the container
  bool gguf_tiled_heads = false;                          // DeltaConfig::tiled of GGUF
  bool gguf_folds = false;                                // GGUF has the multipliers in the weights (Folded)
  bool gguf_zero_heads = false;                           // GGUF: layers without attention have 0 key-value heads
  bool gguf_head_counts = false;    // GGUF: heads are listed a layer; 0 where nothing stands in place of attention
  bool gguf_layers_differ = false;  // GGUF: in key-value heads and feed-forward sizes, which the description reads
  bool layer_overrides = false;     // Hugging Face: reads per_layer_config
  ModuleRoots roots = {};
  std::vector<StoredName> hf = {}, gguf = {};                     // where they differ from Llama's and from ours
  std::vector<std::pair<const char*, const char*>> hf_keys = {};  // this model's key, Llama's key
  void (*normalize)(Json&) =
      nullptr;  // puts what config.json says in another way in these words, before anything is read
  bool (*fits)(const HfFields&) = nullptr;  // of descriptions of one class the first that fits its config.json is taken
  bool mixture = false;    // has experts; of descriptions with the same gguf_name the one that fits is taken
  bool dense_too = false;  // mixture: or has none
  bool mtp = false;  // Hugging Face: may have tensors mtp.* or model.mtp_*, drafts of tokens, whatever config.json says
  bool minus_one = false;       // Hugging Face stores the weights of RMS norms less one
  double partial_rotary = 0.0;  // Hugging Face: the part of a head that turns where the file states none; 0: all of it,
                                // whatever partial_rotary_factor says
  /// Hugging Face: what rope_parameters calls the rotations of the layers without and with local_rope, and the keys
  /// that state their bases where it does not. Names empty: one for all.
  struct RopeKind {
    std::string_view name = "";
    const char* theta = "rope_theta";
  };
  RopeKind rope_main = {}, rope_local = {};
  const char* rope_default = nullptr;  // rope_parameters of a file that states no rotation
  bool proportional_rope = false;      // RoPE of type proportional
  bool rope_flat = false;  // an object without these names is that of the main kind; the local one is not scaled
  /// The model_type of one of the classes.
  std::string_view TypeOf(std::string_view hf_class) const {
    for (size_t i = 0; i < model_types.size(); ++i)
      if (classes[i] == hf_class) return model_types[i];
    return model_types.front();  // an older spelling of the first
  }
  /// What all models of the architecture have in common; before anything is read.
  void (*wire)(ModelConfig&) = nullptr;
  /// What only this architecture's files say; after the common hyperparameters.
  void (*from_hf)(const HfFields&, ModelConfig&) = nullptr;
  /// What Hugging Face says of the rotation in another way; last.
  void (*rope_from_hf)(const HfFields&, ModelConfig&) = nullptr;
  void (*from_gguf)(const GgufFields&, ModelConfig&) = nullptr;
  void (*to_gguf)(const ModelConfig&, const std::string& prefix, GgufMetadata&) = nullptr;
  /// Where llama.cpp runs the architecture otherwise than its maker: makes the configuration the maker's, with a
  /// sentence for each difference (Checkpoint::differences).
  void (*as_made)(const GgufFields&, ModelConfig&, std::vector<std::string>&) = nullptr;
  /// What config.json says beyond, or instead of, Llama's keys (HfConfigJson), under this model's own names.
  void (*to_hf)(const ModelConfig&, Json&) = nullptr;
};

std::span<const ArchitectureSpec> ArchitectureSpecs();
/// Null when there is none.
const ArchitectureSpec* FindArchitecture(std::string_view name);
/// By general.architecture and whether the file has experts.
const ArchitectureSpec* FindArchitectureOfGguf(std::string_view name, bool experts);
std::string_view GgufName(const ArchitectureSpec& spec);
/// "llama (LlamaForCausalLM)"-like names of all, and the nearest one, for refusals.
[[noreturn]] void RefuseArchitecture(std::string_view where, std::string_view name, bool hugging_face);

// Pieces that descriptions share.

/// Qwen's: every decoder_sparse_step-th layer that is not in mlp_only_layers has experts.
void ReadSparseLayers(const HfFields& in, ModelConfig& config);
/// mlp_layer_types, "sparse" or "dense" for each layer; false: the file states none.
bool ReadMlpLayerTypes(const HfFields& in, ModelConfig& config);
/// sliding_window, null: none; `fallback`: the class's default where the file does not state it.
int64_t ReadWindow(const HfFields& in, int64_t fallback);
/// The object that describes the rotation: rope_scaling, else rope_parameters, as transformers takes them; empty: none.
Json RopeObject(const HfFields& in);
/// layer_types of config.json, else the last of every `pattern` layers is full and the others have the window. 0: leave
/// all alike.
void ReadLayerTypes(const HfFields& in, ModelConfig& config, int64_t pattern);
/// The same for GGUF (attention.sliding_window_pattern).
void ReadWindowPattern(const GgufFields& in, ModelConfig& config, int64_t pattern);
/// Mamba-2 in the words of Granite 4 and Falcon-H1, after the hidden size is known; biases of projections are refused.
void ReadMamba(const HfFields& in, ModelConfig& config);
void AddMamba(const ModelConfig& config, Json& out);
/// The same in GGUF.
void ReadMamba(const GgufFields& in, ModelConfig& config);
void AddMamba(const ModelConfig& config, const std::string& prefix, GgufMetadata& out);
/// Limits of the step of a state are 0 and infinity, else Error{kUnsupported}.
void RefuseStepLimit(const HfFields& in, const char* key);
/// GGUF: layers without key-value heads (gguf_zero_heads) are recurrent.
void ReadRecurrentLayers(const GgufFields& in, ModelConfig& config);
/// The reverse of ReadWindowPattern: nothing where the readers' own pattern says the same.
void AddWindowPattern(const ModelConfig& config, const std::string& prefix, int64_t pattern, GgufMetadata& out);
/// Puts the window on every layer that is not the last of `pattern`.
void SetWindowPattern(ModelConfig& config, int64_t pattern);
void SetAllLayers(ModelConfig& config);   // makes `layers` explicit
void SetAllExperts(ModelConfig& config);  // a mixture in every layer
/// Layers with a window rotate by `theta`.
void SetLocalRope(ModelConfig& config, double theta);
/// The last `shared` layers attend to what the last layer of their kind before them has kept.
void ShareKeys(ModelConfig& config, int64_t shared, const std::string& where);
/// How many do.
int64_t SharedLayers(const ModelConfig& config);
Activation ReadActivation(const HfFields& in, const char* key, const char* fallback);
/// The reverse of ReadActivation, and of ReadLayerTypes.
const char* ActivationName(Activation activation);
Json LayerTypesJson(const ModelConfig& config);
/// 0.2 for 0.2 that has been a float32.
double ShortFloat(double value);

// The rows of the table.
ArchitectureSpec LlamaSpec();
ArchitectureSpec Mistral3Spec();
ArchitectureSpec SmolLm3Spec();
ArchitectureSpec Qwen2Spec();
ArchitectureSpec Qwen3Spec();
ArchitectureSpec Gemma2Spec();
ArchitectureSpec Gemma3Spec();
ArchitectureSpec Gemma3nSpec();
ArchitectureSpec Gemma4Spec();
ArchitectureSpec Phi3Spec();
ArchitectureSpec GraniteSpec();
ArchitectureSpec Granite4Spec();
ArchitectureSpec GraniteHybridSpec();
ArchitectureSpec Glm4Spec();
ArchitectureSpec CommandRSpec();
ArchitectureSpec Cohere2Spec();
ArchitectureSpec Gpt2Spec();
ArchitectureSpec GptNeoXSpec();
ArchitectureSpec MixtralSpec();
ArchitectureSpec Qwen2MoeSpec();
ArchitectureSpec Qwen3MoeSpec();
ArchitectureSpec GptOssSpec();
ArchitectureSpec Llama4Spec();
ArchitectureSpec DeepSeek2Spec();
ArchitectureSpec DeepSeek32Spec();
ArchitectureSpec GlmDsaSpec();
ArchitectureSpec DeepSeek4Spec();
ArchitectureSpec BitNetSpec();
ArchitectureSpec Qwen3NextSpec();
ArchitectureSpec Qwen35Spec();
ArchitectureSpec Qwen35MoeSpec();
ArchitectureSpec SeedOssSpec();
ArchitectureSpec GlmSpec();
ArchitectureSpec Glm4MoeSpec();
ArchitectureSpec Ernie45Spec();
ArchitectureSpec Ernie45MoeSpec();
ArchitectureSpec Starcoder2Spec();
ArchitectureSpec GraniteMoeSpec();
ArchitectureSpec Olmo2Spec();
ArchitectureSpec Olmo3Spec();
ArchitectureSpec Exaone4Spec();
ArchitectureSpec ApertusSpec();
ArchitectureSpec HunyuanDenseSpec();
ArchitectureSpec HunyuanMoeSpec();
ArchitectureSpec MiniMaxM2Spec();
ArchitectureSpec Glm4MoeLiteSpec();
ArchitectureSpec Lfm2Spec();
ArchitectureSpec Lfm2MoeSpec();
ArchitectureSpec FalconH1Spec();
ArchitectureSpec NemotronHSpec();
ArchitectureSpec NemotronHMoeSpec();
ArchitectureSpec NemotronSpec();
ArchitectureSpec DeciSpec();

}  // namespace assay
