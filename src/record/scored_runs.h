#pragma once
// What other tools have scored, read as runs: pass or fail by example, the answers where they are kept. One row a
// format in scored_runs.cc; docs/files.md says what is read of each.

#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/run_record.h"

namespace assay {

struct ScoreChoice {
  std::string metric;               // which score decides, where there are several; empty: the only one
  std::string arm;                  // which provider of a promptfoo file; empty: the only one
  std::optional<double> threshold;  // so much passes; none: scores are 0 and 1
};

struct ScoredRun {
  RunRecord run;
  std::vector<std::string> notes;  // what of the file decides, and what is left out
};

/// Labels for files of other tools that are compared (RunHeader::model.format): the models' names, the folders', the
/// files' own, whatever tells them apart first. `paths` are theirs, in order; `taken` are other runs' labels.
void LabelScoredRuns(std::span<RunRecord* const> runs, const std::vector<std::filesystem::path>& paths,
                     const std::set<std::string>& taken);

/// Reads a file of another tool, which is told by its contents. Throws Error naming file, line or place, what was
/// expected and found; for several metrics or arms and no choice it names them.
ScoredRun ReadScoredRun(const std::filesystem::path& path, const ScoreChoice& choice);
/// The same from memory; `name` stands for the file.
ScoredRun ParseScoredRun(std::string_view text, const std::string& name, const ScoreChoice& choice);

/// The names of the formats, for messages and help.
std::vector<std::string_view> ScoredRunFormats();

/// Where one of two runs does not say how its model was asked (RunHeader::answers_from), `candidate` gets what
/// `baseline` says, so that only what both state can keep them from being compared. Returns what a reader must know of
/// that; empty: both say everything.
std::string AssumeAlike(const RunRecord& baseline, RunRecord& candidate);

}  // namespace assay
