#pragma once
// Whether two models were asked the same, as far as their runs show it.

#include <string>
#include <string_view>
#include <vector>

#include "record/run_record.h"

namespace assay {

enum class SamePrompt { kYes, kNo, kNotKnown };
/// Of one example: by the tokens where both runs know them, by what was sent where neither does; else not known.
SamePrompt IsSamePrompt(const RunHeader& baseline_run, const ExampleResult& baseline, const RunHeader& candidate_run,
                        const ExampleResult& candidate);
/// The beginning of a hash, for people; "none".
std::string ShortHash(std::string_view hash);
/// "prompt token 13 is 198 for the baseline and 271 for the candidate"; empty: the tokens are not there.
std::string FirstDifference(const ExampleResult& baseline, const ExampleResult& candidate);

/// Which tokenizers two runs have, where they are not the same, as far as both tell; else empty.
std::string TokenizersThatDiffer(const RunHeader& baseline, const RunHeader& candidate);

/// What two servers of one kind show of how they are run and that differs, each as "kv_cache_dtype: \"fp8\" and
/// \"auto\"". Only what no request can change counts.
std::vector<std::string> SettingsThatDiffer(const RunHeader& baseline, const RunHeader& candidate);

}  // namespace assay
