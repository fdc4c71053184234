#pragma once
// A Checkpoint out of one GGUF file or a split set.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf/gguf_file.h"
#include "checkpoint/layout.h"
#include "system/file.h"

namespace assay {

/// What the name of a file of a split set says.
struct SplitName {
  std::string stem;  // before "-00001-of-00003.gguf"
  int number = 0, count = 0;
};
std::optional<SplitName> ParseSplitName(const std::string& name);

class GgufCheckpoint : public Checkpoint {
 public:
  /// The files of a set in order, already parsed; `keep` holds the memory they point into. Checks the set, the
  /// configuration, the tokenizer and the tensors. Throws Error.
  GgufCheckpoint(std::filesystem::path path, std::vector<GgufFile> files, std::vector<MappedFile> keep);

  /// Opens `path` and, when it is the first of a split set, the others.
  static std::shared_ptr<const GgufCheckpoint> Open(const std::filesystem::path& path);

  /// The file with the metadata.
  const GgufFile& head() const { return files_.front(); }

 private:
  void CheckSplit() const;

  std::vector<GgufFile> files_;
  std::vector<MappedFile> keep_;
};

}  // namespace assay
