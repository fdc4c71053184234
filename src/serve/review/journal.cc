#include "serve/review/journal.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr std::string_view kHead = "{\"assay_review\":1,";

void Write(AppendedFile& file, Json line) {
  Json whole = {{"assay_review", 1}};
  whole.update(line);
  file.Append(DumpJson(whole) + "\n");
}

}  // namespace

ReviewJournal::ReviewJournal(const std::filesystem::path& path) : path_(path), file_(path, kHead) {
  if (!file_.continued()) return;
  size_t number = 0;
  const std::vector<std::string> lines = Split(ReadFile(path), '\n');
  for (const std::string& line : lines) {
    ++number;
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", path.string(), number);
    Json json;
    try {
      json = ParseJson(line, where);
    } catch (const Error&) {
      if (number + 1 >= lines.size()) break;  // torn: its writer was killed in it
      throw;
    }
    if (json.contains("saved")) {
      left_.clear();
      continue;
    }
    LineChange change{JsonString(json, "file", where), static_cast<size_t>(JsonInt(json, "line", where)),
                      JsonString(json, "from", where), JsonString(json, "to", where)};
    const auto known = std::find_if(left_.begin(), left_.end(), [&](const LineChange& one) {
      return one.file == change.file && one.line == change.line;
    });
    if (known == left_.end())
      left_.push_back(std::move(change));
    else
      known->to = std::move(change.to);
  }
  std::erase_if(left_, [](const LineChange& one) { return one.from == one.to; });
}

void ReviewJournal::Append(const LineChange& change) {
  Write(file_, {{"file", change.file}, {"line", change.line}, {"from", change.from}, {"to", change.to}});
}

void ReviewJournal::Saved() {
  Write(file_, {{"saved", true}});
}

void ReviewJournal::Remove() {
  RemoveOwn(path_);
}

}  // namespace assay
