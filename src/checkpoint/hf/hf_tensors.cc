#include "checkpoint/hf/hf_tensors.h"

#include <cstring>

#include "base/error.h"
#include "checkpoint/layout.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

/// Older files of GPT-2 and GPT-NeoX carry the causal mask.
bool IsCausalMask(std::string_view name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") || name.ends_with(".attention.bias") ||
         name.ends_with(".attention.masked_bias");
}

/// Older files carry the rotary frequencies or their cosines and sines, which config.json states too.
bool IsRotaryTable(std::string_view name) {
  return name.ends_with("rotary_emb.inv_freq") || name.ends_with("rotary_emb.cos_cached") ||
         name.ends_with("rotary_emb.sin_cached");
}

/// Layers that draft further tokens: behind the last (DeepSeek V3) or apart (Qwen3-Next; ERNIE 4.5: model.mtp_block.0).
bool IsDraft(const ModelConfig& config, std::string_view name) {
  if (name.starts_with("mtp.") || name.starts_with("model.mtp_"))
    return config.extra_layers > 0 || FindArchitecture(config.architecture)->mtp;
  for (int64_t i = 0; i < config.extra_layers; ++i)
    if (name.starts_with(
            fmt::format("{}.{}.", FindArchitecture(config.architecture)->roots.layers, config.n_layers + i)))
      return true;
  return false;
}

class Assembler {
 public:
  Assembler(const ModelConfig& config, std::span<const TensorSlot> slots, const HfQuantization* quantization,
            std::span<const SafetensorsFile> files, std::string_view where)
      : config_(config),
        slots_(slots),
        quantization_(quantization),
        held_(std::make_unique<HfSource>(files, where)),
        source_(*held_) {}

  HfTensors Run() {
    HfTensors out;
    for (const TensorSlot& slot : slots_) Place(slot, out.tensors);
    CheckTiedHead();
    if (quantization_) quantization_->Finish(source_);
    source_.ForUnused([&](const SafetensorsTensor& tensor) {
      if (IsRotaryTable(tensor.name) || IsCausalMask(tensor.name)) return;
      if (IsDraft(config_, tensor.name)) {
        ++out.drafts;
        out.draft_bytes += tensor.data.size();
        return;
      }
      Fail(ErrorKind::kUnsupported, "{}: tensor {} {} {} has no place in a {} with {} layers{}", source_.FileOf(tensor),
           tensor.name, tensor.dtype, ShapeText(tensor.shape), config_.architecture, config_.n_layers,
           quantization_ ? "" : " (and config.json has no quantization_config)");
    });
    out.side_scales = std::move(source_.side_scales);
    out.source = std::move(held_);
    return out;
  }

 private:
  void Place(const TensorSlot& slot, std::vector<Tensor>& out) {
    constexpr std::string_view kWeight = ".weight";
    std::string module = slot.hugging_face;
    if (module.ends_with(kWeight)) module.resize(module.size() - kWeight.size());
    // All experts of a layer in one tensor are no torch.nn.Linear, but gpt-oss packs them too.
    const bool linear = slot.linear || (slot.shape.size() == 3 && !QuantizedLeftover(module, source_).empty());
    Tensor tensor;
    tensor.name = slot.name;
    tensor.source_name = slot.hugging_face;
    tensor.shape = slot.shape;
    tensor.rows = 1;
    for (size_t i = 0; i + 1 < slot.shape.size(); ++i) tensor.rows *= slot.shape[i];
    tensor.cols = slot.shape.back();
    if (linear && quantization_ && quantization_->Quantizes(module, source_)) {
      quantization_->Place(module, source_, tensor);
      ASSAY_CHECK(tensor.format != nullptr && tensor.codes.there());
    } else {
      if (!slot.required && !source_.Find(slot.hugging_face)) return;
      if (linear) {
        std::string leftover = QuantizedLeftover(module, source_);
        if (!leftover.empty())
          Fail(ErrorKind::kCorrupt, "{}: tensor {} is there, but config.json does not say that {} is quantized",
               source_.where(), leftover, module);
      }
      PlacePlain(tensor, slot);
    }
    std::vector<std::span<const std::byte>> originals = source_.TakeOriginals(tensor);
    if (tensor.made()) tensor.originals = std::move(originals);
    out.push_back(std::move(tensor));
  }

  void PlacePlain(Tensor& tensor, const TensorSlot& slot) {
    const SafetensorsTensor& plain =
        source_.Take(slot.hugging_face,
                     fmt::format("expected {}; config.json says {} layers", ShapeText(slot.shape), config_.n_layers));
    std::string_view format = slot.integers ? TableFormatOfDtype(plain.dtype) : PlainFormatOfDtype(plain.dtype);
    if (format.empty())
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: dtype {} is not supported here; expected {}", source_.FileOf(plain),
           plain.name, plain.dtype, slot.integers ? "I64 or I32" : "F32, F16 or BF16");
    if (plain.shape != slot.shape && !(slot.in_hf.scalar && plain.shape.empty()))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: config.json expects shape {}, found {}", source_.FileOf(plain),
           plain.name, ShapeText(slot.shape), ShapeText(plain.shape));
    tensor.format = &GetFormat(format);
    tensor.codes = source_.Aligned(plain, CodesBytes(*tensor.format, 1, tensor.cols),
                                   static_cast<size_t>(tensor.format->block_bytes));
    tensor.stored_bytes = plain.data.size();
  }

  void CheckTiedHead() {
    if (!config_.tied_output) return;
    const ModuleRoots& roots = FindArchitecture(config_.architecture)->roots;
    const std::string head_name = fmt::format("{}.weight", roots.output);
    const std::string embedding_name = fmt::format("{}.weight", roots.embedding);
    const SafetensorsTensor *head = source_.Find(head_name), *embedding = source_.Find(embedding_name);
    if (!head) return;
    if (embedding && embedding->dtype == head->dtype && embedding->data.size() == head->data.size() &&
        std::memcmp(embedding->data.data(), head->data.data(), head->data.size()) == 0) {
      source_.Take(head_name, "");
      return;
    }
    Fail(ErrorKind::kCorrupt, "{}: tensor {} differs from {}, but config.json says tie_word_embeddings",
         source_.FileOf(*head), head_name, embedding_name);
  }

  const ModelConfig& config_;
  std::span<const TensorSlot> slots_;
  const HfQuantization* quantization_;
  std::unique_ptr<HfSource> held_;
  HfSource& source_;
};

}  // namespace

HfTensors AssembleHfTensors(const ModelConfig& config, std::span<const TensorSlot> slots,
                            const HfQuantization* quantization, std::span<const SafetensorsFile> files,
                            std::string_view where) {
  return Assembler(config, slots, quantization, files, where).Run();
}

}  // namespace assay
