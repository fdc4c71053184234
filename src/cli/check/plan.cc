#include "cli/check/plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/counted.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr int kPlanVersion = 1;

int64_t Tokens(const PlannedLeg& leg) {
  return leg.read_tokens + leg.scored_tokens + leg.written_tokens + leg.alone_tokens;
}

std::string TimeText(double seconds) {
  return seconds < 1 ? "under 1 s" : "about " + FormatDuration(seconds);
}

std::string LegText(const PlannedLeg& leg) {
  if (leg.bytes > 0) return fmt::format("{} (about {}, {})", leg.what, FormatBytes(leg.bytes), leg.place);
  if (leg.open == 0) return leg.what + " from the cache";
  std::string text = leg.known + leg.open > 1 ? fmt::format("{} {}", leg.open, leg.what) : leg.what;
  std::vector<std::string> more;
  if (leg.known > 0) more.push_back(fmt::format("{} more are in the cache", leg.known));
  if (leg.read_tokens > 0) more.push_back(fmt::format("reads {} tokens", leg.read_tokens));
  if (leg.scored_tokens > 0) more.push_back(fmt::format("predicts at most {} tokens", leg.scored_tokens));
  if (leg.written_tokens > 0) more.push_back(fmt::format("writes at most {}", leg.written_tokens));
  if (!more.empty()) text += " (" + Join(more, ", ") + ")";
  return leg.seconds ? text + ", " + TimeText(*leg.seconds) : text;
}

std::string ModelText(const PlannedModel& model, size_t width) {
  std::vector<std::string> legs;
  for (const PlannedLeg& leg : model.legs) legs.push_back(LegText(leg));
  const bool done = std::all_of(model.legs.begin(), model.legs.end(), [](const auto& leg) { return leg.open == 0; });
  return fmt::format("  {:<{}}  {}", model.name, width, done ? "all from the cache" : Join(legs, "; "));
}

Json ToJson(const PlannedLeg& leg) {
  return {{"what", leg.what},
          {"open", leg.open},
          {"cached", leg.known},
          {"read_tokens", leg.read_tokens},
          {"scored_tokens", leg.scored_tokens},
          {"written_tokens", leg.written_tokens + leg.alone_tokens},
          {"bytes", leg.bytes},
          {"at_most_s", leg.seconds ? Json(*leg.seconds) : Json(nullptr)}};
}

}  // namespace

bool CheckPlan::wants_speed() const {
  return std::any_of(models.begin(), models.end(), [](const PlannedModel& model) {
    return !model.server &&
           std::any_of(model.legs.begin(), model.legs.end(), [](const auto& leg) { return Tokens(leg) > 0; });
  });
}

void CheckPlan::Estimate(const SpeedGlimpse& glimpse) {
  speed = glimpse;
  for (PlannedModel& model : models)
    for (PlannedLeg& leg : model.legs)
      if (!model.server && Tokens(leg) > 0)
        leg.seconds = static_cast<double>(leg.read_tokens) / glimpse.read +
                      static_cast<double>(leg.scored_tokens) / glimpse.score +
                      static_cast<double>(leg.written_tokens + leg.alone_tokens * glimpse.together) / glimpse.written;
}

std::string PlanText(const CheckPlan& plan) {
  size_t width = 0;
  for (const PlannedModel& model : plan.models) width = std::max(width, model.name.size());
  std::string text = fmt::format("plan: {} of {}{}, {}", Counted(plan.examples, "example"), plan.task,
                                 plan.samples > 1 ? fmt::format(" × {} samples", plan.samples) : "",
                                 Counted(std::ssize(plan.models), "model"));
  double seconds = 0;
  bool timed = false, untimed = false;
  for (const PlannedModel& model : plan.models) {
    text += "\n" + ModelText(model, width);
    for (const PlannedLeg& leg : model.legs) {
      timed |= leg.seconds.has_value();
      untimed |= leg.open > 0 && !leg.seconds;
      seconds += leg.seconds.value_or(0);
    }
  }
  if (plan.longest_prompt > 0)
    text += fmt::format("\nthe longest prompt has {} tokens, with its answer at most {}{}", plan.longest_prompt,
                        plan.longest, plan.context > 0 ? fmt::format(" of a context of {}", plan.context) : "");
  if (plan.memory)
    text += fmt::format("\nmemory: the baseline with its longest example takes about {} of {}",
                        FormatBytes(plan.memory->total()), FormatBytes(plan.memory_limit));
  text += "\nwrites " + Join(plan.files, ", ");
  if (timed)
    text += fmt::format(
        "\ntogether at most {}{}: an estimate, from {:.0f} tokens/s read and {:.0f} written ({} at once) by the "
        "baseline "
        "just now; the others are taken to be as fast, and most answers end early",
        TimeText(seconds), untimed ? ", and what has no time above" : "", plan.speed->read, plan.speed->written,
        plan.speed->together);
  return text;
}

Json ToJson(const CheckPlan& plan) {
  Json json = {{"schema", "assay.plan"},
               {"version", kPlanVersion},
               {"task", plan.task},
               {"examples", plan.examples},
               {"samples", plan.samples},
               {"longest_prompt_tokens", plan.longest_prompt},
               {"longest_tokens", plan.longest},
               {"context", plan.context > 0 ? Json(plan.context) : Json(nullptr)},
               {"models", Json::array()},
               {"files", plan.files},
               {"memory_bytes", plan.memory ? Json(plan.memory->total()) : Json(nullptr)},
               {"memory_limit_bytes", plan.memory_limit},
               {"speed", nullptr}};
  for (const PlannedModel& model : plan.models) {
    Json legs = Json::array();
    for (const PlannedLeg& leg : model.legs) legs.push_back(ToJson(leg));
    json["models"].push_back({{"name", model.name}, {"server", model.server}, {"legs", std::move(legs)}});
  }
  if (plan.speed)
    json["speed"] = {{"read_tokens_per_s", plan.speed->read},
                     {"scored_tokens_per_s", plan.speed->score},
                     {"written_tokens_per_s", plan.speed->written},
                     {"together", plan.speed->together}};
  return json;
}

}  // namespace assay
