#include "cli/summary.h"

#include <map>
#include <utility>

#include "cli/command.h"

namespace assay {

void PrintSummary(const RunRecord& run) {
  std::map<std::string, std::pair<int, int>> slices;
  std::map<std::string, int> failures;
  int passed = 0, errors = 0;
  for (const ExampleResult& e : run.examples) {
    auto& [good, all] = slices[e.slice];
    ++all;
    good += e.pass;
    passed += e.pass;
    errors += !e.error.empty();
    if (!e.pass && e.error.empty()) ++failures[e.failure()];
  }
  const std::string answers = run.header.samples > 1 ? fmt::format(" answers ({} examples \xC3\x97 {})",
                                                                   run.example_count(), run.header.samples)
                                                     : "";
  Print(fmt::format("{} on {}: {} of {}{} passed{}", run.header.model.name, run.header.task_name, passed,
                    run.examples.size(), answers, errors ? fmt::format(", {} could not be answered", errors) : ""));
  for (const auto& [name, counts] : slices)
    Print(fmt::format("  {:<20} {:>3} of {}", name, counts.first, counts.second));
  for (const auto& [name, count] : failures) Print(fmt::format("  failed: {:<12} {:>3}", name, count));
  for (const ExampleResult& e : run.examples)
    if (!e.error.empty()) Print(fmt::format("  {}: {}", e.id, e.error));
}

Json SummaryJson(const RunRecord& run, const std::string& file) {
  Json json = {
      {"header", ToJson(run.header)}, {"file", file.empty() ? Json(nullptr) : Json(file)}, {"examples", Json::array()}};
  for (const ExampleResult& e : run.examples) json["examples"].push_back(ToJson(e));
  return json;
}

}  // namespace assay
