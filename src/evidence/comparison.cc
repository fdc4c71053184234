#include "evidence/comparison.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/json_member.h"
#include "evidence/judge.h"
#include "evidence/noise.h"
#include "evidence/parting.h"
#include "evidence/repetition.h"
#include "evidence/same_question.h"
#include "evidence/sizes.h"
#include "statistics/exact_paired.h"

namespace assay {
namespace {

/// Whom of the two something is true of; empty: of none.
std::string Who(bool baseline, bool candidate) {
  return baseline && candidate ? "both models" : baseline ? "the baseline" : candidate ? "the candidate" : "";
}

/// What would make it a comparison of two things at once.
void Differ(const std::string& what, Comparison& comparison) {
  if (comparison.allow_difference)
    comparison.notes.push_back("allowed to differ: " + what);
  else
    comparison.obstacles.push_back(what);
  comparison.differs = true;
}

/// What the models' backends cannot do, and is not claimed therefore. `moved`: displacement was measured some other
/// way.
void NoteLimits(const Capabilities& a, const Capabilities& b, bool drawn, bool moved, Comparison& comparison) {
  auto note = [&](bool Capabilities::*can, std::string_view words) {
    if (const std::string who = Who(!(a.*can), !(b.*can)); !who.empty())
      comparison.notes.push_back(fmt::format(fmt::runtime(words), who));
  };
  note(&Capabilities::tokenize,
       "the prompt tokens of {} are not known: the models were asked the same, that they saw the same is not checked");
  note(&Capabilities::render, "the chat template of {} is not known, nor what it leaves out of a chat");
  if (!moved)
    note(&Capabilities::score, "how far the outputs moved is not measured: {} cannot be led along a given answer");
  if (drawn)
    note(&Capabilities::seeds,
         "the draws of {} are not known to follow the seed: the same run again may answer otherwise");
  note(&Capabilities::same_bits,
       "answers of {} may differ from one time to the next even without sampling: some flips are chance");
  if (a.holds_schema != b.holds_schema)
    comparison.notes.push_back(
        fmt::format("of {} alone it was asked that answers be held to the response schema as they are written",
                    Who(a.holds_schema, b.holds_schema)));
}

/// What the two headers say about comparability.
void CheckHeaders(const RunRecord& baseline, const RunRecord& candidate, bool moved, Comparison& comparison) {
  const RunHeader &a = baseline.header, &b = candidate.header;
  if (a.task_hash != b.task_hash)
    comparison.obstacles.push_back(
        fmt::format("different task: {} and {}", ShortHash(a.task_hash), ShortHash(b.task_hash)));
  if (std::string differ = TokenizersThatDiffer(a, b); !differ.empty()) comparison.obstacles.push_back(differ);
  if (a.can.render && b.can.render && a.template_hash != b.template_hash)
    Differ(fmt::format("different chat template: {} and {}", ShortHash(a.template_hash), ShortHash(b.template_hash)),
           comparison);
  else if (!a.template_hash.empty() && !b.template_hash.empty() && a.template_hash != b.template_hash)
    comparison.notes.push_back(
        fmt::format("the chat templates are not the same text ({} and {}): the models may have "
                    "been asked differently",
                    ShortHash(a.template_hash), ShortHash(b.template_hash)));
  for (const std::string& setting : SettingsThatDiffer(a, b))
    Differ("the servers are run differently: " + setting, comparison);
  if (a.template_variables != b.template_variables && !(a.can.tokenize && b.can.tokenize))
    Differ(fmt::format("the chat template's variables were {} and {}", DumpJson(a.template_variables),
                       DumpJson(b.template_variables)),
           comparison);
  if (a.sampling != b.sampling)
    comparison.obstacles.push_back(
        fmt::format("different sampling: {} and {}", DumpJson(a.sampling), DumpJson(b.sampling)));
  for (auto [run, name] : {std::pair(&baseline, "baseline"), std::pair(&candidate, "candidate")})
    if (!run->complete)
      comparison.obstacles.push_back(fmt::format("the run of the {} was interrupted; run it again to finish it", name));
  auto note = [&](std::string_view what, const std::string& left, const std::string& right) {
    if (left != right)
      comparison.notes.push_back(
          fmt::format("{} differs: {} for the baseline, {} for the candidate", what, left, right));
  };
  if (!a.model.fingerprint.empty() && a.model.fingerprint == b.model.fingerprint)
    comparison.notes.push_back("baseline and candidate are the same weights: this says nothing about a quantization");
  for (std::string& remark : SizeRemarks(a.model, b.model)) comparison.notes.push_back(std::move(remark));
  note("arithmetic", a.arithmetic, b.arithmetic);
  note("build", a.build, b.build);
  note("machine", a.machine, b.machine);
  const auto draws = [](const RunHeader& header) {
    return header.sampling.is_object() && JsonNumber(header.sampling, "temperature", "sampling", 0.0) > 0;
  };
  NoteLimits(a.can, b.can, draws(a) || draws(b), moved, comparison);
  const auto reasons = [](const RunHeader& header) {
    const Json* said = FindMember(header.server, "reasons");
    return said && *said == true;
  };
  if (!a.server.is_null() && !b.server.is_null() && reasons(a) != reasons(b))
    comparison.notes.push_back(fmt::format(
        "only the server of {} gave reasoning apart from the answers: one of them reasons and the other does "
        "not, or leaves it in the text",
        reasons(a) ? "the baseline" : "the candidate"));
}

/// What was fixed before the runs: a margin, the sizes at which the task is looked at, the answers to each example.
void CheckPlan(const RunRecord& baseline, const RunRecord& candidate, const Rules& rules, Comparison& comparison) {
  const RunHeader &a = baseline.header, &b = candidate.header;
  if (a.margin != b.margin && !rules.margin_given)
    comparison.obstacles.push_back(
        fmt::format("different margins in their tasks: {:g} and {:g} points (0: none)", a.margin, b.margin));
  if (a.samples != b.samples)
    comparison.obstacles.push_back(
        fmt::format("different numbers of samples of each example: {} and {}", a.samples, b.samples));
  if (a.looks != b.looks) comparison.obstacles.push_back("their tasks plan different looks");
  const int64_t examples = baseline.example_count();
  if (!a.looks.empty() && std::find(a.looks.begin(), a.looks.end(), examples) == a.looks.end()) {
    std::string planned;
    for (int64_t look : a.looks) planned += (planned.empty() ? "" : ", ") + std::to_string(look);
    comparison.obstacles.push_back(
        fmt::format("the task plans to be looked at with {} examples, this run has {}", planned, examples));
  }
}

bool AnswersDiffer(const ExampleResult& a, const ExampleResult& b) {
  // Ids where both have them: text may have lost bytes that were no UTF-8.
  if (!a.answer_ids.empty() && !b.answer_ids.empty()) return a.answer_ids != b.answer_ids;
  return a.answer != b.answer;
}

/// Ids joined by commas, at most `most` of them.
std::string Listed(const std::vector<std::string>& ids, size_t most = 5) {
  std::string text;
  for (size_t i = 0; i < ids.size() && i < most; ++i) text += (i ? ", " : "") + ids[i];
  if (ids.size() > most) text += fmt::format(" and {} more", ids.size() - most);
  return text;
}

using AnswersById = std::unordered_map<std::string_view, std::vector<const ExampleResult*>>;

/// A run's answers by example, in order of their samples.
AnswersById ById(const RunRecord& run, std::string_view arm, Comparison& comparison) {
  AnswersById by_id;
  for (const ExampleResult& result : run.examples) {
    std::vector<const ExampleResult*>& answers = by_id[result.id];
    const auto place =
        std::lower_bound(answers.begin(), answers.end(), result.sample,
                         [](const ExampleResult* answer, int64_t sample) { return answer->sample < sample; });
    if (place != answers.end() && (*place)->sample == result.sample)
      comparison.obstacles.push_back(
          fmt::format("the {} has two results for example {}{}", arm, result.id,
                      run.header.samples > 1 ? fmt::format(", sample {}", result.sample) : ""));
    else
      answers.insert(place, &result);
  }
  return by_id;
}

/// Those of the same sample; both in order.
std::vector<SamplePair> PairSamples(const std::vector<const ExampleResult*>& baseline,
                                    const std::vector<const ExampleResult*>& candidate) {
  std::vector<SamplePair> pairs;
  for (size_t i = 0, j = 0; i < baseline.size() && j < candidate.size();) {
    if (baseline[i]->sample == candidate[j]->sample)
      pairs.push_back({baseline[i++], candidate[j++]});
    else
      ++(baseline[i]->sample < candidate[j]->sample ? i : j);
  }
  return pairs;
}

/// Fills all but who the pair is: outcome, passes, and which sample is shown.
void Weigh(ExamplePair& pair) {
  bool failed = false;
  for (const SamplePair& sample : pair.samples) {
    failed |= !sample.baseline->error.empty() || !sample.candidate->error.empty();
    pair.baseline_passes += sample.baseline->pass;
    pair.candidate_passes += sample.candidate->pass;
  }
  const SamplePair* shown = &pair.samples.front();
  if (!failed) {
    const int64_t lost = pair.baseline_passes - pair.candidate_passes;
    if (lost != 0)
      pair.outcome = lost > 0 ? Outcome::kRegression : Outcome::kFix;
    else
      pair.outcome = 2 * pair.baseline_passes >= static_cast<int64_t>(pair.samples.size()) ? Outcome::kBothPass
                                                                                           : Outcome::kBothFail;
    auto flips = [&](const SamplePair& sample) {
      return sample.baseline->pass != sample.candidate->pass && sample.baseline->pass == (lost > 0);
    };
    auto differs = [](const SamplePair& sample) { return AnswersDiffer(*sample.baseline, *sample.candidate); };
    auto first = std::find_if(pair.samples.begin(), pair.samples.end(), differs);
    pair.changed = first != pair.samples.end();
    if (lost != 0) first = std::find_if(pair.samples.begin(), pair.samples.end(), flips);
    if (first != pair.samples.end()) shown = &*first;
  }
  pair.baseline = shown->baseline;
  pair.candidate = shown->candidate;
}

/// What else than the template itself makes prompts differ; empty: nothing known.
std::string OtherTemplateInput(const RunHeader& a, const RunHeader& b) {
  std::string text;
  if (a.now != b.now)
    text += fmt::format("; the chat template's clock said {} and {}: run both with the same --now", a.now, b.now);
  if (a.template_variables != b.template_variables)
    text += fmt::format("; the chat template's variables were {} and {}", DumpJson(a.template_variables),
                        DumpJson(b.template_variables));
  return text;
}

/// Examples by what is known of their prompts.
struct Prompts {
  std::vector<std::string> other, other_count, unknown;
  size_t same = 0;      // tokens, known of both
  bool tokens = false;  // of the first of `other` they are known, and differ in
  std::string first;
};

void ComparePrompts(const RunHeader& a, const RunHeader& b, const std::vector<SamplePair>& samples, Prompts& prompts) {
  const ExampleResult &baseline = *samples[0].baseline, &candidate = *samples[0].candidate;
  if (!baseline.error.empty() || !candidate.error.empty()) return;  // it is left out
  const SamePrompt same = IsSamePrompt(a, baseline, b, candidate);
  prompts.same += same == SamePrompt::kYes;
  if (same == SamePrompt::kNo) {
    if (prompts.other.empty()) {
      prompts.first = FirstDifference(baseline, candidate);
      prompts.tokens = !prompts.first.empty() || (a.can.tokenize && b.can.tokenize);
    }
    prompts.other.push_back(baseline.id);
  } else if (same == SamePrompt::kNotKnown) {
    prompts.unknown.push_back(baseline.id);
    if (baseline.prompt_tokens <= 0 || candidate.prompt_tokens <= 0 ||
        baseline.prompt_tokens == candidate.prompt_tokens)
      return;
    if (prompts.other_count.empty())
      prompts.first = fmt::format("{} tokens and {}", baseline.prompt_tokens, candidate.prompt_tokens);
    prompts.other_count.push_back(baseline.id);
  }
}

void TellPrompts(const RunHeader& a, const RunHeader& b, const Prompts& prompts, Comparison& comparison) {
  const std::string why = OtherTemplateInput(a, b);
  // The same messages, template and vocabulary: what differs is what each engine makes of them, and what ships.
  const bool engines = why.empty() && !a.prompts_by.empty() && !b.prompts_by.empty() && a.prompts_by != b.prompts_by;
  const size_t all = comparison.pairs.size();
  if (prompts.same > 0 && (!a.server.is_null() || !b.server.is_null()))
    comparison.notes.push_back(
        fmt::format("both models saw the same prompt tokens in {} of {} examples, as each server tells its own",
                    prompts.same, all));
  if (!prompts.other.empty()) {
    const std::string first = prompts.first.empty() ? "" : fmt::format("; in {} {}", prompts.other[0], prompts.first);
    if (engines)
      comparison.notes.push_back(
          fmt::format("prompt tokens of {} of {} examples differ, as {} (baseline) and {} (candidate) make them of the "
                      "same messages: {}{}",
                      prompts.other.size(), all, a.prompts_by, b.prompts_by, Listed(prompts.other), first));
    else
      Differ(fmt::format("the models {} in examples {}{}{}",
                         prompts.tokens ? "saw different prompt tokens" : "were asked differently",
                         Listed(prompts.other), first, why),
             comparison);
  }
  if (!prompts.other_count.empty()) {
    const std::string what = fmt::format(
        "{} of {} prompts have another number of tokens for the candidate than for the baseline (in {} {}), so the "
        "models did not see the same: {}{}",
        prompts.other_count.size(), all, prompts.other_count[0], prompts.first, Listed(prompts.other_count), why);
    if (engines || a.prompts_by.empty() || b.prompts_by.empty())
      comparison.notes.push_back(what);
    else
      Differ(what, comparison);
  }
  // Where no prompt is known the notes on what the models can do say so.
  if (!prompts.unknown.empty() && a.can.tokenize && b.can.tokenize)
    comparison.notes.push_back(fmt::format("of {} of {} examples the prompt tokens are not known: {}",
                                           prompts.unknown.size(), all, Listed(prompts.unknown)));
}

/// Fills pairs and excluded; what keeps examples from pairing becomes an obstacle.
void PairUp(const RunRecord& baseline, const RunRecord& candidate, std::span<const Displacement> displacement,
            Comparison& comparison) {
  const AnswersById answers = ById(baseline, "baseline", comparison), others = ById(candidate, "candidate", comparison);
  std::unordered_map<std::string, const Displacement*> moved;
  for (const Displacement& item : displacement) moved.emplace(item.id, &item);
  std::vector<std::string> missing, uneven;
  Prompts prompts;
  std::set<std::string> seen;
  const auto samples = static_cast<size_t>(baseline.header.samples);
  std::vector<std::string> torn;  // between two clusters
  std::unordered_map<std::string_view, int64_t> asked;
  for (const ExampleResult& result : baseline.examples)
    if (result.sample == 0 && !result.prompt_hash.empty()) ++asked[result.prompt_hash];
  for (const ExampleResult& result : baseline.examples) {
    if (!seen.insert(result.id).second) continue;
    ExamplePair pair;
    if (auto found = others.find(result.id); found != others.end())
      pair.samples = PairSamples(answers.at(result.id), found->second);
    if (pair.samples.empty()) {
      missing.push_back(result.id);
      continue;
    }
    if (pair.samples.size() < samples && baseline.header.samples == candidate.header.samples)
      uneven.push_back(result.id);
    ComparePrompts(baseline.header, candidate.header, pair.samples, prompts);
    pair.id = result.id;
    pair.slice = result.slice;
    const std::string& other_cluster = pair.samples[0].candidate->cluster;
    if (!result.cluster.empty() && !other_cluster.empty() && result.cluster != other_cluster) torn.push_back(result.id);
    if (const std::string& cluster = result.cluster.empty() ? other_cluster : result.cluster; !cluster.empty())
      pair.source = "cluster " + cluster;
    else if (auto same = asked.find(result.prompt_hash); same != asked.end() && same->second > 1)
      pair.source = "prompt " + result.prompt_hash;
    if (auto it = moved.find(result.id); it != moved.end()) pair.displacement = it->second;
    Weigh(pair);
    if (pair.outcome == Outcome::kExcluded) comparison.excluded.push_back(result.id);
    comparison.pairs.push_back(std::move(pair));
  }
  std::vector<std::string> extra;
  for (const ExampleResult& result : candidate.examples)
    if (!seen.count(result.id)) extra.push_back(result.id);
  if (!missing.empty()) comparison.obstacles.push_back("the candidate lacks examples " + Listed(missing));
  if (!extra.empty()) comparison.obstacles.push_back("the baseline lacks examples " + Listed(extra));
  if (!torn.empty()) comparison.obstacles.push_back("the runs put examples into different clusters: " + Listed(torn));
  if (!uneven.empty())
    comparison.obstacles.push_back(fmt::format("not all {} samples are there of examples {}", samples, Listed(uneven)));
  TellPrompts(baseline.header, candidate.header, prompts, comparison);
  if (comparison.pairs.empty()) comparison.obstacles.push_back("the runs share no example");
  const size_t excluded = comparison.excluded.size(), total = comparison.pairs.size();
  if (static_cast<double>(excluded) > kMaxErrorShare * static_cast<double>(total))
    comparison.obstacles.push_back(fmt::format("{} of {} examples ended in an error (more than {:.0f}%): {}", excluded,
                                               total, 100 * kMaxErrorShare, Listed(comparison.excluded)));
}

void CountFailures(Comparison& comparison) {
  std::map<std::string, FailureCount> by_class;
  for (const ExamplePair& pair : comparison.pairs) {
    if (pair.outcome == Outcome::kExcluded) continue;
    for (const SamplePair& sample : pair.samples) {
      if (!sample.baseline->pass) ++by_class[sample.baseline->failure()].baseline;
      if (!sample.candidate->pass) ++by_class[sample.candidate->failure()].candidate;
    }
  }
  for (auto& [failure, count] : by_class) {
    count.failure = failure;
    comparison.failures.push_back(count);
  }
  std::stable_sort(
      comparison.failures.begin(), comparison.failures.end(),
      [](const FailureCount& a, const FailureCount& b) { return a.candidate - a.baseline > b.candidate - b.baseline; });
}

/// Fewest examples that can show the margin, when none of them is lost.
int64_t FewestToHold(double margin, double level) {
  auto n = static_cast<int64_t>(std::floor(std::log(level) / std::log1p(-margin)));  // never more than it takes
  while (n <= kMostExact && (n == 0 || ExactHoldsP({n, 0, 0}, margin) > level)) ++n;
  return n;
}

/// Calls that a server's parser left in the text: its fault, not the model's.
void NoteCallsInText(Comparison& comparison, bool baseline) {
  int64_t left = 0, fail_so = 0, pass_so = 0;
  for (const ExamplePair& pair : comparison.pairs)
    for (const SamplePair& sample : pair.samples) {
      const ExampleResult& result = baseline ? *sample.baseline : *sample.candidate;
      left += result.call_left_in_text;
      fail_so += result.call_left_in_text && result.pass && !result.pass_as_delivered;
      pass_so += result.call_left_in_text && !result.pass && result.pass_as_delivered;
    }
  if (left > 0)
    comparison.notes.push_back(fmt::format(
        "the server of the {} left calls in the text of {} answer{}: its tool-call parser is off, or does not know the "
        "model's syntax. They are judged as the model wrote them; as delivered {} of the passes would fail and {} of "
        "the "
        "failures would pass",
        baseline ? "baseline" : "candidate", left, left == 1 ? "" : "s", fail_so, pass_so));
}

void AddNotes(Comparison& comparison) {
  if (!comparison.excluded.empty())
    comparison.notes.push_back("left out of both models because one of them had an error: " +
                               Listed(comparison.excluded));
  int64_t cut_before = 0, cut_after = 0, endless_before = 0, endless_after = 0;
  for (const ExamplePair& pair : comparison.pairs)
    for (const SamplePair& sample : pair.samples) {
      cut_before += sample.baseline->finish == "length";
      cut_after += sample.candidate->finish == "length";
      endless_before += EndsInRepetition(*sample.baseline);
      endless_after += EndsInRepetition(*sample.candidate);
    }
  if (cut_after > cut_before)
    comparison.notes.push_back(fmt::format("{} answer{} of the candidate ran into the token limit, {} of the baseline",
                                           cut_after, cut_after == 1 ? "" : "s", cut_before));
  if (endless_before + endless_after > 0)
    comparison.notes.push_back(
        fmt::format("{} answer{} of the candidate repeat{} the same words without end, {} of the "
                    "baseline",
                    endless_after, endless_after == 1 ? "" : "s", endless_after == 1 ? "s" : "", endless_before));
  NoteCallsInText(comparison, true);
  NoteCallsInText(comparison, false);
  const Judgement& all = comparison.all;
  if (all.clustered)
    comparison.notes.push_back(fmt::format(
        "some examples share a source (a cluster, or the same prompt): what is tested is {} sources, not {} "
        "examples",
        all.sources, all.counts.n));
  if (!all.judged) return;
  const bool alone = !comparison.unlabelled || !comparison.unlabelled->used;
  if (const int64_t needed = FewestToHold(comparison.margin / 100, comparison.level);
      alone && all.verdict != Verdict::kHolds && all.sources < needed)
    comparison.notes.push_back(
        fmt::format("with none lost and none gained, {} {} do not show a margin of {:g} points; {} do", all.sources,
                    all.clustered ? "sources" : "examples", comparison.margin, needed));
  if (all.verdict == Verdict::kCantTell && all.examples_to_settle && comparison.level == kLevel)
    comparison.notes.push_back(fmt::format(
        "more examples beside these are a second look, and false verdicts get more frequent than said: ask new "
        "ones alone, or plan looks before the first, {{\"task\": {{\"looks\": [{}, {}]}}}}",
        all.counts.n, 2 * all.counts.n));
  if (all.verdict == Verdict::kHolds && all.cracks_p <= comparison.level)
    comparison.notes.push_back(
        fmt::format("holds within {:g} points, with a measured loss of {:.1f}", comparison.margin, 100 * all.loss()));
  // Chosen so, an equal model whose answers change in a tenth of them can only lose.
  if (all.counts.regressions > 0 && all.baseline_passed == all.answers)
    comparison.notes.push_back(
        "the baseline passes every example: if they were chosen because it does, losses look larger than they are");
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kCracks:
      return "cracks";
    case Verdict::kCantTell:
      return "can't tell";
  }
  return "";
}

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kBothPass:
      return "both right";
    case Outcome::kRegression:
      return "lost";
    case Outcome::kFix:
      return "gained";
    case Outcome::kBothFail:
      return "both wrong";
    case Outcome::kExcluded:
      return "left out";
  }
  return "";
}

std::string DropText(const Interval& drop) {
  const double least = 100 * drop.lower, most = 100 * drop.upper;
  if (most <= 0) return fmt::format("between {:.1f} and {:.1f} points better", -most, -least);
  if (least < 0) return fmt::format("between {:.1f} points better and {:.1f} worse", -least, most);
  return fmt::format("between {:.1f} and {:.1f} points worse", least, most);
}

std::string_view CrackTestName(CrackTest test) {
  switch (test) {
    case CrackTest::kSuissaShuster:
      return "Suissa-Shuster";
    case CrackTest::kMidP:
      return "mid-p McNemar";
    case CrackTest::kSignFlip:
      return "sign flip";
  }
  return "";
}

Rules RulesOf(const RunHeader& header, double margin) {
  if (!(margin >= 0 && margin < 100))
    Fail(ErrorKind::kInvalid, "margin: expected more than 0 and less than 100 points, found {:g}", margin);
  Rules rules;
  rules.margin_given = margin > 0;
  if (margin > 0)
    rules.margin = margin;
  else if (header.margin > 0)
    rules.margin = header.margin;
  if (!header.looks.empty()) rules.level = kLookLevel;
  return rules;
}

namespace {

/// What was measured of it, and why it is a lower bound.
std::string MovedAtLeastText(const DisplacementSummary& moved) {
  const std::string where =
      moved.whole_answers
          ? fmt::format("along the baseline's answers to {} example{} ({} tokens, which both models were given)",
                        moved.examples, moved.examples == 1 ? "" : "s", moved.tokens)
          : fmt::format("of {} greedy answers, as far as both are alike ({} tokens)", moved.examples, moved.tokens);
  return fmt::format(
      "{}: mean KL at least {:.4f} nats, the same most likely token at {:.1f}%. It is a lower bound: of each step the "
      "{} most likely tokens are known of either model, and all others count as one",
      where, moved.mean_kl, 100 * moved.same_top, moved.known_tokens);
}

Comparison CompareWith(Jury& jury, const RunRecord& baseline, const RunRecord& candidate,
                       std::span<const Displacement> displacement, const Rules& rules) {
  Comparison comparison;
  comparison.baseline = baseline.header.model.format;
  comparison.candidate = candidate.header.model.format;
  comparison.margin = rules.margin;
  comparison.level = rules.level;
  comparison.allow_difference = rules.allow_difference;
  CheckHeaders(baseline, candidate, !displacement.empty(), comparison);
  CheckPlan(baseline, candidate, rules, comparison);
  PairUp(baseline, candidate, displacement, comparison);
  comparison.comparable = comparison.obstacles.empty();
  CountFailures(comparison);
  jury.JudgeGroups(comparison);
  return comparison;
}

}  // namespace

Comparison PairRuns(const RunRecord& baseline, const RunRecord& candidate, bool allow_difference) {
  Comparison comparison;
  comparison.allow_difference = allow_difference;
  CheckHeaders(baseline, candidate, false, comparison);
  PairUp(baseline, candidate, {}, comparison);
  comparison.comparable = comparison.obstacles.empty();
  return comparison;
}

Comparison Compare(const RunRecord& baseline, const RunRecord& candidate, std::span<const Displacement> displacement,
                   const Rules& rules) {
  Jury jury;
  Comparison comparison = CompareWith(jury, baseline, candidate, displacement, rules);
  AddNotes(comparison);
  return comparison;
}

std::vector<Comparison> Judge(const CheckRecord& record) {
  Jury jury;
  Rules rules = RulesOf(record.baseline.run.header, record.margin);
  rules.allow_difference = record.allow_difference;
  std::vector<Comparison> comparisons;
  for (const Arm& arm : record.candidates) {
    comparisons.push_back(CompareWith(jury, record.baseline.run, arm.run, arm.displacement, rules));
    JudgeUnlabelled(record.baseline.unlabelled, arm.unlabelled, record.labels, comparisons.back());
    AddNotes(comparisons.back());
    if (std::string note = SharedNoiseText(record.noise, comparisons.back()); !note.empty())
      comparisons.back().notes.push_back(std::move(note));
    if (const DisplacementSummary& moved = comparisons.back().all.displacement; moved.measured && moved.at_least)
      comparisons.back().notes.push_back(MovedAtLeastText(moved));
    if (const bool served = !record.baseline.run.header.server.is_null() || !arm.run.header.server.is_null();
        served && arm.displacement.empty())
      if (std::string note = PartingText(comparisons.back()); !note.empty())
        comparisons.back().notes.push_back(std::move(note));
  }
  return comparisons;
}

}  // namespace assay
