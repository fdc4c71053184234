#include "evidence/noise.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "base/strings.h"

namespace assay {
namespace {

struct Asked {
  std::vector<const ExampleResult*> first, again;
};

bool Failed(const std::vector<const ExampleResult*>& answers) {
  for (const ExampleResult* answer : answers)
    if (!answer->error.empty()) return true;
  return answers.empty();
}

int64_t Passes(const std::vector<const ExampleResult*>& answers) {
  int64_t passes = 0;
  for (const ExampleResult* answer : answers) passes += answer->pass;
  return passes;
}

}  // namespace

void AddNoise(const RunRecord& first, const RunRecord& again, bool chance, NoiseFloor& noise) {
  std::map<std::string_view, Asked> by_id;
  for (const ExampleResult& result : again.examples) by_id[result.id].again.push_back(&result);
  for (const ExampleResult& result : first.examples)
    if (auto found = by_id.find(result.id); found != by_id.end()) found->second.first.push_back(&result);
  for (const ExampleResult& result : first.examples) {
    const auto found = by_id.find(result.id);
    if (result.sample != 0 || found == by_id.end()) continue;
    const Asked& asked = found->second;
    if (Failed(asked.first) || Failed(asked.again)) continue;
    if (!chance) {
      ++noise.repeated;
      const ExampleResult &a = *asked.first[0], &b = *asked.again[0];
      if (a.answer_ids != b.answer_ids || a.answer != b.answer || a.finish != b.finish)
        noise.unsteady.push_back(result.id);
      if (a.pass != b.pass) (a.pass ? noise.lost : noise.gained).push_back(result.id);
      continue;
    }
    ++noise.drawn;
    const int64_t lost = Passes(asked.first) - Passes(asked.again);
    if (lost != 0) (lost > 0 ? noise.lost : noise.gained).push_back(result.id);
  }
}

std::string NoiseText(const NoiseFloor& noise) {
  std::string text;
  const std::set<std::string_view> unsteady(noise.unsteady.begin(), noise.unsteady.end());
  const auto is_greedy = [&](const std::string& id) { return unsteady.count(id) > 0; };
  const auto lost_greedily = std::count_if(noise.lost.begin(), noise.lost.end(), is_greedy),
             gained_greedily = std::count_if(noise.gained.begin(), noise.gained.end(), is_greedy);
  if (noise.drawn > 0) {
    const auto lost = std::ssize(noise.lost) - lost_greedily, gained = std::ssize(noise.gained) - gained_greedily;
    text = fmt::format(
        "Noise: asked again with other seeds, the baseline flips {} of {} examples against itself "
        "({} lost, {} gained).",
        lost + gained, noise.drawn, lost, gained);
  }
  if (noise.repeated > 0) {
    if (!text.empty()) text += " ";
    text +=
        noise.unsteady.empty()
            ? fmt::format("Noise: greedy answers have none: {} examples asked again gave the same answers.",
                          noise.repeated)
            : fmt::format(
                  "Noise: greedy answers should be the same each time, but {} of {} examples asked again gave "
                  "another one ({} lost, {} gained): {}.",
                  noise.unsteady.size(), noise.repeated, lost_greedily, gained_greedily, Join(noise.unsteady, ", "));
  }
  return text;
}

std::string SharedNoiseText(const NoiseFloor& noise, const Comparison& comparison) {
  std::set<std::string_view> alone(noise.lost.begin(), noise.lost.end());
  alone.insert(noise.gained.begin(), noise.gained.end());
  if (noise.drawn == 0 && alone.empty()) return "";
  int64_t flips = 0, shared = 0;
  for (const ExamplePair& pair : comparison.pairs) {
    if (pair.outcome != Outcome::kRegression && pair.outcome != Outcome::kFix) continue;
    ++flips;
    shared += alone.count(pair.id) > 0;
  }
  if (flips == 0) return "";
  return fmt::format("{} of its {} flips {} of examples that flip in the baseline alone, too", shared, flips,
                     shared == 1 ? "is" : "are");
}

}  // namespace assay
