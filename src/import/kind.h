#pragma once
// A kind of file that is imported: how it is known, and what becomes of its rows.

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "import/sink.h"
#include "import/source.h"

namespace assay {

struct KindOptions {
  std::map<std::string, std::string> columns;  // --map: field → column or member
  std::string check;                           // --check: of a right answer (answer_checks.h); empty: as it looks
  std::string answers, answers_name;           // --answers: the text of a file of right answers beside this one
};

struct ImportKind {
  std::string_view name, what;  // "bfcl", "the Berkeley Function Calling Leaderboard"
  std::string_view takes;       // of --answers, --map, --check
  bool (*fits)(const ImportSource& source);
  void (*read)(const ImportSource& source, const KindOptions& options, ImportSink& sink);
};

/// In the order in which they are tried.
std::span<const ImportKind> ImportKinds();

/// Whether the first rows (ten) all have these members, none of them null.
bool RowsHave(const ImportSource& source, std::initializer_list<const char*> members);

/// [{"role": "user", "content": text}], behind a system message where there is one.
Json UserMessages(const std::string& text, const std::string& system = {});

}  // namespace assay
