#pragma once
// The verdict on a candidate: does it hold where the baseline holds? Pure functions of saved runs.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evidence/unlabelled.h"
#include "record/check_record.h"
#include "record/run_record.h"
#include "statistics/paired.h"

namespace assay {

inline constexpr int kComparisonVersion = 2;

/// One-sided level of every test of a task that is looked at once.
inline constexpr double kLevel = 0.05;
/// The same where a task grows and is looked at up to three times (50, 100 and 200 examples, for one): any false claim
/// in all looks together stays below 5% (docs/statistics.md).
inline constexpr double kLookLevel = 0.022;
/// Margin in points where the task names none. It does not depend on the number of examples: a rule that changes with
/// them lets 99 examples hold where 100 cannot.
inline constexpr double kDefaultMargin = 10;
/// More examples than this share failing with an error of the machinery (not a wrong answer): not comparable.
inline constexpr double kMaxErrorShare = 0.02;
/// A slice (or task) that the baseline itself fails more often than this has too little to lose to show that it holds.
/// That it cracks is said all the same.
inline constexpr double kMinBaselineRate = 0.5;
/// Displacement that counts as large: what llama.cpp's Q2_K does to LLaMA-3-8B on running text (mean KL 0.445 nats,
/// same top token 71.1%; Q4_K_M 0.031 and 91.9%). Along a model's own greedy answers distributions are sharper, so
/// reaching it there is more, not less, alarming.
inline constexpr double kLargeMeanKl = 0.445;
inline constexpr double kLargeSameTopLoss = 1.0 - 0.711;
/// Below so many examples a large displacement turns "holds" into "can't tell": few passes are then weak evidence
/// against it.
inline constexpr int64_t kSmallSample = 100;

enum class Verdict { kHolds, kCracks, kCantTell };
/// "holds", "cracks", "can't tell".
std::string_view VerdictName(Verdict verdict);

enum class Outcome { kBothPass, kRegression, kFix, kBothFail, kExcluded };
/// For people: "both right", "lost", "gained", "both wrong", "left out".
std::string_view OutcomeName(Outcome outcome);

/// Both models' answers drawn with the same seed.
struct SamplePair {
  const ExampleResult* baseline = nullptr;
  const ExampleResult* candidate = nullptr;
};

/// One example under both models. Pointers lead into the compared runs, which must outlive the comparison.
struct ExamplePair {
  std::string id, slice;
  std::string source;  // what it shares with others: their cluster, else their prompt; empty: it stands alone
  /// Of several samples: what is lost or gained on balance; where that is nothing, whether at least half pass.
  Outcome outcome = Outcome::kExcluded;
  bool changed = false;                        // the answers differ, in one sample at least
  const ExampleResult* baseline = nullptr;     // of the first sample that flips as the outcome says, else of the first
  const ExampleResult* candidate = nullptr;    // whose answers differ, else of the first
  const Displacement* displacement = nullptr;  // of the first sample; null: not measured
  std::vector<SamplePair> samples;             // all, in order
  int64_t baseline_passes = 0, candidate_passes = 0;
};

struct DisplacementSummary {
  bool measured = false;
  int64_t tokens = 0, examples = 0;
  double mean_kl = 0, max_kl = 0;  // nats per token, pooled over tokens
  double same_top = 1;             // share of tokens
  double diverged =
      0;  // share of examples whose greedy answers part; grows with answer length, so it is shown and not judged
  bool at_least = false;       // of some only the most likely tokens were known: the divergences are lower bounds
  int64_t known_tokens = 0;    // of those, the fewest at a step
  bool whole_answers = false;  // and along the baseline's whole answers; else as far as both answers are alike
  bool large() const { return measured && (mean_kl >= kLargeMeanKl || 1.0 - same_top >= kLargeSameTopLoss); }
};

/// What decided whether a group cracks.
enum class CrackTest { kSuissaShuster, kMidP, kSignFlip };
/// "Suissa-Shuster", "mid-p McNemar", "sign flip".
std::string_view CrackTestName(CrackTest test);

/// "between 1.6 points better and 12.1 worse".
std::string DropText(const Interval& drop);

/// What the outcomes of a group of examples say.
struct Judgement {
  std::string name;     // slice; empty: all examples
  PairedCounts counts;  // examples; with several samples those that lost and gained on balance
  int64_t answers = 0;  // of each model: an example has as many as samples
  int64_t baseline_passed = 0, candidate_passed = 0;  // answers
  int64_t sources = 0;                                // what is independent: clusters, and examples without one
  bool clustered = false;                             // some examples share a source: sources, not examples, are tested
  bool judged = false;  // false: verdict is "can't tell" and `reason` says why it was not attempted
  Verdict verdict = Verdict::kCantTell;
  std::string reason;                       // one sentence
  Interval drop;                            // two one-sided exact bounds at the comparison's level, share
  double mid_p = 1, exact_p = 1;            // one-sided McNemar on examples, of several samples by their balance
  CrackTest crack_test = CrackTest::kMidP;  // decides "cracks"
  double cracks_p = 1, holds_p = 1;         // one-sided, against "no worse" and "worse by the margin or more"
  double adjusted_cracks_p = 1;  // Tarone-Holm over the slices, raised where many flip (judge.cc); all: cracks_p
  double adjusted_holds_p = 1;   // Holm over the slices, and not below that of all examples
  /// Posterior, shown beside the tests, decides nothing. Only of single answers.
  std::optional<double> chance_worse, chance_beyond_margin;
  std::optional<double> detectable_drop;      // share: the smallest true drop that so many examples find in 4 of 5 runs
  std::optional<int64_t> examples_to_settle;  // only with "can't tell"
  DisplacementSummary displacement;
  bool downgraded = false;     // the counts say holds, the displacement is too large to believe them
  bool weak_baseline = false;  // it passes too little to show that anything holds

  bool sampled() const { return answers > counts.n; }  // examples have several answers
  /// Share of answers that passed and pass no more, less what was gained.
  double loss() const {
    return answers ? static_cast<double>(baseline_passed - candidate_passed) / static_cast<double>(answers) : 0.0;
  }
};

struct FailureCount {
  std::string failure;  // class
  int64_t baseline = 0, candidate = 0;
};

struct Comparison {
  int version = kComparisonVersion;
  std::string baseline, candidate;  // format names
  double margin = 0;                // points
  double level = kLevel;            // one-sided, of every test
  bool allow_difference = false;    // what the command line allows to differ is noted, and no obstacle
  bool differs = false;             // something does that it may allow
  bool comparable = false;
  std::vector<std::string> obstacles;  // why not comparable; empty otherwise
  std::vector<std::string> notes;      // what a reader should know about a valid comparison
  std::vector<std::string> excluded;   // ids left out pairwise because an arm had an error
  Judgement all;
  std::vector<Judgement> slices;       // in order of first appearance
  std::vector<FailureCount> failures;  // classes seen, most gained by the candidate first
  std::vector<ExamplePair> pairs;      // in the baseline's order
  std::optional<Unlabelled> unlabelled;
};

/// How a record is to be judged: what its task says, unless the command line says otherwise.
struct Rules {
  double margin = kDefaultMargin;  // points
  double level = kLevel;
  bool margin_given = false;  // on the command line, whatever the task says
  /// Compare models that were asked differently, or servers that are run differently: it is noted.
  bool allow_difference = false;
};
/// The rules of runs with this header. `margin`: the command line's, 0 for none. Throws Error{kInvalid} for a margin
/// that is none.
Rules RulesOf(const RunHeader& header, double margin);

/// Whether two runs can be compared, and their pairs; nothing is judged. The runs must outlive it.
Comparison PairRuns(const RunRecord& baseline, const RunRecord& candidate, bool allow_difference = false);
/// When the runs are not comparable the counts and pairs are still filled where ids match, but nothing is judged.
Comparison Compare(const RunRecord& baseline, const RunRecord& candidate, std::span<const Displacement> displacement,
                   const Rules& rules);
/// One comparison per candidate, in order. The record must outlive them.
std::vector<Comparison> Judge(const CheckRecord& record);

/// Numbers rounded to 6 decimals, no times: the same runs give the same bytes. Pairs are listed as ids by outcome.
Json ToJson(const Comparison& comparison);

}  // namespace assay
