#include "serve/review/review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "record/label_file.h"
#include "serve/review/page.h"
#include "system/file.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::string_view kTask =
    "\xEF\xBB\xBF{\"defaults\": {\"system\": \"Be brief.\", \"slice\": \"facts\"}}\r\n"
    "\n"
    "{\"messages\": [{\"role\": \"user\", \"content\": \"Capital of France?\"}],  \"id\": \"paris\", \"draft\": \"x\", "
    "\"expect\": [ {\"type\": \"contains\", \"value\": \"Lyon\"} ]}\r\n"
    "{\"id\": \"sum\", \"slice\": \"arithmetic\", \"messages\": [{\"role\": \"user\", \"content\": \"100 + 104?\"}], "
    "\"expect\": [{\"type\": \"number\", \"value\": 2.040e2}]}\n"
    "\n"
    "{\"messages\": [{\"role\": \"user\", \"content\": \"Say yes\"}], \"expect\": [{\"type\": \"equals\", \"value\": "
    "\"yes\"}]}";

ReviewArm Arm(const std::string& name, const std::vector<std::pair<std::string, std::string>>& answers) {
  ReviewArm arm{name, {}};
  for (const auto& [id, answer] : answers) {
    ExampleResult result;
    result.id = id;
    result.answer = answer;
    result.finish = "stop";
    arm.run.examples.push_back(result);
  }
  return arm;
}

class Reviews : public ::testing::Test {
 protected:
  Reviews() { WriteFileAtomically(path_, kTask); }
  Review Open(bool discard = false, std::vector<ReviewArm> arms = {}) const {
    return Review({.task = path_, .text = ReadFile(path_), .labels = labels_}, std::move(arms), discard);
  }
  static Json Changes(size_t line, std::initializer_list<Json> changes) {
    Json asked = {{"line", line}, {"changes", Json::array()}};
    for (const Json& change : changes) asked["changes"].push_back(change);
    return asked;
  }
  static Json Removal(Json path) { return {{"path", std::move(path)}, {"remove", true}}; }
  static Json Change(Json path, const std::string& json, size_t line = 2) {
    Json change = Json::object();
    change["path"] = std::move(path);
    change["json"] = json;
    return Changes(line, {change});
  }
  std::string Replaced(const std::string& from, const std::string& to) const {
    std::string text(kTask);
    EXPECT_TRUE(ReplaceAll(text, from, to));
    return text;
  }
  ScratchFolder folder_;
  fs::path path_ = folder_.path() / "task.jsonl", labels_;
};

TEST_F(Reviews, OnlyWhatWasChangedIsChanged) {
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
  Review review = Open();
  EXPECT_EQ(review.unsaved(), 0u);
  const Json edited = review.Ask("/edit", Change(Json::array({"expect", 0, "value"}), "\"Paris\""));
  ASSERT_TRUE(edited["taken"]) << edited;
  EXPECT_EQ(edited["unsaved"], 1);
  EXPECT_EQ(ReadFile(path_), kTask);
  EXPECT_EQ(review.Ask("/save", Json::object())["unsaved"], 0);
  EXPECT_EQ(ReadFile(path_), Replaced("\"Lyon\"", "\"Paris\""));
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
  // Back, after it was saved, too.
  EXPECT_TRUE(review.Ask("/undo", Json::object())["undone"]);
  review.Save();
  EXPECT_EQ(ReadFile(path_), kTask);
  EXPECT_FALSE(review.Ask("/undo", Json::object())["undone"]);
  review.Finish();
  EXPECT_FALSE(fs::exists(review.journal()));
}

TEST_F(Reviews, ADraftIsAcceptedAnExampleDeletedAndWrittenAnew) {
  Review review = Open();
  review.Ask("/edit", Changes(2, {Removal(Json::array({"draft"}))}));
  review.Ask("/edit", {{"line", 3}, {"delete", true}});
  // As a person lays it out; the value that was not touched keeps its bytes.
  const Json taken = review.Ask(
      "/edit", {{"line", 5},
                {"text",
                 "{\n \"messages\": [ {\"role\":\"user\", \"content\": \"Say yes\"} ],\n"
                 " \"note\": \"short\",\n \"expect\": [{\"type\": \"equals\", \"value\": [\"yes\", \"Yes\"]}]}"}});
  EXPECT_TRUE(taken["taken"]) << taken;
  review.Save();
  const std::vector<std::string> lines = Split(ReadFile(path_), '\n');
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[2].find("draft"), std::string::npos);
  EXPECT_EQ(lines[3], "");  // so that the last one is still example 6
  EXPECT_EQ(lines[5],
            "{\"messages\": [{\"role\": \"user\", \"content\": \"Say yes\"}], \"note\": \"short\", \"expect\": "
            "[{\"type\":\"equals\",\"value\":[\"yes\",\"Yes\"]}]}");
  EXPECT_EQ(LoadTask(path_).examples.size(), 2u);
  EXPECT_EQ(LoadTask(path_).examples[1].id, "6");
}

TEST_F(Reviews, WhatTheTasksReaderRefusesIsNotTaken) {
  Review review = Open();
  const auto refused = [&](const Json& asked) {
    const Json got = review.Ask("/edit", asked);
    EXPECT_FALSE(got["taken"]);
    return DumpJson(got["problems"]);
  };
  EXPECT_THAT(refused(Change(Json::array({"expect", 0, "valeu"}), "1")), HasSubstr("did you mean \\\"value\\\"?"));
  EXPECT_THAT(refused(Change(Json::array({"expect", 0, "value"}), "{oops")), HasSubstr("expect[0].value"));
  EXPECT_THAT(refused(Change(Json::array({"id", "x"}), "1")), HasSubstr("a change leads to"));
  EXPECT_THAT(refused(Change(Json::array({"id"}), "\"sum\"")), HasSubstr("sum is the id of line 4"));
  EXPECT_THAT(refused(Change(Json::array({"id"}), "\"6\"")), HasSubstr("6 is the id of line 6"));
  EXPECT_THAT(refused({{"line", 2}, {"text", "{\"defaults\": {}}"}}), HasSubstr("expected an example"));
  EXPECT_THAT(refused({{"line", 2}, {"text", "{'id': 1}"}}), HasSubstr("expected \\\""));
  EXPECT_THAT(refused({{"line", 2}, {"text", "  "}}), HasSubstr("expected an example"));
  const Json deep = Changes(2, {Removal(Json(std::vector<int>(100'000, 0)))});
  EXPECT_THAT(refused(deep), HasSubstr("names and places"));
  EXPECT_EQ(review.unsaved(), 0u);
  for (const Json& asked : {Json::object(), Json{{"line", 0}}, Json{{"line", 99}}, Json{{"line", -1}},
                            Json{{"line", "2"}}, Json{{"line", 1}}, Changes(2, {Change("expect", "1")["changes"][0]}),
                            Changes(2, {Json(1)}), Changes(2, {Removal(Json::array())})})
    try {
      EXPECT_FALSE(review.Ask("/edit", asked).value("taken", true)) << asked;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalid) << asked;
    }
  EXPECT_THROW(review.Ask("/no", Json::object()), Error);
  bool done = false;
  EXPECT_THROW(AnswerReviewPage(review, {"POST", "/edit", "[1"}, done), Error);
  EXPECT_THROW(AnswerReviewPage(review, {"POST", "/edit", "[]"}, done), Error);
  EXPECT_THROW(AnswerReviewPage(review, {"GET", "/save", ""}, done), Error);
  EXPECT_FALSE(done);
}

TEST_F(Reviews, AnswersAreScoredByWhatIsExpectedNow) {
  Review review =
      Open(false, {Arm("bf16", {{"paris", "Paris."}, {"6", "yes"}}), Arm("q4", {{"paris", "Lyon\xE2\x80\xAE."}})});
  const Json before = review.Ask("/example", {{"line", 2}});
  EXPECT_EQ(before["answers"].size(), 2u);
  EXPECT_FALSE(before["answers"][0]["pass"]);
  EXPECT_TRUE(before["answers"][1]["pass"]);
  EXPECT_EQ(before["answers"][1]["answer"], "Lyon‹U+202E›.");  // what would hide is seen
  EXPECT_EQ(before["answers"][1]["diff"]["after"][0], Json::array({"Lyon‹U+202E›", true}));
  EXPECT_EQ(before["conversation"][0]["text"], "Be brief.");
  // Tried, and not taken.
  Json asked = Change(Json::array({"expect", 0, "value"}), "\"Paris\"");
  asked["try"] = true;
  const Json tried = review.Ask("/edit", asked);
  EXPECT_FALSE(tried["taken"]);
  EXPECT_TRUE(tried["example"]["answers"][0]["pass"]);
  EXPECT_FALSE(tried["example"]["answers"][1]["pass"]);
  EXPECT_EQ(review.unsaved(), 0u);
  // Found by its line's number, and by the name it had: a new one does not lose its answers.
  EXPECT_TRUE(review.Ask("/example", {{"line", 5}})["answers"][0]["pass"]);
  const Json renamed = review.Ask("/edit", Change(Json::array({"id"}), "\"france\""));
  EXPECT_EQ(renamed["example"]["answers"].size(), 2u);
  EXPECT_EQ(review.Ask("/state", Json::object())["examples"][0]["id"], "france");
}

TEST_F(Reviews, WhatIsTypedIntoOneFieldIsOneStepBack) {
  Review review = Open();
  for (const char* value : {"\"P\"", "\"Pa\"", "\"Paris\""}) {
    Json asked = Change(Json::array({"expect", 0, "value"}), value);
    asked["gesture"] = 7;
    review.Ask("/edit", asked);
  }
  EXPECT_EQ(review.Ask("/undo", Json::object())["undo"], 0);
  EXPECT_EQ(review.unsaved(), 0u);
}

TEST_F(Reviews, AKilledReviewLosesNothing) {
  {
    Review killed = Open();
    killed.Ask("/edit", Change(Json::array({"slice"}), "\"geography\""));
    killed.Ask("/edit", {{"line", 3}, {"delete", true}});
    EXPECT_THROW(Open(), Error);  // somebody reviews it now
  }
  {
    Review again = Open();
    EXPECT_EQ(again.taken_up(), 2u);
    EXPECT_EQ(again.unsaved(), 2u);
    again.Ask("/undo", Json::object());
  }
  {  // Another program's change of another line is no obstacle.
    WriteFileAtomically(path_, Replaced("Say yes", "Say yes, please") + "\n");
    Review again = Open();
    EXPECT_EQ(again.taken_up(), 1u);
    again.Save();
    EXPECT_THAT(ReadFile(path_), HasSubstr("please"));
    EXPECT_THAT(ReadFile(path_), HasSubstr("geography"));
  }
  Review saved = Open();
  EXPECT_EQ(saved.taken_up(), 0u);
}

TEST_F(Reviews, ChangesOfALineThatIsAnotherNowAreToldOrDropped) {
  Open().Ask("/edit", Change(Json::array({"slice"}), "\"geography\""));
  WriteFileAtomically(path_, Replaced("Capital of France", "Capital of Italy"));
  try {
    Open();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("task.jsonl.review holds 1 change"));
    EXPECT_THAT(error.what(), HasSubstr("--discard"));
  }
  EXPECT_EQ(Open(true).unsaved(), 0u);
  EXPECT_EQ(Open().taken_up(), 0u);
}

TEST_F(Reviews, AFileThatWasChangedMeanwhileIsLeftAlone) {
  Review review = Open();
  review.Ask("/edit", Change(Json::array({"slice"}), "\"geography\""));
  const std::string other = Replaced("Say yes", "Say no");
  WriteFileAtomically(path_, other);
  try {
    review.Save();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("another program changed the file"));
  }
  EXPECT_EQ(ReadFile(path_), other);
  EXPECT_EQ(review.unsaved(), 1u);
  fs::remove(path_);
  EXPECT_THROW(review.Save(), Error);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(Reviews, MistakesAreShownAndMended) {
  WriteFileAtomically(path_, Replaced("\"value\": \"Lyon\"", "\"valeu\": \"Lyon\"") + "\n{\"id\": \"torn\", \n");
  Review review = Open();
  const Json state = review.Ask("/state", Json::object());
  EXPECT_TRUE(state["examples"][0]["broken"]);
  EXPECT_FALSE(state["examples"][1]["broken"]);
  EXPECT_TRUE(state["examples"][3]["broken"]);
  EXPECT_EQ(review.Ask("/example", {{"line", 6}})["text"], "{\"id\": \"torn\",");
  EXPECT_FALSE(review.Ask("/example", {{"line", 6}})["problems"].empty());
  EXPECT_TRUE(review.Ask(
      "/edit", Changes(2, {Removal(Json::array({"expect", 0, "valeu"})),
                           Change(Json::array({"expect", 0, "value"}), "\"Paris\"")["changes"][0]}))["taken"]);
  EXPECT_FALSE(review.Ask("/state", Json::object())["examples"][0]["broken"]);
  const Json saved = review.Ask("/save", Json::object());
  EXPECT_EQ(saved["problems"].size(), 1u);  // the other one, still
  WriteFileAtomically(path_, "id,question\n1,x\n");
  EXPECT_THROW(Open(), Error);
}

TEST_F(Reviews, LabelsAreWrittenAsTheLabellingReadsThem) {
  labels_ = folder_.path() / "x.differing.jsonl";
  const DifferingPrompt prompt{"p1", {{"user", "Hi"}}, {"yes", "bf16"}, {{"no", {"q4"}, ""}, {"maybe", {"q2"}, ""}}};
  const std::string text = LabelFileText(std::vector<DifferingPrompt>{prompt});
  WriteFileAtomically(labels_, text);
  Review review = Open();
  const Json shown = review.Ask("/differing", {{"line", 0}});
  EXPECT_EQ(shown["answers"][0]["diff"]["after"], Json::parse(R"([["no", true]])"));
  review.Ask("/label", {{"line", 0}, {"answer", 1}, {"right", "neither"}});
  EXPECT_THROW(review.Ask("/label", {{"line", 0}, {"answer", 0}, {"right", "A"}}), Error);
  EXPECT_THROW(review.Ask("/label", {{"line", 0}, {"answer", 2}, {"right", "both"}}), Error);
  EXPECT_THROW(review.Ask("/label", {{"line", 0}, {"right", "both"}}), Error);
  EXPECT_EQ(review.unsaved(), 1u);
  review.Save();
  std::string labelled = text;
  labelled.replace(labelled.rfind("null"), 4, "\"neither\"");
  EXPECT_EQ(ReadFile(labels_), labelled);
  const std::vector<AnswerLabel> labels = ParseLabels(ReadFile(labels_), "");
  ASSERT_EQ(labels.size(), 1u);
  EXPECT_EQ(labels[0].right, "neither");
  EXPECT_EQ(ReadFile(path_), kTask);
}

TEST_F(Reviews, YamlBecomesTheSameTask) {
  const std::string_view yaml =
      "defaults: {slice: facts}\nexamples:\n  - messages: [{role: user, content: Hi}]\n    expect: [{type: equals, "
      "value: \"no\"}]\n"
      "  - {id: b, messages: [{role: user, content: Ho}], expect: [{type: number, value: 12345678901234567890}]}\n";
  const std::string lines = TaskLinesOfYaml(yaml, "t.yaml");
  EXPECT_EQ(ParseTask(lines, "t.jsonl").hash, ParseTask(yaml, "t.yaml").hash) << lines;
  const fs::path out = folder_.path() / "new.jsonl";
  Review review({.task = out, .text = lines, .elsewhere = true}, {}, false);
  EXPECT_EQ(review.unsaved(), 1u);  // it is not there yet
  review.Save();
  EXPECT_EQ(ReadFile(out), lines);
  EXPECT_THROW(Review({.task = out, .text = lines, .elsewhere = true}, {}, false), Error);
}

}  // namespace
}  // namespace assay
