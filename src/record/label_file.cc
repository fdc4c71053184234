#include "record/label_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "record/json_fields.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 4> kRights = {"baseline", "candidate", "both", "neither"};

Json AnswerJson(const std::string& answer) {
  Json json;
  json["answer"] = answer;
  json["hash"] = HashHex(answer);
  return json;
}

/// The hash of an answer, which must be of the answer that stands beside it.
std::string HashOf(const Json& json, const std::string& where) {
  std::string hash = JsonString(json, "hash", where);
  if (hash != HashHex(JsonString(json, "answer", where)))
    Fail(ErrorKind::kInvalid,
         "{}: \"answer\" is not the one that was written (its \"hash\" differs): only \"right\" is to be filled in",
         where);
  return hash;
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

std::string LabelFileText(std::span<const DifferingPrompt> prompts) {
  std::string text;
  for (const DifferingPrompt& prompt : prompts) {
    Json json;
    json["id"] = prompt.id;
    json["prompt"] = Json::array();
    for (const PromptPart& part : prompt.prompt) {
      Json item;
      item["role"] = part.role;
      item["text"] = part.text;
      json["prompt"].push_back(std::move(item));
    }
    json["draft"] = AnswerJson(prompt.draft);
    json["draft"]["from"] = prompt.draft_from;
    json["answers"] = Json::array();
    for (const OtherAnswer& other : prompt.answers) {
      Json item = AnswerJson(other.answer);
      item["from"] = other.from;
      item["right"] = other.right.empty() ? Json(nullptr) : Json(other.right);
      json["answers"].push_back(std::move(item));
    }
    text += DumpJson(json) + "\n";
  }
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
      const Json json = ParseJson(row, where, /*strict=*/true);
      const std::string id = JsonString(json, "id", where);
      const std::string draft = HashOf(JsonObject(json, "draft", where), where + ": draft");
      size_t i = 0;
      for (const Json& item : JsonArray(json, "answers", where)) {
        const std::string place = fmt::format("{}: answers[{}]", where, i++);
        const std::string other = HashOf(item, place);
        const auto right = item.find("right");
        if (right == item.end() || right->is_null()) continue;
        if (!right->is_string() || !IsRight(right->get_ref<const std::string&>()))
          Fail(ErrorKind::kInvalid, "{}.right: expected one of {} or null, found {}", place, RightNames(),
               DumpJson(*right));
        const auto [known, fresh] = seen.try_emplace({id, draft, other}, right->get<std::string>(), line);
        if (fresh)
          labels.push_back({id, draft, other, known->second.first});
        else if (known->second.first != right->get_ref<const std::string&>())
          Fail(ErrorKind::kInvalid, "{}.right: found {}, line {} says \"{}\" of the same answers: keep one of them",
               place, DumpJson(*right), known->second.second, known->second.first);
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
