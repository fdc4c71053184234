#include "checkpoint/model_files.h"

#include <string>

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

/// "model-" of model-00002-of-00003.gguf, where all files of its set begin so and end in "-of-00003.gguf".
void AddSet(const fs::path& path, std::vector<fs::path>& paths) {
  constexpr size_t kTail = sizeof("-of-00003.gguf") - 1, kNumber = 5;
  const std::string name = path.filename().string();
  if (name.size() < kTail + kNumber || name.compare(name.size() - kTail, 4, "-of-") != 0) return;
  const std::string begin = name.substr(0, name.size() - kTail - kNumber), end = name.substr(name.size() - kTail);
  std::error_code ignored;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string other = entry.path().filename().string();
    if (other.size() == name.size() && other.starts_with(begin) && other.ends_with(end)) paths.push_back(entry.path());
  }
}

}  // namespace

std::vector<FileState> ModelFiles(const fs::path& path) {
  std::vector<fs::path> paths;
  std::error_code ignored;
  const std::string name = path.filename().string();
  if (fs::is_directory(path, ignored)) {
    AddFolder(path, paths);
    AddFolder(path / "snapshots", paths);  // a folder of the hub cache
  } else if (name.ends_with(".safetensors") || name == "config.json" || name.ends_with(".safetensors.index.json")) {
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
