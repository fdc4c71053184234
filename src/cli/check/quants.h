#pragma once
// The quantized models of a check: where they lie, and how they are made.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/arm.h"
#include "cli/check/cached_quants.h"
#include "convert/convert.h"
#include "quantize/presets.h"
#include "system/output.h"

namespace assay {

/// In the folder that --keep names, else in the cache, else in temporary folders that are gone with this.
class Quants {
 public:
  /// All are borrowed. `rules`: what no output may replace.
  Quants(std::string keep, const OutputRules& rules, Cache& cache, ThreadPool& pool, Progress& progress,
         const CommonFlags& flags);

  /// What is quantized; before anything below.
  void SetSource(const OpenedModel& source);
  /// Throws what is in the way of a preset: matrices that it does not fit, a name in --keep that is taken, a folder
  /// that cannot be written. What an interrupted command of the same words wrote is no obstacle. Leaves nothing.
  void Look(const Preset& preset);
  /// The fingerprint of what an earlier check made and Make will take; empty: it will be made.
  std::string Known(const Preset& preset);
  /// Where there is no room for those that are to be made: throws Error{kResource} where --keep, or all places
  /// together, have not enough; says so where the cache has not.
  void RequireRoom(const std::vector<const Preset*>& presets);
  /// Where the quantized model lies; it is made unless it is there, as this build made it of this very model.
  std::string Make(const Preset& preset);
  /// Where a file of --keep will lie, else the name of the place.
  std::string PlaceOf(const Preset& preset) const;

 private:
  std::filesystem::path KeptName(const Preset& preset) const;
  std::string Key(const Preset& preset, const std::filesystem::path& out) const;
  std::string KeptKey(const Preset& preset) const;
  std::filesystem::path CachedName(const Preset& preset) const;
  bool IsAsMade(const std::filesystem::path& out, const std::string& key);
  ConvertOptions Conversion() const;
  std::string Convert(const Preset& preset, const std::filesystem::path& out);
  std::string MakeOnce(const Preset& preset, const std::filesystem::path& out, const std::string& key);
  std::string MakeInCache(const Preset& preset);
  void MakeRoom();

  std::string keep_;
  const OutputRules& rules_;
  Cache& cache_;
  ThreadPool& pool_;
  Progress& progress_;
  const CommonFlags& flags_;
  const uint64_t cache_limit_ = CacheLimit();
  OpenedModel source_;
  std::vector<std::unique_ptr<ScratchFolder>> scratch_;
};

}  // namespace assay
