#include "evidence/same_question.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/json_member.h"

namespace assay {
namespace {

/// A server tells the tokens of some prompts and not of others.
bool KnowsTokens(const RunHeader& run, const ExampleResult& result) {
  return run.server.is_null() ? run.can.tokenize : !result.prompt_ids.empty();
}

const Json& Member(const Json& object, std::string_view key) {
  static const Json none;
  const Json* found = FindMember(object, key);
  return found ? *found : none;
}

}  // namespace

SamePrompt IsSamePrompt(const RunHeader& baseline_run, const ExampleResult& baseline, const RunHeader& candidate_run,
                        const ExampleResult& candidate) {
  const bool known = KnowsTokens(baseline_run, baseline);
  if (known != KnowsTokens(candidate_run, candidate)) return SamePrompt::kNotKnown;
  if (baseline.prompt_hash != candidate.prompt_hash) return SamePrompt::kNo;
  return known ? SamePrompt::kYes : SamePrompt::kNotKnown;
}

std::string FirstDifference(const ExampleResult& baseline, const ExampleResult& candidate) {
  const std::vector<int32_t>&a = baseline.prompt_ids, &b = candidate.prompt_ids;
  if (a.empty() || b.empty()) return "";
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto place = in_a - a.begin() + 1;
  if (in_a == a.end() && in_b == b.end()) return "";
  if (in_a == a.end() || in_b == b.end())
    return fmt::format("the prompt of the {} ends after {} tokens, the other goes on",
                       in_a == a.end() ? "baseline" : "candidate", place - 1);
  return fmt::format("prompt token {} is {} for the baseline and {} for the candidate", place, *in_a, *in_b);
}

std::string ShortHash(std::string_view hash) {
  return hash.empty() ? "none" : std::string(hash.substr(0, 12));
}

std::string TokenizersThatDiffer(const RunHeader& a, const RunHeader& b) {
  const auto differ = [](std::string_view what, const std::string& left, const std::string& right) {
    return left == right ? "" : fmt::format("different {}: {} and {}", what, ShortHash(left), ShortHash(right));
  };
  if (!a.tokenizer_hash.empty() && !b.tokenizer_hash.empty())
    return differ("tokenizer", a.tokenizer_hash, b.tokenizer_hash);
  if (!a.tokenizer_probe.empty() && !b.tokenizer_probe.empty())
    return differ("tokenizer (its tokens of a fixed text)", a.tokenizer_probe, b.tokenizer_probe);
  if (a.can.tokenize && b.can.tokenize && a.server.is_null() && b.server.is_null())
    return differ("tokenizer", a.tokenizer_hash, b.tokenizer_hash);
  return "";
}

std::vector<std::string> SettingsThatDiffer(const RunHeader& baseline, const RunHeader& candidate) {
  std::vector<std::string> differences;
  const Json &a = baseline.server, &b = candidate.server;
  if (a.is_null() || b.is_null() || Member(a, "kind") != Member(b, "kind")) return differences;
  const Json &left = Member(a, "settings"), &right = Member(b, "settings");
  Json names = Json::object();
  for (const Json* settings : {&left, &right})
    for (const auto& [name, value] : settings->items()) names[name] = true;
  for (const auto& [name, unused] : names.items())
    if (const Json& one = Member(left, name), &other = Member(right, name); one != other)
      differences.push_back(fmt::format("{}: {} and {}", name, DumpJson(one), DumpJson(other)));
  return differences;
}

}  // namespace assay
