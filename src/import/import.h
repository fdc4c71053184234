#pragma once
// Files that other tools and data sets hold examples in, as a task. Each kind of file is a row of kind/kinds.cc and a
// file beside it; docs/import.md lists what each becomes.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "import/kind.h"
#include "import/sink.h"

namespace assay {

struct ImportOptions {
  std::string from;  // a kind's name; empty: recognised by what the file holds
  KindOptions kind;
  int64_t count = 0;  // of the examples, drawn by `seed` and kept in their order; 0: all
  uint64_t seed = 0;
};

struct ImportResult {
  std::string kind, what, layout;
  int64_t rows = 0;
  std::string task_text, rest_text;           // JSON lines: the examples; prompts of rows that nothing checks
  int64_t examples = 0, found = 0, rest = 0;  // found: before `count` chose
  std::map<std::string, int64_t> checks, slices;
  std::vector<ImportSink::Skipped> skipped;
  std::map<std::string, int64_t> dropped;
  std::vector<std::string> notes;
};

/// `name` stands for the file in messages. Throws Error{kInvalid|kCorrupt} for a file that is of no kind, or not of
/// the kind that was asked for.
ImportResult ImportTask(std::string_view bytes, const std::string& name, const ImportOptions& options);

}  // namespace assay
