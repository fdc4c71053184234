#pragma once
// The files of a model: what must not be written over while it is read, and must not change.

#include <filesystem>
#include <string_view>
#include <vector>

#include "system/file_state.h"

namespace assay {

/// Whether a file of this name stands for the folder that it lies in.
bool IsFileOfFolder(std::string_view name);
/// Every file that Checkpoint::Open reads for `path`, and those beside them: all of a model's folder, all of a split
/// set.
std::vector<FileState> ModelFiles(const std::filesystem::path& path);
/// Of those the ones that are mapped and read as long as the model is used. Take them before it is opened; what is
/// measured or written is of this model when RequireUnchanged lets them pass afterwards.
std::vector<FileState> WeightFiles(const std::filesystem::path& path);

}  // namespace assay
