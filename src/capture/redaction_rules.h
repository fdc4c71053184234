#pragma once
// What is taken out of captured text: a table of rules, each a pattern and, where a pattern alone would take too much,
// a test of what it found.

#include <span>
#include <string>
#include <string_view>

namespace assay {

struct RedactionRule {
  std::string_view name;                            // "email"
  std::string_view label;                           // of the placeholder: "EMAIL" gives [EMAIL_1]
  std::string_view what;                            // for people
  std::string_view pattern;                         // PCRE2, UTF; where it has a group "v", that is what is taken out
  bool (*holds)(std::string_view found) = nullptr;  // null: always
  bool by_name = false;  // the name of a JSON member says as much as words in front of its value
};

/// In the order in which they are applied: what one has taken out, the next does not see.
std::span<const RedactionRule> RedactionRules();

}  // namespace assay
