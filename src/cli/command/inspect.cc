#include <algorithm>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/hf/packing/cache_scales.h"
#include "checkpoint/layout.h"
#include "cli/command.h"
#include "cli/command/inspect_files.h"
#include "cli/command/inspect_weights.h"
#include "cli/identity.h"
#include "cli/ranges.h"
#include "quantize/preset_match.h"

namespace assay {
namespace {

struct Share {
  int tensors = 0;
  uint64_t weights = 0, bytes = 0;
};

uint64_t Count(const Tensor& tensor) {
  return static_cast<uint64_t>(tensor.rows) * static_cast<uint64_t>(tensor.cols);
}

// "the tensors of q4_k_m", or the nearest preset and what differs.
std::string PresetText(const PresetMatch& match) {
  if (match.share >= 1) return fmt::format("every matrix is stored as preset {} stores it", match.preset);
  if (match.share < 0.5) return "no preset is near";
  return fmt::format("nearest preset: {} ({:.1f} % of the weights; {} matrices differ)", match.preset,
                     100 * match.share, match.different.size());
}

double Bits(const Share& share) {
  return share.weights ? 8.0 * static_cast<double>(share.bytes) / static_cast<double>(share.weights) : 0;
}

/// Calibrated scales of the KV cache; empty when there are none.
std::string CacheText(const Checkpoint& checkpoint) {
  const size_t n = CountCacheScales(checkpoint.side_scales());
  if (n == 0) return "";
  float least = std::numeric_limits<float>::infinity(), largest = 0;
  for (const CacheScale& scale : CacheScalesOf(checkpoint.side_scales())) {
    least = std::min(least, scale.value);
    largest = std::max(largest, scale.value);
  }
  return fmt::format("KV cache: {} calibrated scales{}{}", n, checkpoint.fp8_cache() ? " for FP8" : "",
                     largest > 0 ? fmt::format(", {:.4g} to {:.4g}", least, largest) : "");
}

}  // namespace

std::function<int()> AddInspect(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model, base, histogram;
    bool tensors = false, outliers = false;
    int bins = 40, limit = 30;
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "file, folder, or org/name[/file.gguf] on a Hugging Face hub").Required();
  command.Switch("--tensors", o->tensors, "list every tensor");
  const Flag errors = command.Option("--errors", o->base, "error of every tensor against this full-precision model");
  const Flag histogram = command.Option("--histogram", o->histogram, "distribution of the weights of one tensor");
  command.Option("--bins", o->bins, "bins of the histogram").Within(IntegerBetween(2, 1000)).ShowDefault();
  const Flag outliers = command.Switch("--outliers", o->outliers, "matrices by the weight of their tails");
  command.Option("--limit", o->limit, "rows to print, 0 for all").Within(IntegerBetween(0, 1000000)).ShowDefault();
  errors.Excludes(histogram).Excludes(outliers);
  histogram.Excludes(outliers);
  return [o, &flags] {
    const bool weights = !o->base.empty() || !o->histogram.empty() || o->outliers;
    std::shared_ptr<const Checkpoint> checkpoint;
    try {
      checkpoint = Checkpoint::Open(ResolveModel(o->model));
    } catch (const Error& e) {
      if (weights) throw;
      if (e.kind() == ErrorKind::kNotFound)
        if (std::optional<RemoteModel> remote = FindRemote(o->model))
          return InspectRemote(*remote, o->model, o->tensors, flags);
      // What lacks a key, or has one of no sense, cannot be run either.
      if (e.kind() != ErrorKind::kUnsupported && e.kind() != ErrorKind::kInvalid) throw;
      FileListing listing = ListWeightFiles(ResolveModel(o->model));
      if (!listing.vocabulary) Note(flags, fmt::format("{}\nThis is what the files hold:", e.what()));
      return PrintListing(listing, o->model, o->tensors, flags);
    }
    if (!o->base.empty()) return InspectErrors(*checkpoint, *Checkpoint::Open(ResolveModel(o->base)), o->limit, flags);
    if (!o->histogram.empty()) return InspectHistogram(*checkpoint, o->histogram, o->bins, flags);
    if (o->outliers) return InspectOutliers(*checkpoint, o->limit, flags);
    const PresetMatch match = MatchPreset(*checkpoint);
    const ModelConfig& c = checkpoint->config();
    ModelIdentity identity = IdentityOf(*checkpoint, "");
    std::map<std::string, Share> formats, kinds;
    for (const Tensor& t : checkpoint->tensors())
      for (Share* share : {&formats[std::string(t.format_name())], &kinds[RoleName(t.name)]}) {
        ++share->tensors;
        share->weights += Count(t);
        share->bytes += t.stored_bytes;
      }
    if (flags.json) {
      Json out = {{"path", o->model},
                  {"fingerprint", identity.fingerprint},
                  {"architecture", c.architecture},
                  {"scheme", checkpoint->scheme()},
                  {"unread", checkpoint->unread()},
                  {"differences", checkpoint->differences()},
                  {"side_scales", checkpoint->side_scales()},
                  {"fp8_cache", checkpoint->fp8_cache()},
                  {"parameters", checkpoint->parameter_count()},
                  {"bits_per_weight", identity.bits_per_weight},
                  {"file_bytes", identity.file_bytes},
                  {"preset", {{"nearest", match.preset}, {"share", match.share}, {"different", match.different}}},
                  {"recipe", RecipeLines(*checkpoint)},
                  {"config",
                   {{"layers", c.n_layers},
                    {"hidden", c.hidden},
                    {"heads", c.n_heads},
                    {"kv_heads", c.n_kv_heads},
                    {"head_dim", c.head_dim},
                    {"feed_forward", c.feed_forward},
                    {"vocab", c.vocab},
                    {"context", c.context},
                    {"tied_output", c.tied_output}}},
                  {"tensors", Json::array()}};
      for (const Tensor& t : checkpoint->tensors())
        out["tensors"].push_back({{"name", t.name},
                                  {"source_name", t.source_name},
                                  {"shape", t.shape},
                                  {"format", t.format_name()},
                                  {"bytes", t.stored_bytes}});
      PrintJson(out);
      return static_cast<int>(kHolds);
    }
    Print(fmt::format("{}", o->model));
    Print(fmt::format("  {} {}{}, {}", checkpoint->container() == Container::kGguf ? "GGUF" : "Hugging Face folder",
                      c.architecture, c.name.empty() ? "" : fmt::format(" \"{}\"", c.name), checkpoint->scheme()));
    Print(fmt::format("  {} weights, {:.3f} bits per weight, {} on disk", checkpoint->parameter_count(),
                      identity.bits_per_weight, FormatBytes(identity.file_bytes)));
    Print(fmt::format(
        "  {} layers, width {}, {} heads over {} (dimension {}), feed-forward {}, vocabulary {}, context {}{}",
        c.n_layers, c.hidden, c.n_heads, c.n_kv_heads, c.head_dim, c.feed_forward, c.vocab, c.context,
        c.tied_output ? ", output tied to the embedding" : ""));
    Print(fmt::format("  chat template: {}; fingerprint {}", checkpoint->chat_template().empty() ? "none" : "yes",
                      identity.fingerprint));
    if (!checkpoint->unread().empty()) Print("  " + checkpoint->unread());
    for (const std::string& difference : checkpoint->differences()) Print("  " + difference);
    if (std::string text = CacheText(*checkpoint); !text.empty()) Print("  " + text);
    Print("  " + PresetText(match));
    for (auto [title, shares] : {std::pair{"format", &formats}, std::pair{"tensor", &kinds}}) {
      Print(fmt::format("\n  {:<16} {:>8} {:>14} {:>12} {:>8}", title, "tensors", "weights", "bytes", "bits"));
      for (const auto& [name, share] : *shares)
        Print(fmt::format("  {:<16} {:>8} {:>14} {:>12} {:>8.3f}", name, share.tensors, share.weights,
                          FormatBytes(share.bytes), Bits(share)));
    }
    Print("\n  recipe");
    for (const std::string& line : RecipeLines(*checkpoint)) Print("    " + line);
    if (flags.verbose && match.share >= 0.5)
      for (const std::string& line : match.different) Print("    " + line);
    if (o->tensors) {
      Print("");
      for (const Tensor& t : checkpoint->tensors())
        Print(fmt::format("  {:<28} {:<14} {:<16} {}", t.name, t.format_name(), ShapeText(t.shape),
                          FormatBytes(t.stored_bytes)));
    }
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
