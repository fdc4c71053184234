// HumanEval: {"task_id", "prompt", "entry_point", "test"}. What is right there is what its tests pass, and no check
// runs code.
#include "base/json_member.h"
#include "import/kind/kinds.h"

namespace assay {

bool FitsHumanEval(const ImportSource& source) {
  return RowsHave(source, {"task_id", "prompt", "test"});
}

void ReadHumanEval(const ImportSource& source, const KindOptions&, ImportSink& sink) {
  for (const ImportRow& row : source.rows) {
    const Json* prompt = FindMember(row.value, "prompt");
    Json line = Json::object();
    if (const Json* id = FindMember(row.value, "task_id")) line["id"] = *id;
    line["prompt"] = prompt && prompt->is_string() ? *prompt : Json("");
    sink.AddPrompt(row, std::move(line),
                   "its unit tests say what is right, and no check runs code yet: --unlabelled FILE takes the prompts");
  }
}

}  // namespace assay
