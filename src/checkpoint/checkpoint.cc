#include "checkpoint/checkpoint.h"

#include <algorithm>

#include "base/error.h"
#include "base/fields.h"
#include "base/hash.h"
#include "base/strings.h"
#include "checkpoint/gguf/gguf_checkpoint.h"
#include "checkpoint/gguf/gguf_config.h"
#include "checkpoint/hf/hf_checkpoint.h"
#include "checkpoint/model_files.h"
#include "system/file.h"
#include "system/threads.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kHashChunk = int64_t{8} << 20;

/// Hashes of all planes in pieces, so that several processors read at memory speed; the pieces are fixed by the tensors
/// alone. Planes that have to be made are there one tensor at a time. The order is that of the names' bytes.
void AddTensors(Hasher& hasher, std::vector<Tensor> tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  std::vector<std::string> hashes;
  std::vector<std::pair<size_t, std::span<const std::byte>>> pieces;  // with their places in `hashes`
  std::vector<PackedView> views;                                      // of planes that may be gone
  ThreadPool pool;
  auto hash_pieces = [&] {
    pool.For(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const auto& [at, piece] = pieces[static_cast<size_t>(i)];
        hashes[at] = HashHex(piece);
      }
    });
    pieces.clear();
  };
  for (const Tensor& tensor : tensors) {
    const LoadedTensor loaded = tensor.Load(pool);
    const PackedView& view = views.emplace_back(loaded.view);
    auto cut = [&](const std::byte* data, int64_t bytes) {
      for (int64_t at = 0; at < bytes; at += kHashChunk) {
        pieces.emplace_back(hashes.size(), std::span(data + at, static_cast<size_t>(std::min(kHashChunk, bytes - at))));
        hashes.emplace_back();
      }
    };
    cut(view.codes, tensor.codes_bytes());
    if (view.scales) cut(view.scales, tensor.scales_bytes());
    if (view.column_group)
      cut(reinterpret_cast<const std::byte*>(view.column_group), view.cols * static_cast<int64_t>(sizeof(int32_t)));
    if (loaded.made) hash_pieces();
  }
  hash_pieces();
  for (size_t i = 0; i < tensors.size(); ++i) {
    // All members, so that a new one cannot be forgotten; the planes are above.
    const auto& [format, rows, cols, codes, scales, global_scale, global_divisor, column_group, activation_scale, cycle,
                 cycle_begin] = views[i];
    hasher.AddText(tensors[i].name);
    hasher.AddText(format->name);
    AddFields(hasher, tensors[i].shape);
    AddFields(hasher, global_scale);
    AddFields(hasher, global_divisor);
    AddFields(hasher, activation_scale);
    AddFields(hasher, cycle);
    AddFields(hasher, cycle_begin);
  }
  for (const std::string& hash : hashes) hasher.AddText(hash);
}

/// A folder of Hugging Face's cache (models--org--name) stands for its current snapshot.
fs::path ResolveSnapshot(const fs::path& path) {
  if (!fs::is_directory(path / "snapshots") || fs::exists(path / "config.json")) return path;
  std::error_code ignored;
  if (fs::exists(path / "refs" / "main", ignored)) {
    std::string revision = ReadFile(path / "refs" / "main", 4096);
    revision.erase(
        std::remove_if(revision.begin(), revision.end(), [](char c) { return c == '\n' || c == '\r' || c == ' '; }),
        revision.end());
    if (!revision.empty() && revision.find('/') == std::string::npos && fs::is_directory(path / "snapshots" / revision))
      return path / "snapshots" / revision;
  }
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path / "snapshots")) found.push_back(entry.path());
  if (found.size() == 1) return found.front();
  Fail(ErrorKind::kInvalid, "{}: {} snapshots; name one of them", path.string(), found.size());
}

std::shared_ptr<const Checkpoint> OpenFolder(const fs::path& path) {
  if (fs::exists(path / "config.json")) return OpenHuggingFace(path);
  std::vector<fs::path> gguf;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    std::string name = entry.path().filename().string();
    bool later_part = name.find("-of-") != std::string::npos && name.find("-00001-of-") == std::string::npos;
    if (name.ends_with(".gguf") && !later_part) gguf.push_back(entry.path());
  }
  if (gguf.size() == 1) return GgufCheckpoint::Open(gguf.front());
  if (gguf.size() > 1)
    Fail(ErrorKind::kInvalid, "{}: {} GGUF files in this folder; name one of them", path.string(), gguf.size());
  Fail(ErrorKind::kNotFound, "{}: neither config.json nor a .gguf file in this folder", path.string());
}

}  // namespace

std::shared_ptr<const Checkpoint> Checkpoint::Open(const fs::path& path) {
  std::error_code error;
  fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    Fail(ErrorKind::kNotFound, "{}: no such file or folder", path.string());
  if (status.type() == fs::file_type::directory) return OpenFolder(ResolveSnapshot(path));
  std::string name = path.filename().string();
  if (IsFileOfFolder(name)) return OpenFolder(path.has_parent_path() ? path.parent_path() : fs::path("."));
  return GgufCheckpoint::Open(path);
}

TokenizerSpec Checkpoint::OpenTokenizer(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = path;
  if (!fs::is_directory(path, ignored)) {
    const std::string name = path.filename().string();
    if (!IsFileOfFolder(name) && !IsTokenizerFile(name)) {
      MappedFile mapped = MappedFile::Open(path);
      return GgufTokenizer(GgufFile::Parse(mapped.bytes(), path.string()));
    }
    folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  }
  folder = ResolveSnapshot(folder);
  return HasTokenizerFiles(folder) ? ReadHuggingFaceTokenizer(folder) : Open(path)->tokenizer();
}

const Tensor* Checkpoint::Find(std::string_view name) const {
  auto at = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                             [](const Tensor& a, std::string_view b) { return ListedBefore(a.name, b); });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

void Checkpoint::SortTensors() {
  std::sort(tensors_.begin(), tensors_.end(),
            [](const Tensor& a, const Tensor& b) { return ListedBefore(a.name, b.name); });
}

const std::vector<TensorSlot>& Checkpoint::hf_slots() const {
  std::call_once(hf_slots_once_, [this] { hf_slots_ = HfSlots(config_); });
  return hf_slots_;
}

const Layout& Checkpoint::layout() const {
  std::call_once(layout_once_, [this] { layout_ = std::make_unique<const Layout>(config_); });
  return *layout_;
}

const Tensor& Checkpoint::Get(std::string_view name) const {
  const Tensor* tensor = Find(name);
  if (!tensor) Fail(ErrorKind::kCorrupt, "{}: tensor {} is missing", path_.string(), name);
  return *tensor;
}

double Checkpoint::bits_per_weight() const {
  double bits = 0, weights = 0;
  for (const Tensor& tensor : tensors_) {
    if (tensor.shape.size() < 2 || tensor.format->integers) continue;
    bits += 8.0 * static_cast<double>(tensor.stored_bytes);
    weights += static_cast<double>(tensor.rows) * static_cast<double>(tensor.cols);
  }
  return weights > 0 ? bits / weights : 0.0;
}

uint64_t Checkpoint::parameter_count() const {
  uint64_t count = 0;
  for (const Tensor& tensor : tensors_)
    if (tensor.name != "rope_freqs.weight" && !tensor.format->integers)
      count += static_cast<uint64_t>(tensor.rows) * static_cast<uint64_t>(tensor.cols);
  return count;
}

std::string_view Checkpoint::main_format() const {
  std::map<std::string_view, int64_t> weights;
  for (const Tensor& tensor : tensors_)
    if (tensor.shape.size() >= 2 && tensor.name != "token_embd.weight" && tensor.name != "output.weight" &&
        !tensor.format->integers)
      weights[tensor.format->name] += tensor.rows * tensor.cols;
  auto most = std::max_element(weights.begin(), weights.end(),
                               [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == weights.end() ? std::string_view() : most->first;
}

void Checkpoint::LeaveDrafts(uint64_t tensors, uint64_t bytes) {
  if (tensors == 0) return;
  drafts_ = fmt::format("{} tensors of layers that draft further tokens ({})", tensors, FormatBytes(bytes));
  SayUnread(drafts_ + " are not read");
}

void Checkpoint::SayUnread(std::string_view what) {
  if (!unread_.empty()) unread_ += "; ";
  unread_ += what;
}

std::string Checkpoint::fingerprint() const {
  std::call_once(fingerprint_once_, [this] {
    Hasher hasher;
    hasher.AddText("assay checkpoint 2");
    ModelConfig config = config_;
    config.name.clear();  // says where it came from
    AddFields(hasher, config);
    if (as_made_) {
      ModelConfig made = *as_made_;
      made.name.clear();
      AddFields(hasher, made);
    }
    TokenizerSpec tokenizer = tokenizer_;
    tokenizer.remarks.clear();  // name files: say where it came from
    AddFields(hasher, tokenizer);
    hasher.AddText(chat_template_);
    for (const auto& [name, source] : extra_chat_templates_) {
      hasher.AddText(name);
      hasher.AddText(source);
    }
    AddTensors(hasher, tensors_);
    fingerprint_ = hasher.Hex();
  });
  return fingerprint_;
}

}  // namespace assay
