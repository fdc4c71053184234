// Tool definitions as the code in Kimi K2.5's folder shows them (tools/golden/kimi_folder.py --tools).

#include "dialect/kimi_tools.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "system/file.h"

namespace assay {
namespace {

ChatTemplate::Input Prepared(const std::string& source, const Json& tools) {
  ChatTemplate::Input input;
  input.tools = tools;
  PrepareKimiTools(ChatTemplate::Parse(source, "test"), input);
  return input;
}

TEST(KimiTools, TypeScriptIsThatOfThePublishedCode) {
  const std::string path = ASSAY_TEST_DATA "/golden/kimi/tools.json";
  const Json golden = ParseJson(ReadFile(path), path);
  int given_up = 0;
  for (const Json& row : golden["cases"]) {
    // Sorted as the code sorts them first.
    const Json tools = Prepared("<|im_system|>tool_declare<|im_middle|>", row["tools"]).tools;
    const std::optional<std::string> found = TypeScriptTools(tools);
    EXPECT_EQ(found.has_value(), row["typescript"].is_string()) << row["tools"];
    if (found && row["typescript"].is_string()) {
      EXPECT_EQ(*found, row["typescript"].get<std::string>());
    } else {
      ++given_up;
    }
  }
  EXPECT_GE(golden["cases"].size(), 30u);
  EXPECT_EQ(given_up, 6);
}

TEST(KimiTools, OnlyKimisTemplatesSeeOtherTools) {
  const Json tools = ParseJson(R"([{"type":"function","function":{"name":"f","description":"d"}}])", "tools");
  EXPECT_EQ(Prepared("{{ tools }}", tools).tools.dump(), tools.dump());
  EXPECT_TRUE(Prepared("{{ tools }}", tools).extra.is_null());
  const ChatTemplate::Input k2 = Prepared("tool_declare<|im_middle|>{{ tools }}", tools);
  EXPECT_EQ(k2.tools.dump(), R"([{"function":{"description":"d","name":"f"},"type":"function"}])");
  EXPECT_TRUE(k2.extra.is_null());
  const ChatTemplate::Input k25 = Prepared("tool_declare<|im_middle|>{{ tools_ts_str or tools }}", tools);
  EXPECT_EQ(k25.extra["tools_ts_str"],
            "# Tools\n\n## functions\nnamespace functions {\n// d\ntype f = (_: {}) => any;\n}\n");
  EXPECT_TRUE(Prepared("tool_declare<|im_middle|>{{ tools_ts_str }}", nullptr).extra.is_null());
}

}  // namespace
}  // namespace assay
