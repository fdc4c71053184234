#pragma once
// Displacement where an arm is a server: of greedy answers, asked once more with the most likely tokens of each step.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/arm.h"

namespace assay {

class ServedDisplacement {
 public:
  /// Both answer a part of the task once more. Empty, with a note that says why, where one of them tells no
  /// log-probabilities or no example is greedy.
  std::vector<Displacement> Measure(const LoadedArm& arm, const LoadedArm& base, const Task& task,
                                    const Sampling& defaults, Progress& progress, const CommonFlags& flags);

 private:
  std::map<std::string, Answer> of_base_;  // by example
};

}  // namespace assay
