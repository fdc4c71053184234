#pragma once
// Displacement where an arm is a server. Where both can be led along a given text: along the baseline's answers. Else
// of greedy answers, asked once more with the most likely tokens of each step, as far as both are alike.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/arm.h"

namespace assay {

class ServedDisplacement {
 public:
  /// Of a part of the task. Empty, with a note that says why, where one of them tells no log-probabilities, or nothing
  /// can be compared.
  std::vector<Displacement> Measure(const LoadedArm& arm, const LoadedArm& base, const Task& task, const RunRecord& run,
                                    const RunRecord& base_run, const Sampling& defaults, Progress& progress,
                                    const CommonFlags& flags);

 private:
  std::vector<Displacement> Along(const LoadedArm& arm, const LoadedArm& base, const RunRecord& run,
                                  const RunRecord& base_run, Progress& progress, const CommonFlags& flags);

  std::map<std::string, Answer> of_base_;              // by example
  std::map<std::string, ForcedPredictions> led_base_;  // by example, along its own answers
};

}  // namespace assay
