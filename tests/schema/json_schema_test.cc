#include "schema/json_schema.h"

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
const std::set<std::string> kExceptions = {
    // draft 2019-09 is refused
    "optional/cross-draft: refs to historic drafts are processed as historic drafts: first item not a string is valid",
};

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
        std::string name =
            file + ": " + group["description"].get<std::string>() + ": " + test["description"].get<std::string>();
        bool good = schema && schema->Validate(test["data"]).empty() == test["valid"].get<bool>();
        ++(is_optional ? optional : required);
        (is_optional ? passed_optional : passed_required) += good;
        if (good) continue;
        failed.insert(name);
        EXPECT_TRUE(kExceptions.count(name)) << name << " " << why << "\n"
                                             << group["schema"].dump() << "\n"
                                             << test["data"].dump();
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

std::vector<SchemaError> Errors(const std::string& schema, const std::string& value) {
  return JsonSchema::Compile(ParseJson(schema, "s"), "s").Validate(ParseJson(value, "v"));
}

TEST(JsonSchema, TellsWhereAndWhat) {
  auto errors = Errors(
      R"({"$defs":{"a/b":{"type":"integer"}},"properties":{"x":{"items":{"$ref":"#/$defs/a~1b"}}},"required":["y"]})",
      R"({"x":[1,"two",3.5]})");
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].instance_path, "");
  EXPECT_EQ(errors[0].schema_path, "/required");
  EXPECT_EQ(errors[0].message, "property \"y\" is missing");
  EXPECT_EQ(errors[1].instance_path, "/x/1");
  EXPECT_EQ(errors[1].schema_path, "/properties/x/items/$ref/type");
  EXPECT_EQ(errors[1].message, "expected integer, found string");
  EXPECT_EQ(errors[2].instance_path, "/x/2");
  EXPECT_EQ(errors[2].message, "expected integer, found number");
}

TEST(JsonSchema, Draft7) {
  const std::string draft7 = R"("$schema":"http://json-schema.org/draft-07/schema#")";
  EXPECT_TRUE(Errors("{" + draft7 + R"(,"items":[{"type":"string"}],"additionalItems":false})", R"(["a"])").empty());
  EXPECT_EQ(
      Errors("{" + draft7 + R"(,"items":[{"type":"string"}],"additionalItems":false})", R"(["a",1])")[0].schema_path,
      "/additionalItems");
  // What stands beside a $ref does not count in draft-07, and does in 2020-12.
  EXPECT_TRUE(
      Errors("{" + draft7 + R"(,"definitions":{"a":{}},"properties":{"x":{"$ref":"#/definitions/a","type":"string"}}})",
             R"({"x":1})")
          .empty());
  EXPECT_FALSE(
      Errors(R"({"definitions":{"a":{}},"properties":{"x":{"$ref":"#/definitions/a","type":"string"}}})", R"({"x":1})")
          .empty());
  EXPECT_TRUE(Errors("{" + draft7 + R"(,"definitions":{"a":{"$id":"#name","type":"string"}},"$ref":"#name"})", R"("x")")
                  .empty());
  EXPECT_FALSE(
      Errors(
          "{" + draft7 + R"(,"definitions":{"a":{"$id":"#name","type":"string"}},"properties":{"x":{"$ref":"#name"}}})",
          R"({"x":1})")
          .empty());
  EXPECT_TRUE(Errors("{" + draft7 + R"(,"prefixItems":[false],"unevaluatedProperties":false})", R"({"x":1})").empty());
  EXPECT_TRUE(Errors(R"({"$ref":"http://json-schema.org/draft-07/schema"})", R"({"type":"string"})").empty());
  EXPECT_FALSE(Errors(R"({"$ref":"http://json-schema.org/draft-07/schema"})", R"({"type":"strings"})").empty());
}

TEST(JsonSchema, NumbersByValue) {
  EXPECT_TRUE(Errors(R"({"const":1})", "1.0").empty());
  EXPECT_TRUE(Errors(R"({"type":"integer"})", "1e3").empty());
  EXPECT_TRUE(Errors(R"({"uniqueItems":true})", "[9007199254740993,9007199254740992]").empty());
  EXPECT_FALSE(Errors(R"({"uniqueItems":true})", R"([{"a":1,"b":2},{"b":2.0,"a":1.0}])").empty());
  EXPECT_FALSE(Errors(R"({"maximum":9007199254740992})", "9007199254740993").empty());
  EXPECT_TRUE(Errors(R"({"multipleOf":0.01})", "4.02").empty());
  EXPECT_FALSE(Errors(R"({"multipleOf":0.01})", "4.025").empty());
  EXPECT_TRUE(Errors(R"({"multipleOf":0.1})", "1e300").empty());
}

void ExpectRefused(const std::string& schema, ErrorKind kind, const std::string& part) {
  try {
    JsonSchema::Compile(ParseJson(schema, "s"), "file.json");
    ADD_FAILURE() << schema;
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    EXPECT_THAT(e.what(), HasSubstr("file.json"));
    EXPECT_THAT(e.what(), HasSubstr(part));
  }
}

TEST(JsonSchema, RefusesMalformedSchemas) {
  ExpectRefused(R"({"properties":{"a":{"type":"strin"}}})", ErrorKind::kInvalid,
                "#/properties/a/type: unknown type \"strin\"");
  ExpectRefused(R"({"type":[]})", ErrorKind::kInvalid, "#/type");
  ExpectRefused(R"({"pattern":"(a"})", ErrorKind::kInvalid, "#/pattern: bad pattern");
  ExpectRefused(R"({"$ref":"#/$defs/a"})", ErrorKind::kInvalid, "#/$ref: #/$defs/a leads nowhere");
  ExpectRefused(R"({"$ref":"#name"})", ErrorKind::kInvalid, "#name leads nowhere");
  ExpectRefused(R"({"$ref":"http://other/x"})", ErrorKind::kInvalid, "http://other/x leads to an unknown document");
  ExpectRefused(R"({"items":[{}]})", ErrorKind::kInvalid, "prefixItems");
  ExpectRefused(R"({"minLength":-1})", ErrorKind::kInvalid, "#/minLength");
  ExpectRefused(R"({"allOf":{}})", ErrorKind::kInvalid, "#/allOf");
  ExpectRefused(R"({"anyOf":[5]})", ErrorKind::kInvalid, "#/anyOf/0");
  ExpectRefused(R"({"multipleOf":0})", ErrorKind::kInvalid, "#/multipleOf");
  ExpectRefused(R"(7)", ErrorKind::kInvalid, "expected a schema");
  ExpectRefused(R"({"$schema":"http://json-schema.org/draft-04/schema#"})", ErrorKind::kUnsupported, "draft-04");
}

TEST(JsonSchema, EndsOnHostileSchemas) {
  auto kind_of = [](const std::string& schema, const std::string& value) {
    try {
      Errors(schema, value);
    } catch (const Error& e) {
      return e.kind();
    }
    return ErrorKind::kIo;
  };
  EXPECT_EQ(kind_of(R"({"$ref":"#"})", "1"), ErrorKind::kResource);
  EXPECT_EQ(kind_of(R"({"anyOf":[{"$ref":"#"},{"$ref":"#"}]})", "1"), ErrorKind::kResource);
  EXPECT_EQ(kind_of(R"({"pattern":"^(a+)+$"})", '"' + std::string(60, 'a') + "!\""), ErrorKind::kResource);
  // Two to the power of 40 branches.
  std::string schema = R"({"$defs":{"0":{"type":"string"})";
  for (int i = 1; i <= 40; ++i) {
    std::string previous = R"({"$ref":"#/$defs/)" + std::to_string(i - 1) + "\"}";
    schema += ",\"" + std::to_string(i) + R"(":{"anyOf":[)" + previous + "," + previous + "]}";
  }
  EXPECT_EQ(kind_of(schema + R"(},"$ref":"#/$defs/40"})", "1"), ErrorKind::kResource);
  // A chain of references far longer than any stack.
  schema = R"({"allOf":[{"type":"string"})";
  for (int i = 1; i <= 100000; ++i) schema += R"(,{"$ref":"#/allOf/)" + std::to_string(i - 1) + "\"}";
  EXPECT_EQ(kind_of(schema + "]}", R"("x")"), ErrorKind::kResource);
}

TEST(JsonSchema, TruncatedSchemasNeverCrash) {
  const std::string schema =
      R"({"$id":"http://x/","$defs":{"a":{"$anchor":"n","pattern":"^a"}},"properties":{"p":{"$ref":"#n"}},"oneOf":[true]})";
  for (size_t size = 0; size < schema.size(); ++size) EXPECT_THROW(Errors(schema.substr(0, size), "{}"), Error) << size;
}

}  // namespace
}  // namespace assay
