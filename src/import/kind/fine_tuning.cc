// OpenAI's fine-tuning files: {"messages"} that end with the answer, {"prompt", "completion"}, and preference rows, of
// which the preferred answer is the right one.
#include "base/json_member.h"
#include "import/answer_checks.h"
#include "import/conversation.h"
#include "import/kind/kinds.h"

namespace assay {

bool FitsFineTuning(const ImportSource& source) {
  return !source.is_table() && (RowsHave(source, {"messages"}) || RowsHave(source, {"prompt", "completion"}) ||
                                RowsHave(source, {"input", "preferred_output"}));
}

void ReadFineTuning(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  for (const ImportRow& row : source.rows) {
    const Json& object = row.value;
    const Json *input = FindMember(object, "input"), *preferred = FindMember(object, "preferred_output");
    if (input && preferred) {
      if (!input->is_object() || !FindMember(*input, "messages") || !preferred->is_array() || preferred->empty()) {
        sink.Skip(row.place, "a preference row without input.messages and preferred_output");
        continue;
      }
      Json request = *input;
      if (request["messages"].is_array())
        for (const Json& message : *preferred) request["messages"].push_back(message);
      if (FindMember(object, "non_preferred_output")) sink.Drop("\"non_preferred_output\"");
      AddConversation(row, std::move(request), "", "", options, sink);
      continue;
    }
    if (FindMember(object, "messages")) {
      AddConversation(row, object, "", "", options, sink);
      continue;
    }
    const Json *prompt = FindMember(object, "prompt"), *completion = FindMember(object, "completion");
    if (!prompt || !prompt->is_string() || !completion || !completion->is_string()) {
      sink.Skip(row.place, "neither \"messages\" nor texts \"prompt\" and \"completion\"");
      continue;
    }
    sink.Note("\"prompt\" is sent as raw text, as it was trained on; no chat template renders it");
    Json line = {{"prompt", *prompt}};
    AnswerChecks checks = ChecksOf(line, {*completion}, options.check, TextCheck::kEquals);
    if (checks.expect.is_null()) {
      sink.AddPrompt(row, std::move(line), checks.why);
      continue;
    }
    line["slice"] = checks.slice;
    line["expect"] = std::move(checks.expect);
    sink.Add(row, std::move(line));
  }
}

}  // namespace assay
