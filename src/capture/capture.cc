#include "capture/capture.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/hash.h"
#include "capture/draft.h"
#include "capture/duplicates.h"
#include "dialect/answer_text.h"
#include "task/message.h"

namespace assay {
namespace {

constexpr int64_t kMostRest = 100'000;                // as LoadPrompts takes
constexpr size_t kMostRestBytes = size_t{240} << 20;  // the same
constexpr size_t kMostShown = 4000;                   // bytes of a recorded answer that a draft shows

/// "traffic-12": where in which file it stood, and nothing of what was said.
std::string IdOf(const Captured& captured, std::map<std::string, std::string>& stems) {
  auto [known, is_new] = stems.try_emplace(captured.file);
  if (is_new) {
    std::string stem = captured.file.substr(captured.file.rfind('/') + 1);
    stem = stem.substr(0, stem.find('.'));
    if (stem.empty() || stem.size() > 60) stem = "log";
    for (char& c : stem)
      if (static_cast<unsigned char>(c) < 0x21 || c == 0x7F) c = '-';
    for (const auto& [file, used] : stems)
      if (file != captured.file && used == stem) stem += fmt::format("-{}", stems.size());
    known->second = stem;
  }
  return fmt::format("{}-{}", known->second, captured.line);
}

/// Which requests are turns of one conversation, and so not independent of each other: the messages of one begin those
/// of another. (Prompts that share worked examples begin alike, too, and are asked on their own.)
class Conversations {
 public:
  void Add(const Json& line) {
    if (line.contains("messages")) asked_.insert(Beginnings(line).back());
  }
  /// The same for all turns of one; empty: it is none.
  std::string Of(const Json& line) const {
    if (!line.contains("messages")) return {};
    for (const std::string& beginning : Beginnings(line))
      if (asked_.count(beginning)) return beginning;
    return {};
  }

 private:
  static std::vector<std::string> Beginnings(const Json& line) {
    std::vector<std::string> hashes;
    std::string before;
    for (const Json& message : line["messages"]) {
      before = HashHex(before + DumpJson(message));
      hashes.push_back(before);
    }
    return hashes;
  }
  std::unordered_set<std::string> asked_;
};

std::string AnswerText(const Answer& answer) {
  const std::string text = answer.tool_calls.is_null() ? answer.text : answer.text + CallsAsText(answer.tool_calls);
  return CutAt(text, kMostShown);
}

void Redact(const Redaction& redaction, CapturedExample& example, RedactionCounts& counts) {
  if (!example.answer) return redaction.Apply({&example.line}, counts);
  Json answer = {{"text", example.answer->text}, {"calls", example.answer->tool_calls}};
  redaction.Apply({&example.line, &answer}, counts);
  example.answer->text = answer["text"].get<std::string>();
  example.answer->tool_calls = std::move(answer["calls"]);
}

}  // namespace

CaptureResult MakeTask(const std::vector<Captured>& requests, const CaptureOptions& options) {
  CaptureResult out;
  out.requests = static_cast<int64_t>(requests.size());
  std::optional<Redaction> redaction;
  if (options.redact) redaction.emplace(options.without_rules);

  std::vector<CapturedExample> examples;
  std::vector<std::string> ids;
  std::map<std::string, std::string> stems;
  for (const Captured& captured : requests) {
    try {
      examples.push_back(ExampleOf(captured, options.keep_sampling, out.left_out));
      ids.push_back(IdOf(captured, stems));
    } catch (const Error& error) {
      out.refused.emplace_back(captured.Place(), error.what());
    }
  }

  // Those with an answer first: a request that was answered is the one to keep.
  std::vector<size_t> order(examples.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_partition(order.begin(), order.end(), [&](size_t i) { return examples[i].answer.has_value(); });
  if (options.near_duplicates <= 1) {
    std::map<std::string, std::vector<size_t>> by_system;
    for (size_t i : order) by_system[SystemText(examples[i].line)].push_back(i);
    std::vector<size_t> repeats(examples.size(), kKept);
    for (const auto& [system, group] : by_system) {
      std::vector<std::string> texts;
      for (size_t i : group) texts.push_back(ComparedText(examples[i].line));
      const std::vector<size_t> of = NearDuplicates(texts, options.near_duplicates);
      for (size_t i = 0; i < group.size(); ++i)
        if (of[i] != kKept) repeats[group[i]] = group[of[i]];
    }
    for (size_t i : order)
      if (repeats[i] != kKept) out.duplicates.push_back({examples[i].place, examples[repeats[i]].place});
    std::erase_if(order, [&](size_t i) { return repeats[i] != kKept; });
  }
  std::sort(order.begin(), order.end());

  Conversations conversations;
  for (const CapturedExample& example : examples) conversations.Add(example.line);
  std::unordered_map<std::string, int> turns;
  for (size_t i : order) ++turns[conversations.Of(examples[i].line)];
  std::vector<StratumKey> keys;
  std::map<std::string, std::string> clusters;
  for (size_t i : order) {
    CapturedExample& example = examples[i];
    if (const std::string talk = conversations.Of(example.line); !talk.empty() && turns[talk] > 1)
      clusters.try_emplace(ids[i], "talk-" + talk.substr(0, 12));
    if (redaction) Redact(*redaction, example, out.redacted);
    keys.push_back(StratumOf(example));
  }
  Choice choice = ChooseStratified(keys, options.count, options.seed);
  out.strata = std::move(choice.strata);
  out.chosen = static_cast<int64_t>(choice.chosen.size());

  std::string others;
  const auto line_of = [&](size_t i, const std::string& slice) {
    Json line = {{"id", ids[i]}, {"slice", slice}};
    if (const auto cluster = clusters.find(ids[i]); cluster != clusters.end()) line["cluster"] = cluster->second;
    line.update(examples[i].line);
    return line;
  };
  for (size_t at = 0, next = 0; at < order.size(); ++at) {
    const size_t i = order[at];
    const bool chosen = next < choice.chosen.size() && choice.chosen[next] == at;
    next += chosen;
    DraftedChecks drafted{{}, examples[i].no_answer, examples[i].line.contains("tools") ? "tools" : "text"};
    if (examples[i].answer) drafted = DraftChecks(examples[i].line, *examples[i].answer);
    Json line = line_of(i, drafted.slice);
    if (chosen && !drafted.expect.is_null()) {
      line["expect"] = std::move(drafted.expect);
      line["draft"] = {{"answer", AnswerText(*examples[i].answer)}, {"from", examples[i].place}};
      out.task_text += DumpJson(line) + "\n";
      ++out.drafted;
      ++out.slices[drafted.slice];
      continue;
    }
    if (chosen) out.undrafted.emplace_back(ids[i], drafted.why);
    const std::string text = DumpJson(line) + "\n";
    if (out.rest == kMostRest || out.rest_text.size() + others.size() + text.size() > kMostRestBytes) {
      ++out.over;
      continue;
    }
    ++out.rest;
    (chosen ? out.rest_text : others) += text;
  }
  out.rest_text += others;
  return out;
}

}  // namespace assay
