// GSM8K: {"question", "answer"} whose answer ends with "#### 72".
#include <fmt/core.h>

#include "base/json_member.h"
#include "base/strings.h"
#include "import/answer_checks.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

constexpr std::string_view kMark = "####";

}  // namespace

bool FitsGsm8k(const ImportSource& source) {
  if (!RowsHave(source, {"question", "answer"})) return false;
  const Json& answer = source.rows[0].value["answer"];
  return answer.is_string() && answer.get_ref<const std::string&>().find(kMark) != std::string::npos;
}

void ReadGsm8k(const ImportSource& source, const KindOptions&, ImportSink& sink) {
  sink.Note(
      "the question alone is asked, and the last number of the answer counts; models that reckon at length may "
      "need {\"defaults\": {\"sampling\": {\"max_tokens\": 512}}} as a first line");
  for (const ImportRow& row : source.rows) {
    const Json *question = FindMember(row.value, "question"), *answer = FindMember(row.value, "answer");
    const size_t mark =
        answer && answer->is_string() ? answer->get_ref<const std::string&>().rfind(kMark) : std::string::npos;
    if (!question || !question->is_string() || mark == std::string::npos) {
      sink.Skip(row.place, "no text \"question\" with an \"answer\" that ends with #### and a number");
      continue;
    }
    Json line = {{"slice", "arithmetic"}, {"messages", UserMessages(question->get<std::string>())}};
    const std::string last(Trim(answer->get_ref<const std::string&>().substr(mark + kMark.size())));
    AnswerChecks checks = ChecksOf(line, {last}, "number", TextCheck::kEquals);
    if (checks.expect.is_null()) {
      sink.AddPrompt(row, std::move(line), checks.why);
      continue;
    }
    line["expect"] = std::move(checks.expect);
    sink.Add(row, std::move(line));
  }
}

}  // namespace assay
