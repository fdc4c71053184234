#pragma once
// From one container to another without quantizing anew: codes and scales go over as they are where the target has
// room for them, in another layout where that changes no weight, and as plain floats where it has not.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "record/quant_record.h"
#include "system/threads.h"

namespace assay {

struct RewriteTarget {
  Container container = Container::kGguf;
  std::string hf_container;             // "gptq", "compressed-tensors" …: HfContainerNames(); "": plain floats
  const Format* plain = &Bf16Format();  // what a matrix becomes that the target has no codes for; null: an error
  uint64_t shard_bytes = 0;             // of one file; 0: CheckpointWriter's
  OutputRules rules = {};               // what may be replaced
  std::function<void(std::string_view)> tell = {};  // of ConvertOptions
};

/// Methods in the record: "kept" (the same codes), "rewritten" (other codes or layout for the same weights), "plain"
/// (decoded and rounded to the plain type). Its errors are those of the finished file, read again and compared with the
/// source. Tensors that share one in the target share their format. Streams like ConvertCheckpoint.
QuantRecord RewriteCheckpoint(const Checkpoint& source, const RewriteTarget& target, const std::filesystem::path& out,
                              ThreadPool& pool, Progress& progress);

/// "model.gguf" or "model-gptq": the usual name of the output.
std::string RewriteOutputName(const Checkpoint& source, const RewriteTarget& target);

}  // namespace assay
