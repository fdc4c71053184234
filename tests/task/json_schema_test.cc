#include "task/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "system/file.h"

namespace assay {
namespace {

using testing::HasSubstr;

// Of the official suite's optional tests: what we do otherwise, with the reason. The required tests have no exception.
const std::set<std::string> kExceptions = {};

TEST(JsonSchema, OfficialSuite) {
  std::string path = std::string(ASSAY_TEST_DATA) + "/golden/json_schema/suite.json";
  Json suite = ParseJson(ReadFile(path), path);
  JsonSchema::Registry registry;
  for (const auto& [uri, schema] : suite["remotes"].items()) registry.emplace(uri, schema);
  size_t required = 0, optional = 0, passed_required = 0, passed_optional = 0;
  std::set<std::string> failed;
  for (const auto& [file, groups] : suite["files"].items()) {
    bool is_optional = file.starts_with("optional/");
    for (const Json& group : groups) {
      std::optional<JsonSchema> schema;
      std::string why;
      try {
        schema = JsonSchema::Compile(group["schema"], "suite", registry);
      } catch (const Error& e) {
        why = e.what();
      }
      for (const Json& test : group["tests"]) {
        std::string name = file + ": " + group["description"].get<std::string>() + ": " + test["description"].get<std::string>();
        bool good = schema && schema->Validate(test["data"]).empty() == test["valid"].get<bool>();
        ++(is_optional ? optional : required);
        (is_optional ? passed_optional : passed_required) += good;
        if (good) continue;
        failed.insert(name);
        EXPECT_TRUE(kExceptions.count(name)) << name << " " << why << "\n" << group["schema"].dump() << "\n" << test["data"].dump();
      }
    }
  }
  EXPECT_EQ(failed, kExceptions);
  EXPECT_GE(required, 1299u);
  EXPECT_EQ(passed_required, required);
  RecordProperty("required", static_cast<int>(required));
  RecordProperty("optional", static_cast<int>(optional));
  RecordProperty("optional_passed", static_cast<int>(passed_optional));
}

}  // namespace
}  // namespace assay
