#include "cli/check/example_texts.h"

#include "base/json.h"

namespace assay {
namespace {

std::string TextOf(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  return content.is_null() ? "" : DumpJson(content);
}

ExampleText DescribeExample(const Example& example) {
  ExampleText text{example.id, example.slice, {}, ""};
  if (!example.tools.is_null()) text.prompt.push_back({"tools", DumpJson(example.tools, 1)});
  if (example.is_chat())
    for (const Json& message : example.messages)
      text.prompt.push_back({message.value("role", ""), TextOf(message.value("content", Json(nullptr)))});
  else
    text.prompt.push_back({"", example.prompt});
  for (const Check& check : example.expect) text.expected += (text.expected.empty() ? "" : "\n") + DumpJson(check.spec);
  return text;
}

}  // namespace

std::vector<ExampleText> ExampleTexts(const Task& task) {
  std::vector<ExampleText> texts;
  for (const Example& example : task.examples) texts.push_back(DescribeExample(example));
  return texts;
}

}  // namespace assay
