#include "import/conversation.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/json_member.h"
#include "capture/draft.h"
#include "capture/example_line.h"
#include "capture/responses.h"
#include "import/answer_checks.h"

namespace assay {

void AddConversation(const ImportRow& row, Json request, const std::string& id, const std::string& slice,
                     const KindOptions& options, ImportSink& sink) {
  Json& messages = request["messages"];
  if (!messages.is_array() || messages.empty() || !messages[0].is_object()) return sink.Skip(row.place, "no messages");
  Captured captured;
  const Json last = messages.back();
  if (last.is_object() && last.value("role", Json()) == "assistant") {
    messages.erase(messages.size() - 1);
    for (const auto& [key, value] : last.items())
      if (key != "role" && key != "content" && key != "tool_calls" && key != "function_call" && !value.is_null())
        sink.Drop("the answer's \"" + key + "\"");
    const ReadResponse read = ResponseOf(last);
    captured.response = read.response;
    captured.no_answer = read.why;
  } else {
    captured.no_answer = "the last message is not the assistant's";
  }
  if (messages.empty()) return sink.Skip(row.place, "nothing stands before the answer");
  int64_t earlier = 0;
  for (const Json& message : messages) earlier += message.is_object() && message.value("role", Json()) == "assistant";
  if (earlier > 0)
    sink.Note("of several answers in a conversation the last one is asked for, the others stand before it");
  captured.request = std::move(request);
  LeftOut left_out;
  CapturedExample example;
  try {
    example = ExampleOf(captured, /*keep_sampling=*/false, left_out);
  } catch (const Error& error) {
    return sink.Skip(row.place, error.what());
  }
  for (const auto& [name, count] : left_out) sink.Drop("\"" + name + "\"", count);
  Json line = std::move(example.line);
  if (!id.empty()) line["id"] = id;
  if (!example.answer) return sink.AddPrompt(row, std::move(line), example.no_answer);
  AnswerChecks checks;
  if (example.answer->tool_calls.is_null()) {
    checks = ChecksOf(line, {example.answer->text}, options.check, TextCheck::kEquals);
  } else {
    DraftedChecks drafted = DraftChecks(line, *example.answer);
    checks = {std::move(drafted.expect), std::move(drafted.why), std::move(drafted.slice)};
  }
  if (checks.expect.is_null()) return sink.AddPrompt(row, std::move(line), checks.why);
  line["slice"] = slice.empty() ? checks.slice : slice;
  line["expect"] = std::move(checks.expect);
  sink.Add(row, std::move(line));
}

}  // namespace assay
