#pragma once
// An answer as models with a reasoning step write it: what they thought, and what they say. Checks see what is said.

#include <string>
#include <string_view>

namespace assay {

struct AnswerParts {
  std::string content;      // the answer proper; tool calls keep their marks
  std::string reasoning;    // without its marks
  bool found = false;       // the text had marks of reasoning, or was all reasoning
  bool unfinished = false;  // reasoning that never ended: there is no answer
};

/// `text` keeps its special tokens. `opened`: the prompt ended inside reasoning (EndsInReasoning), so that the text
/// begins there. A closing mark without its opening one means the same. Linear in the text.
AnswerParts SplitReasoning(std::string_view text, bool opened = false);

/// The prompt's last words open a block of reasoning, as the generation prompts of some templates do.
bool EndsInReasoning(std::string_view prompt);

}  // namespace assay
