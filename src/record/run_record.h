#pragma once
// The saved answers and scores of one model on one task, with everything needed to prove that two runs are comparable.
// File: JSON lines. Line 1 is the header, then one line per answer as it is finished, last a line {"end": …} with their
// number: a file without it was interrupted and can be resumed.

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "record/capabilities.h"
#include "system/growing_file.h"

namespace assay {

inline constexpr int kRunRecordVersion = 1;
/// A text on which tokenizers differ. Its tokens, with nothing before or behind them, tell one from another where the
/// vocabulary cannot be seen.
inline constexpr std::string_view kTokenizerProbe =
    "The quick brown fox, 12345 jumps\n\n  über 日本語 🙂 {\"a\": [1.5, null]}";
/// Most answers to one example.
inline constexpr int64_t kMostSamples = 64;

struct ModelIdentity {
  std::string name;          // for people: file or folder name
  std::string fingerprint;   // Checkpoint::fingerprint
  std::string architecture;  // "llama"
  std::string format;        // "q4_k_m", "bf16", "fp8" …: preset, or the checkpoint's main format
  double bits_per_weight = 0;
  uint64_t file_bytes = 0;
};

struct RunHeader {
  int version = kRunRecordVersion;
  ModelIdentity model;
  std::string task_name;        // file name
  std::string task_hash;        // XXH3-128 of the canonical examples
  double margin = 0;            // points, stated in the task; 0: none
  std::vector<int64_t> looks;   // numbers of examples at which the task is to be judged, rising; empty: once
  int64_t samples = 1;          // answers to each example, each with a seed of its own
  std::string tokenizer_hash;   // ids of a fixed probe text and vocabulary; empty: not known
  std::string tokenizer_probe;  // of the tokens of kTokenizerProbe; empty: not known
  std::string template_hash;    // chat template source; empty: none used, or not known
  std::string prompts_by;       // whose rules make prompts of messages: "transformers" | "llama.cpp"; empty: unknown
  Json sampling;                // defaults of the run
  std::string now;              // what the template's clock said, "2026-05-01T12:30:00"; empty: it reads none
  Json template_variables;      // given to every chat template of the run; null for none
  std::vector<std::string> generation_remarks;  // what the model's file states about answers and is not applied
  std::string arithmetic;                       // "reference" | "deployed"
  std::string build;                            // version and compiler
  std::string machine;                          // processor and instruction set
  std::string started;                          // UTC
  /// The file that gave the answers or scores, where this program did not ask the model: what the prompts, the sampling
  /// and the arithmetic were is then not known. Empty: it asked.
  std::string answers_from;
  Capabilities can;  // of whatever answered
  Json server;       // that answered, and what it was found to be and to do (remote/probe.h); null: no server
};

struct CheckResult {
  std::string type;  // "tool_calls"
  bool pass = false;
  std::string failure;  // class, empty on a pass: "no call", "wrong tool", "malformed JSON", "missing", "extra", "wrong
                        // type", "wrong value", "truncated", "empty" …
  std::string detail;   // "arguments.date: expected \"2026-05-01\", found \"2026-05-10\""
  std::string read;     // what the check took from the answer: a number, a letter, calls; empty: nothing, or all of it
};

/// One answer to one example.
struct ExampleResult {
  std::string id, slice, cluster;
  int64_t index = -1;               // place in the task; a record that is read back is sorted by it, then by sample
  int64_t sample = 0;               // from 0 to less than RunHeader::samples
  std::string prompt_hash;          // of the prompt's token ids; of what was sent where they are not known
  std::vector<int32_t> prompt_ids;  // of the first sample; empty: not known
  int64_t prompt_tokens = 0;
  std::vector<std::string> prompt_remarks;  // how the chat was fitted to its template, and what that leaves out
  std::string answer;                       // raw text, special tokens left out
  std::vector<int32_t> answer_ids;
  std::vector<float> logprobs;  // of each generated token under the run's own model
  std::string finish;           // "stop" | "length" | "not numbers" | "error"
  std::string error;            // not empty: the example is excluded pairwise and reported, it is not a failure
  bool pass = false;
  std::vector<CheckResult> checks;
  /// A server whose parser should have taken a call out of the answer's text left it there: the checks above read it as
  /// the model wrote it, `pass_as_delivered` is what passes where only the server's own calls count.
  bool call_left_in_text = false, pass_as_delivered = false;
  /// Class of the first failing check; empty on a pass.
  std::string failure() const;
};

struct RunRecord {
  RunHeader header;
  std::vector<ExampleResult> examples;  // in task order, the samples of an example one after the other
  bool complete = false;
  /// Examples, each counted once however often it was answered.
  int64_t example_count() const;
};

/// How far a candidate's distributions moved from the baseline's along the baseline's own answer (teacher forced), per
/// example.
struct Displacement {
  std::string id;
  int64_t tokens = 0;              // scored positions
  double mean_kl = 0, max_kl = 0;  // nats, KL(baseline || candidate)
  double same_top = 1;             // share of positions with the same most likely token
  int64_t first_divergence = -1;   // index in the answer of the first differing greedy token; -1: the answers are equal
  /// Only so many of the most likely tokens were known at each step: the divergences are lower bounds. 0: the full
  /// vocabulary, along the whole answer.
  int64_t known_tokens = 0;
  /// With known_tokens: both were led along the whole answer. Else only steps that both answers reached alike count.
  bool whole_answer = false;
};

Json ToJson(const RunHeader& header);
Json ToJson(const ExampleResult& result);
Json ToJson(const Displacement& displacement);
/// Throw Error naming `where` and the member.
RunHeader RunHeaderFromJson(const Json& json, std::string_view where);
ExampleResult ExampleResultFromJson(const Json& json, std::string_view where);

/// Reads a record; an interrupted one (or one cut in its last line) gives complete = false. Errors name file and line.
RunRecord ReadRunRecord(const std::filesystem::path& path);

/// Writes a whole record at once.
void WriteRunRecord(const std::filesystem::path& path, const RunRecord& record, const OutputRules& rules);

/// Whether a file that begins so is a run record.
bool IsRunRecord(std::string_view head);

/// Appends as examples finish, in any order; Finish writes the end line. The file is `path`.part until then. When
/// `path`.part of an interrupted run with the same header (but for when it started) exists, its results are taken over,
/// except those that were errors: see resumed(). A part of a run with another header is moved aside to
/// `path`.part.stale; any other file of that name, and a file at `path` that `rules` keep, is refused. Two writers of
/// one path at once: the second throws Error{kResource}.
class RunRecordWriter {
 public:
  /// With `any_clock` a part whose template's clock says something else is taken over too: what is answered from here
  /// on must be asked by its clock, now().
  RunRecordWriter(const std::filesystem::path& path, const RunHeader& header, const OutputRules& rules = {},
                  bool any_clock = false);
  const std::vector<ExampleResult>& resumed() const { return resumed_; }
  /// `now` of the header that stands in the file.
  const std::string& now() const { return now_; }
  /// Where a part of another run was moved; empty: there was none.
  const std::filesystem::path& set_aside() const { return set_aside_; }
  void Add(const ExampleResult& result);
  void Finish();

 private:
  GrowingFile file_;
  std::filesystem::path set_aside_;
  std::string now_;
  std::vector<ExampleResult> resumed_;
  std::set<std::pair<std::string, int64_t>> written_;  // ids and samples
};

}  // namespace assay
