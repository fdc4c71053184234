#pragma once
// Answers that differ, put before a person: JSON lines, one prompt each with the baseline's answer as the draft and
// every other answer once. The person writes into each "right" which of the two is; the same file is read back.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/check_record.h"

namespace assay {

/// An answer that differs from the draft.
struct OtherAnswer {
  std::string answer;
  std::vector<std::string> from;  // formats of the candidates that gave it
  std::string right;              // empty: not labelled yet
};

struct DraftAnswer {
  std::string answer, from;
};

struct DifferingPrompt {
  std::string id;
  std::vector<PromptPart> prompt;
  DraftAnswer draft;
  std::vector<OtherAnswer> answers;
};

std::string LabelFileText(std::span<const DifferingPrompt> prompts);

/// The labels given so far. Throws Error{kInvalid} with name:line, place, what was expected and found: for lines that
/// are none of ours, a "right" that is none, an answer that was changed in the file, two labels that disagree.
std::vector<AnswerLabel> ParseLabels(std::string_view text, std::string_view name);

/// Whether a file is such a one and nobody has labelled anything in it, so that it may be written anew.
bool HasNoLabels(std::string_view text);

bool IsRight(std::string_view right);
/// "baseline", "candidate", "both", "neither", for messages.
std::string RightNames();

}  // namespace assay
