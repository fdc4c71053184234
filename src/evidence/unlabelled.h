#pragma once
// What prompts without a right answer say: where two answers are the same to every check nothing can flip, so the share
// of differing answers bounds the drop before anybody has labelled one. docs/tasks.md ("Unlabelled prompts").

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "record/check_record.h"
#include "record/label_file.h"

namespace assay {

struct Comparison;

struct Unlabelled {
  std::string file;
  std::vector<std::string> obstacles;                    // why the two runs on these prompts cannot be compared
  int64_t prompts = 0;                                   // that count: N
  int64_t errors = 0;                                    // left out: an arm had an error
  int64_t labelled_too = 0;                              // left out: the task asks the same prompt
  std::vector<std::pair<std::string, int64_t>> notions;  // how answers were read, most frequent first
  std::vector<std::string> differing;                    // ids
  double bound = 1;  // share: exact one-sided bound of the drop over such prompts, before any label
  int64_t lost = 0, gained = 0, same_worth = 0;  // of the differing ones, as a person labelled them
  int64_t unknown = 0;                           // the others
  /// They decide with the task's examples. False: they cannot be compared, or so many answers differ that they say
  /// nothing before they are labelled; the verdict is the examples' own.
  bool used = false;
  int64_t examples = 0;              // the task's and these
  double holds_p = 1, cracks_p = 1;  // of both together: unknown answers count as lost, or as gained
  bool decided = false;              // the examples alone say something else
  std::string summary;               // one sentence
};

/// "Cracks" is taken from examples and prompts together at this share of the level only: the task's examples alone have
/// used up the level itself, and what they say is never taken back.
inline constexpr double kTogetherCracksShare = 0.1;

/// Reads the unlabelled runs and, where they are used, decides `comparison.all` anew: may turn "can't tell" into
/// "holds" or "cracks", and "holds" into "can't tell"; never takes "cracks" back. Call once groups are judged.
void JudgeUnlabelled(const RunRecord& baseline, const RunRecord& candidate, const std::vector<AnswerLabel>& labels,
                     Comparison& comparison);

/// Whether two answers of unlabelled runs are the same to every check.
bool SameAnswer(const ExampleResult& a, const ExampleResult& b);

/// Every prompt whose answers differ for some candidate and that the task does not ask, with the labels that there are.
/// `prompts` in the runs' order.
std::vector<DifferingPrompt> DifferingPrompts(const CheckRecord& record, const std::vector<ExampleText>& prompts);

/// Ids of labels that are of other answers than those in the record, or of prompts that it lacks.
std::vector<std::string> StaleLabels(const CheckRecord& record);

}  // namespace assay
