#include <CLI/CLI.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "quantize/presets.h"

namespace assay {

std::function<int()> AddFormats(CLI::App&, CommonFlags& flags) {
  return [&flags] {
    if (flags.json) {
      Json out = {{"presets", Json::array()}, {"formats", Json::array()}};
      for (const PresetInfo& p : Preset::All())
        out["presets"].push_back({{"name", p.name},
                                  {"container", p.container == Container::kGguf ? "gguf" : "safetensors"},
                                  {"base", p.base},
                                  {"description", p.description}});
      for (const Format& f : Formats())
        out["formats"].push_back(
            {{"name", f.name}, {"bits_per_weight", BitsPerWeight(f, 4096, 4096)}, {"description", f.description}});
      Print(DumpJson(out));
      return static_cast<int>(kHolds);
    }
    Print("Presets (assay quantize --to, assay check --to)");
    for (const PresetInfo& p : Preset::All())
      Print(fmt::format("  {:<10} {:<12} {}", p.name, p.container == Container::kGguf ? "GGUF" : "safetensors",
                        p.description));
    Print("\nBlock formats (bits per weight of a 4096 × 4096 matrix, scales included)");
    for (const Format& f : Formats())
      Print(fmt::format("  {:<16} {:>7.4f}  {}", f.name, BitsPerWeight(f, 4096, 4096), f.description));
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
