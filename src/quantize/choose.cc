#include "quantize/choose.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/layout.h"
#include "quantize/gguf_mix.h"

namespace assay {
namespace {

/// Parts of one tensor of the file are packed together or not at all. Experts that lie together are not left: they are
/// most of the model, and writers refuse what they cannot pack.
void LeaveWhatCannotBePacked(const std::vector<Tensor>& tensors, const Layout& layout,
                             std::vector<const Format*>& formats) {
  std::set<std::string> left;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorSlot* slot = layout.Find(tensors[i].name);
    if (!slot || slot->in_hf.whole() || slot->in_hf.slices > 1) continue;
    if (!formats[i] || !FitsPlace(slot->in_hf, *formats[i], tensors[i].rows, tensors[i].cols))
      left.insert(slot->hugging_face);
  }
  for (size_t i = 0; i < tensors.size(); ++i)
    if (formats[i] && left.contains(layout.Find(tensors[i].name)->hugging_face)) formats[i] = nullptr;
}

/// The format if the columns were no obstacle.
const Format* Wanted(const Preset& preset, TensorRole role) {
  role.cols = int64_t{1} << 20;
  const Format* format = preset.Choose(role);
  return format && IsPlain(*format) ? nullptr : format;
}

/// Weights that the smallest block takes together which the preset gives a matrix too narrow for its own.
int64_t SmallestBlock(const Preset& preset) {
  int64_t smallest = 0;
  for (std::string_view name = preset.info().base; !name.empty(); name = ShapeFallback(name)) {
    const Format& format = GetFormat(name);
    smallest = std::max(format.block_weights, format.scale_weights);
  }
  return smallest;
}

std::string ColumnsText(const std::map<int64_t, int64_t>& left) {
  std::vector<std::string> columns;
  for (const auto& [cols, count] : left) {
    if (columns.size() == 6) {
      columns.push_back("…");
      break;
    }
    columns.push_back(std::to_string(cols));
  }
  return Join(columns, ", ");
}

/// Of those that leave nothing, the one whose bits are nearest; in the same container if there is one.
std::string NearestThatFits(const Preset& wanted, const Checkpoint& checkpoint) {
  const double bits = BitsPerWeight(GetFormat(wanted.info().base), 1 << 10, 1 << 20);
  std::string nearest;
  double distance = 0;
  for (const PresetInfo& info : Preset::All()) {
    if (info.needs_importance || !info.warning.empty()) continue;
    Fit fit;
    const std::vector<const Format*> formats = ChooseFormats(Preset::Get(info.name), checkpoint, false, &fit);
    if (fit.quantized == 0 || fit.parts > 0 || !fit.left.empty()) continue;
    const double away = std::abs(BitsPerWeight(GetFormat(info.base), 1 << 10, 1 << 20) - bits) +
                        (info.container == wanted.info().container ? 0 : 100);
    if (!nearest.empty() && away > distance) continue;
    nearest = info.name;
    distance = away;
  }
  return nearest;
}

}  // namespace

std::string RequireFit(const Preset& preset, const Checkpoint& checkpoint) {
  if (IsPlain(GetFormat(preset.info().base))) return "";
  Fit fit;
  ChooseFormats(preset, checkpoint, false, &fit);
  int64_t left = 0;
  for (const auto& [cols, count] : fit.left) left += count;
  std::vector<std::string> why;
  if (left > 0)
    why.push_back(fmt::format("{} have {} columns, which are no whole blocks of {}", left, ColumnsText(fit.left),
                              SmallestBlock(preset)));
  if (fit.parts > 0) why.push_back(fmt::format("{} are parts of tensors that it cannot pack", fit.parts));
  if (fit.quantized > 0)
    return why.empty() ? ""
                       : fmt::format("{} of {} matrices stay plain: {}", left + fit.parts,
                                     left + fit.parts + fit.quantized, Join(why, ", "));
  if (why.empty()) why.push_back("it is for matrices that this model does not have");
  const std::string nearest = NearestThatFits(preset, checkpoint);
  Fail(ErrorKind::kInvalid, "{}: {} would quantize nothing: {}{}", checkpoint.path().string(), preset.info().name,
       left + fit.parts > 0 ? fmt::format("of its {} matrices {}", left + fit.parts, Join(why, ", ")) : why[0],
       nearest.empty() ? "" : fmt::format("; the nearest preset that fits is {}", nearest));
}

std::vector<const Format*> ChooseFormats(const Preset& preset, const Checkpoint& checkpoint, bool has_importance,
                                         Fit* fit) {
  const bool gguf = preset.info().container == Container::kGguf;
  const Layout& layout = checkpoint.layout();

  // The target's tensors, each under its name there, with how many matrices lie in it.
  std::vector<Tensor> stored;
  std::vector<int64_t> matrices;
  std::map<std::string, size_t> index;
  std::vector<int64_t> stored_of(checkpoint.tensors().size(), -1);
  for (size_t i = 0; i < checkpoint.tensors().size(); ++i) {
    const Tensor& tensor = checkpoint.tensors()[i];
    const TensorSlot* slot = layout.Find(tensor.name);
    if (tensor.shape.size() != 2 || tensor.format->integers || !slot) continue;
    const bool stacked = slot->in_hf.slices > 1;  // all experts of a layer
    // Hugging Face schemes target linear modules; llama-quantize goes by names (MixesQuantize).
    const bool module = slot->linear || tensor.name == "token_embd.weight";
    if (preset.info().experts_only ? !stacked : !gguf && !module) continue;
    const std::string& name = gguf ? slot->in_gguf.name : tensor.name;
    auto [at, is_new] = index.emplace(name, stored.size());
    if (is_new) {
      stored.push_back(tensor);
      stored.back().name = name;
      const StoredPlace& place = slot->in_gguf;
      if (gguf && place.rows > 0) stored.back().shape[0] = place.rows;
      matrices.push_back(gguf ? place.slices : 1);
    }
    stored_of[i] = static_cast<int64_t>(at->second);
  }

  std::vector<TensorRole> roles = RolesOf(stored, checkpoint.config());
  const bool tied = !checkpoint.Find("output.weight");
  std::vector<const Format*> chosen, wanted;
  for (size_t i = 0; i < roles.size(); ++i) {
    roles[i].n_matrices = matrices[i];
    roles[i].has_importance = has_importance;
    roles[i].tied_output = tied;
    chosen.push_back(preset.Choose(roles[i]));
    wanted.push_back(fit ? Wanted(preset, roles[i]) : nullptr);
  }
  std::vector<const Format*> formats;
  for (int64_t at : stored_of) formats.push_back(at < 0 ? nullptr : chosen[static_cast<size_t>(at)]);
  if (!gguf) LeaveWhatCannotBePacked(checkpoint.tensors(), layout, formats);
  for (size_t i = 0; fit && i < formats.size(); ++i) {
    if (stored_of[i] < 0 || !wanted[static_cast<size_t>(stored_of[i])]) continue;
    const Format* fitting = chosen[static_cast<size_t>(stored_of[i])];
    if (formats[i] && !IsPlain(*formats[i]))
      ++fit->quantized;
    else if (!fitting || IsPlain(*fitting))
      ++fit->left[checkpoint.tensors()[i].cols];
    else
      ++fit->parts;
  }
  return formats;
}

uint64_t PredictedBytes(const Preset& preset, const Checkpoint& checkpoint) {
  const std::vector<const Format*> formats = ChooseFormats(preset, checkpoint);
  const bool gguf = preset.info().container == Container::kGguf;
  uint64_t bytes = 0, read = 0;
  for (size_t i = 0; i < formats.size(); ++i) {
    const Tensor& tensor = checkpoint.tensors()[i];
    const int64_t weights = tensor.rows * tensor.cols;
    read += tensor.stored_bytes;
    if (formats[i])
      bytes += static_cast<uint64_t>(CodesBytes(*formats[i], tensor.rows, tensor.cols) +
                                     ScalesBytes(*formats[i], tensor.rows, tensor.cols));
    else if (gguf || !IsPlain(*tensor.format))
      bytes += static_cast<uint64_t>(weights) * (gguf ? 4 : 2);
    else
      bytes += static_cast<uint64_t>(tensor.codes_bytes());
  }
  return bytes + (checkpoint.file_bytes() > read ? checkpoint.file_bytes() - read : 0);
}

}  // namespace assay
