#pragma once
// What stands behind the name of a tool in prose or code: arguments that are given, a signature, or nothing.

#include <string>
#include <string_view>

#include "dialect/call/call_body.h"

namespace assay {

struct Arguments {
  enum Kind : uint8_t {
    kNone,       // no arguments follow the name
    kEmpty,      // ()
    kConcrete,   // a value is given: ("Oslo"), (city="Oslo"), {"city": "Oslo"}
    kWord,       // a word that may be a value: (oslo)
    kSignature,  // names, types, placeholders: (city), (city: str, days=1), (city="<city>")
  };
  Kind kind = kNone;
  size_t end = 0;  // behind them
};

/// The arguments behind the name of `tool`, which ends at `at`.
Arguments ReadArguments(std::string_view text, size_t at, const std::string& tool, const OfferedTools& tools);

/// Text behind a label ("Arguments:") gives values: an object, or lines of parameter and value.
bool GivesArguments(std::string_view text, const std::string& tool, const OfferedTools& tools);

}  // namespace assay
