#include "checkpoint/gguf/gguf_checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "checkpoint/gguf/gguf_config.h"
#include "checkpoint/gguf/gguf_scales.h"
#include "checkpoint/gguf/gguf_types.h"
#include "checkpoint/layout.h"

namespace assay {
namespace {

constexpr int kMaxSplit = 9999;

/// Layers behind the last that draft further tokens.
bool InExtraLayer(const ModelConfig& config, std::string_view name) {
  if (config.extra_layers == 0 || !name.starts_with("blk.")) return false;
  int64_t layer = -1;
  name.remove_prefix(4);
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' && layer >= config.n_layers &&
         layer < config.n_layers + config.extra_layers;
}

RopeTables ReadRopeTables(const std::vector<GgufFile>& files) {
  RopeTables tables;
  for (const GgufFile& file : files)
    for (const GgufTensor& tensor : file.tensors) {
      if (!IsRopeTable(tensor.name)) continue;
      if (tensor.format != &F32Format() || tensor.shape.size() != 1)
        Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected a vector of f32, found {} {}", file.where, tensor.name,
             tensor.format->name, ShapeText(tensor.shape));
      std::vector<float>& out = tensor.name == "rope_freqs.weight"          ? tables.freqs
                                : tensor.name == "rope_factors_long.weight" ? tables.long_factors
                                                                            : tables.short_factors;
      out.resize(static_cast<size_t>(tensor.cols));
      std::memcpy(out.data(), tensor.data, out.size() * sizeof(float));
    }
  return tables;
}

/// Older files of deepseek2 keep the projections of keys and values out of the latent space in one tensor,
/// [heads * (nope + value), kv_rank], as Hugging Face does. It becomes the two of newer files, decoded.
void SplitLatent(const ModelConfig& config, std::vector<Tensor>& tensors, std::string_view where) {
  const LatentConfig& l = config.latent;
  const int64_t heads = config.n_heads, rank = l.kv_rank, each = l.nope_dim + l.value_dim;
  std::vector<Tensor> out;
  for (Tensor& tensor : tensors) {
    constexpr std::string_view kEnd = ".attn_kv_b.weight";
    if (rank == 0 || !tensor.name.ends_with(kEnd)) {
      out.push_back(std::move(tensor));
      continue;
    }
    if (tensor.shape != std::vector<int64_t>{heads * each, rank})
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected {}, found {}", where, tensor.name,
           ShapeText({heads * each, rank}), ShapeText(tensor.shape));
    const std::string block = tensor.name.substr(0, tensor.name.size() - kEnd.size());
    auto add = [&](const char* name, int64_t rows, int64_t cols, RowMaker make) {
      Tensor& part = out.emplace_back();
      part.name = part.source_name = block + name;
      part.shape = {heads, rows, cols};
      part.Borrow(ViewOf(F32Format(), heads * rows, cols, nullptr));
      part.codes.make = std::move(make);
      part.rows_at_once = rows;
      part.originals = tensor.Sources();
      part.stored_bytes = tensor.stored_bytes * static_cast<uint64_t>(rows * cols) / static_cast<uint64_t>(each * rank);
    };
    // Keys lie the other way round: row h * rank + c holds column c of head h.
    add(".attn_k_b.weight", rank, l.nope_dim,
        [tensor, rank, each, nope = l.nope_dim](int64_t begin, int64_t n, std::byte* to) {
          std::vector<float> row(static_cast<size_t>(rank));
          for (int64_t head = begin / rank; head * rank < begin + n; ++head) {
            const LoadedTensor keys = tensor.LoadRows(head * each, nope);
            const int64_t first = std::max(begin, head * rank), last = std::min(begin + n, (head + 1) * rank);
            for (int64_t at = 0; at < nope; ++at) {
              keys.view.format->decode_row(keys.view, at, row.data());
              for (int64_t r = first; r < last; ++r)
                std::memcpy(to + ((r - begin) * nope + at) * 4, &row[static_cast<size_t>(r - head * rank)], 4);
            }
          }
        });
    add(".attn_v_b.weight", l.value_dim, rank,
        [tensor, rank, each, nope = l.nope_dim, value = l.value_dim](int64_t begin, int64_t n, std::byte* to) {
          for (int64_t r = begin; r < begin + n; ++r, to += rank * 4) {
            const LoadedTensor row = tensor.LoadRows(r / value * each + nope + r % value, 1);
            row.view.format->decode_row(row.view, 0, reinterpret_cast<float*>(to));
          }
        });
  }
  tensors = std::move(out);
}

/// Numbers of layers that GGUF keeps in metadata, an item a layer or one for all, become the tensors that others have.
void AddParameters(const GgufFile& file, const ModelConfig& config, std::vector<Tensor>& tensors) {
  for (const TensorSlot& slot : TensorSlots(config)) {
    const std::string& key = slot.in_gguf.metadata;
    if (key.empty()) continue;
    const GgufValue* value = file.Find(key);
    if (!value) Fail(ErrorKind::kCorrupt, "{}: metadata {} is missing", file.where, key);
    float number = 0;
    if (value->type != GgufType::kArray) {
      number = static_cast<float>(file.Number(key, 0.0));
    } else {
      if (static_cast<int64_t>(file.Array(key, GgufType::kFloat32)->count) < config.n_layers)
        Fail(ErrorKind::kCorrupt, "{}: metadata {}: expected {} items, found {}", file.where, key, config.n_layers,
             value->count);
      number = static_cast<float>(value->ItemNumber(static_cast<uint64_t>(slot.in_gguf.item)));
    }
    Tensor& tensor = tensors.emplace_back();
    tensor.name = tensor.source_name = slot.name;
    tensor.shape = {1};
    tensor.format = &F32Format();
    tensor.rows = tensor.cols = 1;
    tensor.codes.make = [number](int64_t, int64_t, std::byte* out) { std::memcpy(out, &number, sizeof number); };
  }
}

}  // namespace

std::optional<SplitName> ParseSplitName(const std::string& name) {
  constexpr size_t kTail = sizeof("-00001-of-00003.gguf") - 1;
  if (name.size() <= kTail) return std::nullopt;
  std::string tail = name.substr(name.size() - kTail);
  SplitName split;
  auto digits = [&](size_t at, int* out) {
    *out = 0;
    for (size_t i = at; i < at + 5; ++i) {
      if (tail[i] < '0' || tail[i] > '9') return false;
      *out = *out * 10 + (tail[i] - '0');
    }
    return true;
  };
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf") return std::nullopt;
  if (!digits(1, &split.number) || !digits(10, &split.count)) return std::nullopt;
  split.stem = name.substr(0, name.size() - kTail);
  return split;
}

void GgufCheckpoint::CheckSplit() const {
  const GgufFile& first = files_.front();
  int64_t stated = first.Int("split.count", 1);
  if (stated != static_cast<int64_t>(files_.size()) && !(stated == 0 && files_.size() == 1))
    Fail(ErrorKind::kCorrupt, "{}: metadata split.count says {} files, found {}", first.where, stated, files_.size());
  if (files_.size() == 1) return;
  uint64_t n_tensors = 0;
  for (size_t i = 0; i < files_.size(); ++i) {
    const GgufFile& file = files_[i];
    n_tensors += file.tensors.size();
    if (file.Int("split.no") != static_cast<int64_t>(i))
      Fail(ErrorKind::kCorrupt, "{}: metadata split.no: expected {}, found {}", file.where, i, file.Int("split.no"));
    if (file.Int("split.count") != stated)
      Fail(ErrorKind::kCorrupt, "{}: metadata split.count: expected {}, found {}", file.where, stated,
           file.Int("split.count"));
    for (const GgufEntry& entry : file.metadata) {
      if (i == 0 || entry.key == "split.no") continue;
      const GgufValue* same = first.Find(entry.key);
      if (same && !std::equal(same->encoded.begin(), same->encoded.end(), entry.value.encoded.begin(),
                              entry.value.encoded.end()))
        Fail(ErrorKind::kCorrupt, "{}: metadata {} differs from {}: not files of one set", file.where, entry.key,
             first.where);
    }
  }
  int64_t expected = first.Int("split.tensors.count", static_cast<int64_t>(n_tensors));
  if (expected != static_cast<int64_t>(n_tensors))
    Fail(ErrorKind::kCorrupt, "{}: metadata split.tensors.count says {} tensors, the {} files have {}", first.where,
         expected, files_.size(), n_tensors);
}

GgufCheckpoint::GgufCheckpoint(std::filesystem::path path, std::vector<GgufFile> files, std::vector<MappedFile> keep)
    : files_(std::move(files)), keep_(std::move(keep)) {
  container_ = Container::kGguf;
  path_ = std::move(path);
  CheckSplit();
  const GgufFile& head = files_.front();
  if (head.Find("tokenizer.ggml.model") &&
      std::all_of(files_.begin(), files_.end(), [](const GgufFile& file) { return file.tensors.empty(); }))
    Fail(ErrorKind::kUnsupported, "{}: no tensors: a vocabulary, which `tokenize` and `inspect` read, not a model",
         head.where);
  const bool tied = std::none_of(files_.begin(), files_.end(),
                                 [](const GgufFile& file) { return file.FindTensor("output.weight") != nullptr; });
  for (size_t i = 1; i < files_.size(); ++i)
    for (const GgufTensor& tensor : files_[i].tensors) files_.front().elsewhere.insert(tensor.name);
  GgufModel model = ReadGgufModel(head, ReadRopeTables(files_), tied);
  config_ = std::move(model.config);
  as_made_ = std::move(model.as_made);
  differences_ = std::move(model.differences);
  GgufScales scales;
  bool i2s = false;
  uint64_t drafts = 0, draft_bytes = 0;
  std::unordered_map<std::string_view, const GgufFile*> names;
  for (const GgufFile& file : files_) {
    file_bytes_ += file.file_bytes;
    for (const GgufTensor& source : file.tensors) {
      if (InExtraLayer(config_, source.name)) {
        ++drafts;
        draft_bytes += source.bytes;
        continue;
      }
      auto [before, fresh] = names.emplace(source.name, &file);
      if (!fresh)
        Fail(ErrorKind::kCorrupt, "{}: tensor {} is in {} too", file.where, source.name, before->second->where);
      if (scales.Take(file, source, files_)) continue;
      Tensor tensor;
      tensor.name = tensor.source_name = std::string(source.name);
      tensor.shape = source.shape;
      tensor.Borrow(ViewOf(*source.format, source.rows, source.cols, source.data));
      tensor.stored_bytes = source.bytes;
      if (source.format->has_global) {  // I2_S
        std::memcpy(&tensor.global_scale, source.data + source.bytes - kGgufI2sTailBytes, sizeof(float));
        if (!std::isfinite(tensor.global_scale))
          Fail(ErrorKind::kCorrupt, "{}: tensor {}: its scale is {}", file.where, source.name, tensor.global_scale);
        i2s = true;
      }
      tensors_.push_back(std::move(tensor));
    }
  }
  // Newer files of deepseek2 may carry it beside the two.
  if (!names.contains("blk.0.attn_k_b.weight")) SplitLatent(config_, tensors_, head.where);
  SplitStored(layout(), container_, tensors_, head.where);
  AddParameters(head, config_, tensors_);
  scales.Apply(layout(), tensors_);
  SortTensors();
  CheckTensors(layout(), config_, tensors_, head.where);
  CheckTables(config_, tensors_, head.where);

  tokenizer_ = GgufTokenizer(head);
  config_.stop_tokens = tokenizer_.ends;
  if (as_made_) as_made_->stop_tokens = config_.stop_tokens;
  LeaveDrafts(drafts, draft_bytes);
  chat_template_ = GgufChatTemplate(head);
  extra_chat_templates_ = GgufExtraChatTemplates(head);
  metadata_ = GgufMetadataJson(head);
  if (head.Find("general.file_type")) {
    int64_t file_type = head.Int("general.file_type") & 1023;  // 1024: "guessed"
    scheme_ = std::string(GgufFileTypeName(static_cast<uint64_t>(file_type)));
    if (i2s) scheme_ = "i2_s (bitnet.cpp)";  // llama.cpp has given the number to another
    if (scheme_.empty()) scheme_ = fmt::format("file type {}", file_type);
  } else {
    scheme_ = std::string(main_format());
  }
}

std::shared_ptr<const GgufCheckpoint> GgufCheckpoint::Open(const std::filesystem::path& path) {
  std::vector<MappedFile> mapped;
  std::vector<GgufFile> files;
  auto add = [&](const std::filesystem::path& file) {
    mapped.push_back(MappedFile::Open(file));
    files.push_back(GgufFile::Parse(mapped.back().bytes(), file.string()));
  };
  add(path);
  std::optional<SplitName> split = ParseSplitName(path.filename().string());
  int64_t stated = files.front().Int("split.count", 1);
  if (stated > 1) {
    if (!split)
      Fail(ErrorKind::kInvalid,
           "{}: one of {} files that belong together; expected a name like NAME-00001-of-{:05}.gguf", path.string(),
           stated, stated);
    if (stated > kMaxSplit || split->count != stated)
      Fail(ErrorKind::kCorrupt, "{}: metadata split.count says {} files, the name says {}", path.string(), stated,
           split->count);
    auto name_of = [&](int number) {
      return path.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", split->stem, number, split->count);
    };
    if (split->number != 1)
      Fail(ErrorKind::kInvalid, "{}: open the first file of the set, {}", path.string(), name_of(1).string());
    for (int i = 2; i <= split->count; ++i) add(name_of(i));
  }
  return std::make_shared<GgufCheckpoint>(path, std::move(files), std::move(mapped));
}

}  // namespace assay
