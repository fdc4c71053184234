#pragma once
// Short ways to compile and run one check.

#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "task/task.h"

namespace assay::testing {

inline CheckResult Try(const Json& spec, std::string_view text, const Example& example = {},
                       std::string_view finish = "stop") {
  return RunCheck(CompileCheck(spec, example), {text, finish}, example);
}
inline CheckResult Try(const char* spec, std::string_view text, const Example& example = {},
                       std::string_view finish = "stop") {
  return Try(Json::parse(spec), text, example, finish);
}
/// "" on a pass, else the class.
inline std::string Class(const char* spec, std::string_view text, std::string_view finish = "stop") {
  CheckResult result = Try(spec, text, {}, finish);
  EXPECT_EQ(result.pass, result.failure.empty());
  if (!result.pass) {
    EXPECT_FALSE(result.detail.empty()) << "a failure names its place";
  }
  return result.failure;
}
/// "field: message" of a definition that is refused.
inline std::string Refusal(const char* spec, const Example& example = {}) {
  try {
    CompileCheck(Json::parse(spec), example);
  } catch (const FieldError& error) {
    return error.field + ": " + error.message;
  }
  return "accepted";
}

inline std::vector<Json> ReadLines(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  std::vector<Json> lines;
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) lines.push_back(Json::parse(line));
  return lines;
}

}  // namespace assay::testing
