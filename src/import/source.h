#pragma once
// A stranger's file as rows: JSON lines, a JSON list, JSON over several lines, YAML, a table; whatever its encoding.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

struct ImportRow {
  std::string place;  // "data.jsonl:12", "log.json: samples[3]"
  Json value;         // an object
};

struct ImportSource {
  std::string name, layout;          // "CSV", "JSON lines" …
  std::vector<ImportRow> rows;       // of a table: texts by column
  std::vector<std::string> columns;  // of a table, in order; empty: it is none
  Json whole;                        // the object that holds the rows, or is none of them; null: a file of rows alone
  std::vector<std::string> notes;    // what was read how
  struct Unread {
    std::string place, why;
  };
  std::vector<Unread> unread;
  bool is_table() const { return !columns.empty(); }
};

/// Throws Error{kInvalid|kCorrupt} naming `name` (and line) for what is no such file.
ImportSource ReadSource(std::string_view bytes, const std::string& name);

}  // namespace assay
