#pragma once
// Checks of a right answer that somebody wrote down: of a label, a reference answer, an ideal, a target.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

/// How a text is compared where nothing says it (--check auto).
enum class TextCheck {
  kEquals,    // the whole answer, case and marks apart: a model is to answer just so
  kContains,  // the words occur
};

struct AnswerChecks {
  Json expect;      // list of checks; null: none fits, because:
  std::string why;  // "free text …"
  std::string slice;
};

/// The names that `check` may have.
constexpr std::string_view kAnswerChecks[] = {"auto", "equals", "contains", "starts-with", "number", "json", "choice"};

/// `answers`: the right one, or several of which each is right (texts, one JSON value). `check`: one of kAnswerChecks,
/// empty: auto, which takes what the answer looks like: a call, JSON, a number, a letter where the question has
/// options, few words. `example`: a line of a task without "expect". Throws Error{kInvalid} for another name.
AnswerChecks ChecksOf(const Json& example, const std::vector<Json>& answers, std::string_view check, TextCheck text);

/// A text as a pattern that matches it alone.
std::string PatternOf(std::string_view text);

}  // namespace assay
