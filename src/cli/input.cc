#include "cli/input.h"

#include <iostream>
#include <istream>

#include "base/error.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr size_t kMostInput = size_t{1} << 31;

}  // namespace

std::string ReadInput(const std::string& path) {
  if (path != "-") return ReadFile(path);
  std::string text, piece(1 << 16, '\0');
  while (std::cin.read(piece.data(), static_cast<std::streamsize>(piece.size())) || std::cin.gcount() > 0) {
    text.append(piece, 0, static_cast<size_t>(std::cin.gcount()));
    if (text.size() > kMostInput) Fail(ErrorKind::kResource, "standard input: more than {} bytes", kMostInput);
  }
  if (std::cin.bad()) Fail(ErrorKind::kIo, "standard input: cannot be read");
  return text;
}

Task ReadTask(const std::string& path, const CommonFlags& flags) {
  Task task = LoadTask(path);
  if (task.samples() > 0)
    Note(flags,
         fmt::format("{}: {} of {} examples are samples that assay task init wrote: what follows says nothing of "
                     "your task",
                     path, task.samples(), task.examples.size()));
  if (task.drafted() > task.samples())
    Note(flags, fmt::format("{}: the checks of {} of {} examples are drafts of what a model answered once, and nobody "
                            "has taken \"draft\" out: read what follows as agreement with that answer",
                            path, task.drafted() - task.samples(), task.examples.size()));
  return task;
}

}  // namespace assay
