#pragma once
// Everything that `assay check` found, as measured: the verdicts are computed from it (evidence/), the report and
// --json are views of it (report/). One JSON file.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "record/run_record.h"

namespace assay {

inline constexpr int kCheckRecordVersion = 1;

/// How fast a server gave the answers of a check, as its clients see it: other work it had, and the network, count.
struct ServedSpeed {
  int64_t answers = 0, concurrency = 0;                                        // requests that were in flight at most
  double first_token_p50_s = 0, first_token_p90_s = 0, first_token_p99_s = 0;  // from the request to its first token
  // Of one answer, from its first token on; the slowest tenth and hundredth are below the others.
  double tokens_per_s_p50 = 0, tokens_per_s_p10 = 0, tokens_per_s_p1 = 0;
  double total_tokens_per_s = 0;  // of all answers together
};

/// What an arm costs to run. Zero: not measured.
struct ArmCost {
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;
  uint64_t peak_memory_bytes = 0;
  std::optional<ServedSpeed> served;  // of a server; never measured as the others are
};

/// Quality of an arm on a general text. Empty: not measured; NaN: the model's predictions are no numbers; infinite: it
/// gives no probability to what came, or the perplexity is beyond a double.
struct ArmQuality {
  std::optional<double> perplexity, perplexity_error;  // one standard error
  // KL(baseline || arm) over the same text, in nats, and the share of tokens with the same top; empty for the baseline
  std::optional<double> mean_kl, p99_kl, same_top;
};

/// What a person said of two answers that differ to a prompt without checks.
struct AnswerLabel {
  std::string id;                         // of the prompt
  std::string baseline_hash, other_hash;  // HashHex of the two answers
  std::string right;                      // "baseline" | "candidate" | "both" | "neither"
};

/// One model on the task. The model's identity, bits per weight and size are in run.header.model.
struct Arm {
  RunRecord run;
  ArmCost cost;
  ArmQuality quality;
  std::vector<Displacement> displacement;  // along the baseline's answers; empty for the baseline or when not measured
  RunRecord unlabelled;                    // on the prompts that have no checks; without examples: there are none
  const ModelIdentity& model() const { return run.header.model; }
};

/// One message or text of a prompt, as shown to people.
struct PromptPart {
  std::string role;  // "system", "user", "assistant", "tool", "tools"; empty for a raw prompt
  std::string text;
};

/// What the report shows about an example beside its answers.
struct ExampleText {
  std::string id, slice;
  std::vector<PromptPart> prompt;
  std::string expected;  // for people: what a right answer looks like
};

/// The baseline asked again: what flips though no weight changed.
struct NoiseFloor {
  int64_t drawn = 0;                      // examples answered a second time with other seeds
  std::vector<std::string> lost, gained;  // ids of those, and of unsteady ones, that passed less or more often then
  int64_t repeated = 0;                   // examples without chance (greedy) that were asked again
  std::vector<std::string> unsteady;      // ids of those that gave another answer
  bool measured() const { return drawn + repeated > 0; }
};

struct CheckRecord {
  int version = kCheckRecordVersion;
  std::string started;   // UTC
  double elapsed_s = 0;  // wall time of the whole check
  std::string build, machine, task_name;
  std::string text_name;              // the file behind perplexity and KL; empty: none
  double margin = 0;                  // points, from the command line; 0: the task's
  bool allow_difference = false;      // models that were asked or are served differently are compared all the same
  bool as_given = false;              // candidates are walked in the order given, not from the largest file down
  std::vector<ExampleText> examples;  // in task order
  std::vector<AnswerLabel> labels;    // of answers to the unlabelled prompts
  Arm baseline;
  NoiseFloor noise;
  std::vector<Arm> candidates;
};

Json ToJson(const ArmCost& cost);
Json ToJson(const ArmQuality& quality);
Json ToJson(const NoiseFloor& noise);
Json ToJson(const CheckRecord& record);
/// Throw Error naming `where` and the member.
ArmQuality ArmQualityFromJson(const Json& json, std::string_view where);
Displacement DisplacementFromJson(const Json& json, std::string_view where);
CheckRecord CheckRecordFromJson(const Json& json, std::string_view where);
CheckRecord ReadCheckRecord(const std::filesystem::path& path);
/// Whether a file that begins so is such a record.
bool IsCheckRecord(std::string_view head);

}  // namespace assay
