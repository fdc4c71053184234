// Which of a folder's files says the chat template: expected values are those of transformers 5.24 (AutoTokenizer) and
// of vLLM's resolve_chat_template.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/hf/hf_chat_templates.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class HfChatTemplatesTest : public ::testing::Test {
 protected:
  void Put(const std::string& name, const std::string& text) {
    fs::create_directories((folder_.path() / name).parent_path());
    WriteFileAtomically(folder_.path() / name, text);
  }
  void PutJson(const std::string& name, const Json& value) { Put(name, DumpJson(Json{{"chat_template", value}})); }
  HfChatTemplates Read(bool has_processor = false) { return ReadHfChatTemplates(folder_.path(), has_processor); }

  TempFolder folder_;
};

TEST_F(HfChatTemplatesTest, AFileComesBeforeTheTokenizersConfiguration) {
  PutJson("tokenizer_config.json", "C");
  EXPECT_EQ(Read().main, "C");
  EXPECT_THAT(Read().remarks, IsEmpty());
  Put("chat_template.jinja", "C\n");  // the same
  EXPECT_EQ(Read().main, "C\n");
  EXPECT_THAT(Read().remarks, IsEmpty());
  Put("chat_template.jinja", "J");
  EXPECT_EQ(Read().main, "J");
  EXPECT_THAT(Read().remarks,
              ElementsAre(HasSubstr("tokenizer_config.json holds another chat template than chat_template.jinja")));
  PutJson("tokenizer_config.json",
          Json::array({{{"name", "default"}, {"template", "J"}}, {{"name", "rag"}, {"template", "R"}}}));
  EXPECT_THAT(Read().named, IsEmpty());
  EXPECT_THAT(Read().remarks, ElementsAre(HasSubstr("tokenizer_config.json holds another")));
  fs::remove(folder_.path() / "chat_template.jinja");
  EXPECT_EQ(Read().main, "J");
  EXPECT_THAT(Read().named, ElementsAre(Pair("rag", "R")));
}

TEST_F(HfChatTemplatesTest, AdditionalFilesAlsoTakeTheConfigurationsPlace) {
  PutJson("tokenizer_config.json", "C");
  Put("additional_chat_templates/tool_use.jinja", "T");
  EXPECT_EQ(Read().main, "");  // "no default" in transformers
  EXPECT_THAT(Read().named, ElementsAre(Pair("tool_use", "T")));
  EXPECT_THAT(Read().remarks, ElementsAre(HasSubstr("than additional_chat_templates, which is taken")));
  Put("additional_chat_templates/default.jinja", "D");
  EXPECT_EQ(Read().main, "D");
  Put("chat_template.jinja", "J");
  Put("additional_chat_templates/rag.jinja", "R");
  EXPECT_EQ(Read().main, "D");
  EXPECT_THAT(Read().named, UnorderedElementsAre(Pair("tool_use", "T"), Pair("rag", "R")));
}

TEST_F(HfChatTemplatesTest, TheProcessorsFileIsNotALanguageModels) {
  PutJson("chat_template.json", "P");
  EXPECT_EQ(Read().main, "P");
  EXPECT_THAT(Read().remarks, ElementsAre(HasSubstr("taken from chat_template.json, which no tokenizer")));
  PutJson("tokenizer_config.json", "C");
  EXPECT_EQ(Read().main, "C");
  EXPECT_THAT(Read().remarks,
              ElementsAre(HasSubstr("chat_template.json holds another chat template than tokenizer_config.json")));
  Put("chat_template.jinja", "J");
  EXPECT_EQ(Read().main, "J");
  EXPECT_THAT(Read().remarks, ElementsAre(HasSubstr("tokenizer_config.json holds another"),
                                          HasSubstr("chat_template.json holds another")));
  PutJson("chat_template.json", "J");
  PutJson("tokenizer_config.json", "J");
  EXPECT_THAT(Read().remarks, IsEmpty());
}

// Qwen2.5-VL: its processor's template takes images and shows no tools, its tokenizer's is that of the language model.
TEST_F(HfChatTemplatesTest, WithAProcessorChatsWithoutToolsGetItsTemplate) {
  PutJson("chat_template.json", "P");
  EXPECT_EQ(Read(true).main, "P");
  EXPECT_THAT(Read(true).remarks, IsEmpty());
  PutJson("tokenizer_config.json", "C");
  EXPECT_EQ(Read(true).main, "P");
  EXPECT_THAT(Read(true).named, ElementsAre(Pair("tool_use", "C")));
  EXPECT_THAT(Read(true).remarks,
              ElementsAre(AllOf(HasSubstr("chat_template.json and tokenizer_config.json hold different"),
                                HasSubstr("chats without tools get the former"))));
  PutJson("processor_config.json", "O");
  EXPECT_EQ(Read(true).main, "O");
  EXPECT_EQ(Read(false).main, "C");
  EXPECT_THAT(Read(true).remarks,
              ElementsAre(HasSubstr("chat_template.json holds another"), HasSubstr("as vLLM does")));
  fs::remove(folder_.path() / "chat_template.json");
  fs::remove(folder_.path() / "processor_config.json");
  EXPECT_EQ(Read(true).main, "C");
  EXPECT_THAT(Read(true).named, IsEmpty());
  EXPECT_THAT(Read(true).remarks, IsEmpty());
}

TEST_F(HfChatTemplatesTest, RefusesWhatIsNoTemplate) {
  for (const Json& wrong : {Json(1), Json::array({1}), Json::array({{{"name", "default"}}}), Json{{"default", 1}}}) {
    PutJson("tokenizer_config.json", wrong);
    EXPECT_THROW(Read(), Error) << wrong.dump();
  }
}

// The language model is written without a processor; it is asked as the whole was.
TEST(HfChatTemplates, WrittenAsALanguageModelTheTemplatesStay) {
  TempFolder scratch;
  for (const char* name : {"gemma3_images", "qwen2"}) {
    const fs::path folder = GoldenFolder(scratch.path(), name);
    const std::string own = "{{ messages[0].content }}";
    WriteFileAtomically(folder / "chat_template.json", DumpJson(Json{{"chat_template", own}}));
    auto source = Checkpoint::Open(folder);
    const fs::path out = scratch.path() / (std::string(name) + "_out");
    ConvertForTest(*source, Container::kHuggingFace, out, "", [](const Tensor&) { return "f32"; });
    auto written = Checkpoint::Open(out);
    EXPECT_EQ(written->chat_template(), source->chat_template()) << name;
    EXPECT_EQ(written->extra_chat_templates(), source->extra_chat_templates()) << name;
  }
}

}  // namespace
}  // namespace assay
