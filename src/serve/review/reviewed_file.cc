#include "serve/review/reviewed_file.h"

#include <utility>

#include "base/error.h"
#include "system/file.h"

namespace assay {
namespace fs = std::filesystem;

ReviewedFile::ReviewedFile(fs::path path, std::string text, bool elsewhere, bool force)
    : path_(std::move(path)), lines_(text), force_(force) {
  if (elsewhere)
    CheckOutput(path_, {.force = force});
  else
    on_disk_ = std::move(text);
}

void ReviewedFile::Save() {
  if (!unsaved()) return;
  OutputRules rules{.force = on_disk_ || force_};
  const std::optional<FileState> state = StateOf(path_);
  if (on_disk_) {
    if (!state)
      Fail(ErrorKind::kInvalid, "{}: nothing was saved: the file is gone, though it was here when it was read",
           path_.string());
    rules.unchanged = {*state};
    if (ReadFile(path_) != *on_disk_)
      Fail(ErrorKind::kInvalid,
           "{}: nothing was saved: another program changed the file since it was read here. End this review and start "
           "it again: what was changed here is kept beside the file, and is taken up wherever its line is still the "
           "same",
           path_.string());
  }
  std::string text = lines_.Text();
  AtomicFile file(path_, rules);
  if (on_disk_) fs::permissions(file.part(), fs::status(path_).permissions());
  file.Write(text);
  file.Commit();
  on_disk_ = std::move(text);
  lines_.Saved();
}

}  // namespace assay
