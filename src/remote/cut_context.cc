#include "remote/cut_context.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr std::string_view kNeedle = "The password of the lighthouse is \"marmalade\". Remember it.\n\n";
constexpr std::string_view kFound = "marmalade";
constexpr std::string_view kQuestion = "\n\nWhat is the password of the lighthouse? Answer with one word.";
constexpr int64_t kFewestMore = 8;  // tokens that the needle has in any vocabulary

/// The first and the last text of what is asked; null where it is none (parts of pictures, tokens).
Json* TextOf(Json& body, bool first) {
  if (auto prompt = body.find("prompt"); prompt != body.end()) return prompt->is_string() ? &*prompt : nullptr;
  Json& messages = body["messages"];
  if (!messages.is_array() || messages.empty()) return nullptr;
  Json& message = first ? messages.front() : messages.back();
  auto content = message.find("content");
  return content != message.end() && content->is_string() ? &*content : nullptr;
}

bool Put(CompletionRequest& ask, std::string_view before, std::string_view behind) {
  Json* text = TextOf(ask.body, true);
  if (!text) return false;
  *text = std::string(before) + text->get<std::string>();
  Json* last = TextOf(ask.body, false);
  if (!last) return false;
  *last = last->get<std::string>() + std::string(behind);
  return true;
}

bool Finds(Asker& asker, CompletionRequest ask, Progress& progress) {
  ask.max_tokens = 16;
  ask.body["max_tokens"] = ask.max_tokens;
  const RemoteAnswer reading = asker.AskOne(ask, progress);
  return ToLowerAscii(reading.answer.reasoning + reading.answer.text).find(kFound) != std::string::npos;
}

}  // namespace

std::string RequireWhole(Asker& asker, const ServerFacts& facts, const CompletionRequest& longest, Progress& progress) {
  CompletionRequest more = longest;
  if (!Put(more, kNeedle, "")) return "";
  const RemoteAnswer reading = asker.AskOne(longest, progress);
  if (reading.fault == Fault::kRefused) return "";  // told with its example
  if (const int64_t plain = reading.answer.prompt_tokens; plain > 0) {
    const RemoteAnswer longer = asker.AskOne(more, progress);
    if (longer.answer.prompt_tokens > 0 && longer.answer.prompt_tokens < plain + kFewestMore)
      Fail(ErrorKind::kUnsupported,
           "{} cuts the longest prompt of the task: it counts {} tokens of it, and {} with a sentence more at its "
           "beginning: give it a larger context",
           facts.title(), plain, longer.answer.prompt_tokens);
    return "";
  }
  CompletionRequest brief = longest, whole = longest;
  if (Json* messages = brief.body.contains("messages") ? &brief.body["messages"] : nullptr)
    *messages = Json::array({{{"role", "user"}, {"content", ""}}});
  else
    brief.body["prompt"] = "";
  brief.body.erase("tools");
  brief.body.erase("tool_choice");
  whole.body.erase("tools");  // it is to answer in words
  whole.body.erase("tool_choice");
  if (!Put(brief, kNeedle, kQuestion) || !Put(whole, kNeedle, kQuestion)) return "";
  if (!Finds(asker, brief, progress) || Finds(asker, whole, progress)) return "";
  return "the server counts no tokens, and its model does not find a word at the beginning of this prompt, the "
         "longest, "
         "that it finds in a short one: perhaps it is cut";
}

}  // namespace assay
