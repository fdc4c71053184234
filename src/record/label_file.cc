#include "record/label_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "record/members.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 4> kRights = {"baseline", "candidate", "both", "neither"};

/// Beside an answer: that nobody edits the answer unseen.
void HashMember(auto& json, const std::string& answer) {
  std::string hash = HashHex(answer);
  json.Required("hash", hash);
  json.Expect(hash == HashHex(answer), "answer",
              "expected the one that was written (its \"hash\" differs): only \"right\" is to be filled in");
}

}  // namespace

bool IsRight(std::string_view right) {
  return std::find(kRights.begin(), kRights.end(), right) != kRights.end();
}

std::string RightNames() {
  std::string names;
  for (std::string_view right : kRights) names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", right);
  return names;
}

void Members(auto& json, MaybeConst<DraftAnswer> auto& draft) {
  json.Required("answer", draft.answer);
  HashMember(json, draft.answer);
  json.Member("from", draft.from);
}

void Members(auto& json, MaybeConst<OtherAnswer> auto& other) {
  json.Required("answer", other.answer);
  HashMember(json, other.answer);
  json.Member("from", other.from);
  json.Nullable("right", other.right);
  json.Expect(other.right.empty() || IsRight(other.right), "right", "expected one of {} or null, found \"{}\"",
              RightNames(), other.right);
}

void Members(auto& json, MaybeConst<DifferingPrompt> auto& prompt) {
  json.Required("id", prompt.id);
  json.Member("prompt", prompt.prompt);
  json.Required("draft", prompt.draft);
  json.Required("answers", prompt.answers);
}

std::string LabelFileText(std::span<const DifferingPrompt> prompts) {
  std::string text;
  for (const DifferingPrompt& prompt : prompts) text += DumpJson(JsonWriter::Written(prompt)) + "\n";
  return text;
}

std::vector<AnswerLabel> ParseLabels(std::string_view text, std::string_view name) {
  std::vector<AnswerLabel> labels;
  std::map<std::tuple<std::string, std::string, std::string>, std::pair<std::string, int64_t>> seen;
  int64_t line = 0;
  for (const std::string& row : Split(text, '\n')) {
    ++line;
    if (Trim(row).empty()) continue;
    const std::string where = fmt::format("{}:{}", name, line);
    try {
      const auto prompt = ReadJson<DifferingPrompt>(ParseJson(row, where, /*strict=*/true), where);
      const std::string draft = HashHex(prompt.draft.answer);
      for (size_t i = 0; i < prompt.answers.size(); ++i) {
        const OtherAnswer& other = prompt.answers[i];
        if (other.right.empty()) continue;
        AnswerLabel label{prompt.id, draft, HashHex(other.answer), other.right};
        const auto [known, fresh] =
            seen.try_emplace({label.id, label.baseline_hash, label.other_hash}, label.right, line);
        if (fresh)
          labels.push_back(std::move(label));
        else if (known->second.first != label.right)
          Fail(ErrorKind::kInvalid,
               "{}: answers[{}].right: found \"{}\", line {} says \"{}\" of the same answers: keep one of them", where,
               i, label.right, known->second.second, known->second.first);
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInvalid) throw;
      // A person edits the file: what is wrong in it is no damage.
      throw Error(ErrorKind::kInvalid,
                  fmt::format("{}; expected a line of NAME.differing.jsonl as `assay check --unlabelled` wrote it",
                              error.what()));
    }
  }
  return labels;
}

bool HasNoLabels(std::string_view text) {
  try {
    return ParseLabels(text, "").empty();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace assay
