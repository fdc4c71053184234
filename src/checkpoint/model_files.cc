#include "checkpoint/model_files.h"

#include <optional>
#include <string>

#include "checkpoint/gguf/gguf_checkpoint.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

void AddFolder(const fs::path& folder, std::vector<fs::path>& paths) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (!entry.is_directory(ignored))
      paths.push_back(entry.path());
    else if (entry.path().filename() == "additional_chat_templates" || folder.filename() == "snapshots")
      AddFolder(entry.path(), paths);
  }
}

/// The files of a split set of GGUF.
void AddSet(const fs::path& path, std::vector<fs::path>& paths) {
  const std::optional<SplitName> split = ParseSplitName(path.filename().string());
  if (!split) return;
  std::error_code ignored;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::optional<SplitName> other = ParseSplitName(entry.path().filename().string());
    if (other && other->stem == split->stem && other->count == split->count) paths.push_back(entry.path());
  }
}

}  // namespace

bool IsFileOfFolder(std::string_view name) {
  return name.ends_with(".safetensors") || name == "config.json" || name.ends_with(".safetensors.index.json");
}

std::vector<FileState> ModelFiles(const fs::path& path) {
  std::vector<fs::path> paths;
  std::error_code ignored;
  const std::string name = path.filename().string();
  if (fs::is_directory(path, ignored)) {
    AddFolder(path, paths);
    AddFolder(path / "snapshots", paths);  // a folder of the hub cache
  } else if (IsFileOfFolder(name)) {
    AddFolder(path.has_parent_path() ? path.parent_path() : fs::path("."), paths);
  } else {
    paths.push_back(path);
    AddSet(path, paths);
  }
  return StatesOf(paths);
}

std::vector<FileState> WeightFiles(const fs::path& path) {
  std::vector<FileState> files = ModelFiles(path);
  std::erase_if(files, [&](const FileState& file) {
    return file.path != path && file.path.extension() != ".safetensors" && file.path.extension() != ".gguf";
  });
  return files;
}

}  // namespace assay
