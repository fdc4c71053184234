#include <gtest/gtest.h>

#include "base/edit/edited_lines.h"
#include "base/edit/json_edit.h"
#include "base/error.h"

namespace assay {
namespace {

constexpr std::string_view kLine =
    R"({"id": "a",  "n": 1.50, "expect": [{"type":"number","value": 2e2} , {"type": "x"}], "é\"": {}})";

TEST(JsonEdit, WhatIsNotChangedKeepsItsBytes) {
  EXPECT_EQ(SetInJson(kLine, Json::array({"expect", 0, "value"}), "7"),
            R"({"id": "a",  "n": 1.50, "expect": [{"type":"number","value": 7} , {"type": "x"}], "é\"": {}})");
  EXPECT_EQ(SetInJson(kLine, Json::array({"slice"}), "\"s\""),
            std::string(kLine.substr(0, kLine.size() - 1)) + R"(,  "slice": "s"})");
  EXPECT_EQ(SetInJson(kLine, Json::array({"é\"", "new"}), "1"),
            R"({"id": "a",  "n": 1.50, "expect": [{"type":"number","value": 2e2} , {"type": "x"}], "é\"": {"new":1}})");
  EXPECT_EQ(SetInJson("[]", Json::array({0}), "1"), "[1]");
  EXPECT_EQ(SetInJson("[ 0 ]", Json::array({1}), "1"), "[ 0,1 ]");
  EXPECT_EQ(SetInJson("{}", Json::array({"a", "b"}), "null"), R"({"a":{"b":null}})");
}

TEST(JsonEdit, Removes) {
  EXPECT_EQ(RemoveFromJson(R"({"a": 1, "b": [1,2], "c": 3})", Json::array({"a"})), R"({"b": [1,2], "c": 3})");
  EXPECT_EQ(RemoveFromJson(R"({"a": 1, "b": [1,2], "c": 3})", Json::array({"c"})), R"({"a": 1, "b": [1,2]})");
  EXPECT_EQ(RemoveFromJson(R"({"a": 1, "b": [1,2]})", Json::array({"b", 0})), R"({"a": 1, "b": [2]})");
  EXPECT_EQ(RemoveFromJson(R"({"a": "}"})", Json::array({"a"})), "{}");
  EXPECT_EQ(RemoveFromJson(R"({"a": 1})", Json::array({"z"})), R"({"a": 1})");
}

TEST(JsonEdit, APathThroughAnotherValueIsRefused) {
  EXPECT_THROW(SetInJson(kLine, Json::array({"id", "x"}), "1"), Error);
  EXPECT_THROW(SetInJson(kLine, Json::array({"expect", 5}), "1"), Error);
  EXPECT_THROW(SetInJson(kLine, Json::array({"expect", "x"}), "1"), Error);
  EXPECT_THROW(RemoveFromJson(kLine, Json::array({0})), Error);
}

TEST(JsonEdit, AWholeThatWasEditedKeepsMembersThatWereNot) {
  const std::string laid_out = LayOutJson(kLine, 2);
  EXPECT_NE(laid_out.find("\n  \"n\": 1.50,\n"), std::string::npos) << laid_out;
  EXPECT_EQ(MergeJson(kLine, laid_out), kLine);
  // Another order, one value less and one more.
  EXPECT_EQ(MergeJson(R"({"a": [1, 2], "b": 1.0, "c": 0})", "{\n\"b\": 1.0,\n\"a\": [1,\n2], \"d\":[ 3 ]\n}"),
            R"({"b": 1.0, "a": [1, 2], "d": [3]})");
  EXPECT_EQ(MergeJson("{}", R"({ "a" : 1 })"), R"({"a":1})");
  EXPECT_EQ(LayOutJson("{ \"a b\" : [ ] , \"c\": { } }"), R"({"a b":[],"c":{}})");
}

TEST(JsonEdit, AByteOrderMarkIsNotOfTheValue) {
  EXPECT_EQ(SetInJson("\xEF\xBB\xBF{\"a\": 1}", Json::array({"a"}), "2"), "\xEF\xBB\xBF{\"a\": 2}");
  EXPECT_EQ(LayOutJson("\xEF\xBB\xBF [1]"), "[1]");  // it may become a part of another text
}

TEST(EditedLines, OtherBytesStay) {
  const std::string text = "\xEF\xBB\xBF  {\"a\": 1}\r\n\n \t\n{\"b\": 2}  \n{\"c\": 3}";
  EditedLines lines(text);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines.Text(), text);
  EXPECT_EQ(lines.line(0), "{\"a\": 1}");
  lines.Set(3, "{}");
  lines.Set(0, "");
  EXPECT_EQ(lines.changes(), 2u);
  EXPECT_EQ(lines.Text(), "\xEF\xBB\xBF  \r\n\n \t\n{}  \n{\"c\": 3}");
  lines.Set(0, "{\"a\": 1}");
  EXPECT_EQ(lines.changes(), 1u);
  lines.Saved();
  EXPECT_EQ(lines.changes(), 0u);
  EXPECT_EQ(EditedLines("").Text(), "");
  EXPECT_EQ(EditedLines("\xEF\xBB\xBF").Text(), "\xEF\xBB\xBF");
}

}  // namespace
}  // namespace assay
