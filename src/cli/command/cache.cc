// What is kept between commands: answers and measurements in one file, quantized models beside it.

#include "record/cache.h"

#include <fmt/core.h>

#include <ctime>
#include <filesystem>

#include "base/counted.h"
#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/checkpoint.h"
#include "cli/check/cached_quants.h"
#include "cli/command.h"
#include "cli/ranges.h"

namespace assay {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string keep;
  double older = 1;
  bool all = false, dry_run = false, answers = false;
};

std::string Ago(int64_t seconds) {
  if (seconds < 3600) return "within the hour";
  return seconds < 48 * 3600 ? fmt::format("{} hours ago", seconds / 3600)
                             : fmt::format("{} days ago", seconds / 86400);
}

/// The model's own name, as far as its file still tells it.
std::string NameOf(const CachedQuant& quant) {
  try {
    return Checkpoint::Open(quant.path)->config().name;
  } catch (const Error&) {
    return "";
  }
}

Json ToJson(const CachedQuant& quant) {
  return {{"path", quant.path.string()},
          {"source", quant.source},
          {"preset", quant.preset},
          {"bytes", quant.bytes},
          {"used", quant.used}};
}

Json ToJson(const std::vector<CachedQuant>& quants) {
  Json list = Json::array();
  for (const CachedQuant& quant : quants) list.push_back(ToJson(quant));
  return list;
}

void PrintQuants(const std::vector<CachedQuant>& quants) {
  const int64_t now = std::time(nullptr);
  for (const CachedQuant& quant : quants)
    Print(fmt::format("  {:<12} {:>10}  {:.12}  used {:<16} {}", quant.preset, FormatBytes(quant.bytes), quant.source,
                      Ago(now - quant.used), NameOf(quant)));
}

int List(const CommonFlags& flags) {
  const fs::path folder = CacheFolder(), results = folder / kResultsName;
  std::error_code none;
  uint64_t bytes = fs::exists(results, none) ? fs::file_size(results, none) : 0;
  const int64_t answers = bytes > 0 ? ResultCache(results).Size() : 0;
  const std::vector<CachedQuant> quants = CachedQuants(folder);
  uint64_t quant_bytes = 0;
  for (const CachedQuant& quant : quants) quant_bytes += quant.bytes;
  if (flags.json) {
    PrintJson({{"folder", folder.string()},
               {"results", answers},
               {"result_bytes", bytes},
               {"quants", ToJson(quants)},
               {"quant_bytes", quant_bytes},
               {"limit", CacheLimit()}});
    return kHolds;
  }
  Print(fmt::format("{} (ASSAY_CACHE names another)", folder.string()));
  Print(fmt::format("{} and measurements, {}", Counted(answers, "answer"), FormatBytes(bytes)));
  Print(fmt::format("{}, {} of at most {} (ASSAY_CACHE_SIZE)",
                    Counted(static_cast<int64_t>(quants.size()), "quantized model"), FormatBytes(quant_bytes),
                    FormatBytes(CacheLimit())));
  PrintQuants(quants);
  return kHolds;
}

int Prune(const Options& o, const CommonFlags& flags) {
  const fs::path folder = CacheFolder(), results = folder / kResultsName;
  const uint64_t keep = o.all ? 0 : o.keep.empty() ? CacheLimit() : std::stoull(o.keep);
  const int64_t spared = o.all ? 0 : static_cast<int64_t>(o.older * 86400);
  const Pruning pruning = PruneQuants(folder, keep, spared, o.dry_run);
  std::error_code none;
  int64_t answers = 0;
  if (o.answers && fs::exists(results, none)) {
    ResultCache cache(results);
    answers = cache.Size();
    if (!o.dry_run) cache.Clear();
  }
  if (flags.json) {
    PrintJson({{"dry_run", o.dry_run},
               {"removed", ToJson(pruning.removed)},
               {"spared", ToJson(pruning.busy)},
               {"kept_bytes", pruning.kept_bytes},
               {"results_removed", answers}});
    return kHolds;
  }
  const char* gone = o.dry_run ? "would go" : "removed";
  Print(fmt::format("{} {}", Counted(static_cast<int64_t>(pruning.removed.size()), "quantized model"), gone));
  PrintQuants(o.dry_run ? pruning.removed : std::vector<CachedQuant>());
  if (o.answers) Print(fmt::format("{} and measurements {}", Counted(answers, "answer"), gone));
  if (!pruning.busy.empty())
    Print(fmt::format("{} left: used within {:g} days, or being made (--all takes those that nobody is making)",
                      Counted(static_cast<int64_t>(pruning.busy.size()), "quantized model"), o.older));
  Print(fmt::format("{} of quantized models are left", FormatBytes(pruning.kept_bytes)));
  return kHolds;
}

}  // namespace

std::function<int()> AddCache(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<Options>();
  auto run = std::make_shared<std::function<int()>>([&flags] { return List(flags); });
  command.Command("list", "what is kept, and how much of the disk it takes (the default)", [] {});
  CommandLine& prune = command.Command("prune", "remove the quantized models that were not used for longest",
                                       [o, run, &flags] { *run = [o, &flags] { return Prune(*o, flags); }; });
  prune.Option("--keep", o->keep, "leave so much of them, such as 20GB (default: the limit, ASSAY_CACHE_SIZE or 100GB)")
      .Within(SizeBetween(0, int64_t{1} << 60));
  prune.Option("--spare", o->older, "leave those that were used within so many days")
      .ShowDefault()
      .Within(NumberBetween(0, 36500));
  prune.Switch("--all", o->all, "remove all of them, whenever they were used");
  prune.Switch("--answers", o->answers, "also forget answers and measurements");
  prune.Switch("--dry-run", o->dry_run, "say what would go");
  return [run] { return (*run)(); };
}

}  // namespace assay
