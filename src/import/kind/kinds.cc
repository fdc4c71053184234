#include "import/kind/kinds.h"

#include <algorithm>
#include <iterator>

#include "base/json_member.h"

namespace assay {
namespace {

constexpr ImportKind kKinds[] = {
    {"task", "a task in another layout", "", FitsTaskLines, ReadTaskLines},
    {"inspect", "an Inspect log or data set", "--check", FitsInspect, ReadInspect},
    {"lm-eval", "lm-evaluation-harness samples", "--check", FitsLmEval, ReadLmEval},
    {"promptfoo", "promptfoo tests", "--map", FitsPromptfoo, ReadPromptfoo},
    {"bfcl", "the Berkeley Function Calling Leaderboard", "--answers", FitsBfcl, ReadBfcl},
    {"humaneval", "HumanEval", "", FitsHumanEval, ReadHumanEval},
    {"ifeval", "IFEval", "", FitsIfEval, ReadIfEval},
    {"lost-in-the-middle", "lost-in-the-middle", "", FitsLostInTheMiddle, ReadLostInTheMiddle},
    {"multiple-choice", "multiple choice (MMLU-Pro, MMLU, ARC)", "", FitsMultipleChoice, ReadMultipleChoice},
    {"gsm8k", "GSM8K", "", FitsGsm8k, ReadGsm8k},
    {"openai-fine-tuning", "an OpenAI fine-tuning file", "--check", FitsFineTuning, ReadFineTuning},
    {"sharegpt", "ShareGPT conversations", "--check", FitsShareGpt, ReadShareGpt},
    {"alpaca", "Alpaca instructions", "--check", FitsAlpaca, ReadAlpaca},
    {"openai-evals", "openai/evals samples", "--check", FitsOpenAiEvals, ReadOpenAiEvals},
    {"table", "a table, or rows of a question and its answer", "--map --check", FitsTable, ReadTable},
};
constexpr size_t kLooked = 10;

}  // namespace

std::span<const ImportKind> ImportKinds() {
  return kKinds;
}

bool RowsHave(const ImportSource& source, std::initializer_list<const char*> members) {
  const size_t looked = std::min(source.rows.size(), kLooked);
  for (size_t i = 0; i < looked; ++i)
    for (const char* member : members)
      if (!FindMember(source.rows[i].value, member)) return false;
  return looked > 0;
}

Json UserMessages(const std::string& text, const std::string& system) {
  Json messages = Json::array();
  if (!system.empty()) messages.push_back({{"role", "system"}, {"content", system}});
  messages.push_back({{"role", "user"}, {"content", text}});
  return messages;
}

}  // namespace assay
