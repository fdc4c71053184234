// Which template, which messages and which special tokens a chat gets, by container: no weights needed.

#include "engine/chat_prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "system/file.h"
#include "text/byte_vocabulary.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Bytes and the control tokens <s> and </s>; templates as a test wants them.
class Folder : public Checkpoint {
 public:
  Folder(Container container, std::string main, std::map<std::string, std::string> extra = {}) {
    container_ = container;
    path_ = "model";
    chat_template_ = std::move(main);
    extra_chat_templates_ = std::move(extra);
    tokenizer_ = ByteVocabulary("model");
  }
  TokenizerSpec& spec() { return tokenizer_; }

  static constexpr TokenId kBos = 257, kEos = 258;
};

Prompt Rendered(const Folder& folder, const Chat& chat, const PromptOptions& options = {}) {
  auto tokenizer = Tokenizer::Create(folder.tokenizer(), "model");
  return ChatPrompts(folder, *tokenizer, options).Render(chat);
}

std::vector<TokenId> Ids(const Folder& folder, const std::string& text, bool is_chat) {
  auto tokenizer = Tokenizer::Create(folder.tokenizer(), "model");
  const ChatPrompts prompts(folder, *tokenizer, {});
  return is_chat ? prompts.TokensOfChat(text) : prompts.Raw(text).ids;
}

std::string RefusalOf(const Folder& folder, const Chat& chat, const PromptOptions& options = {}) {
  try {
    return "rendered " + Rendered(folder, chat, options).text;
  } catch (const Error& error) {
    return error.what();
  }
}

const Json kUser = Json::array({{{"role", "user"}, {"content", "order two"}}});
const Json kSystem =
    Json::array({{{"role", "system"}, {"content", "Be brief."}}, {{"role", "user"}, {"content", "hi"}}});
const Json kTools = Json::array({{{"type", "function"}, {"function", {{"name", "order"}}}}});
constexpr const char* kPlain = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
const std::string kWithTools = "{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}" + std::string(kPlain);

TEST(ChatPrompts, ToolsChooseTheTemplateNamedToolUse) {
  for (Container container : {Container::kHuggingFace, Container::kGguf}) {
    const Folder folder(container, kPlain, {{"tool_use", kWithTools}, {"rag", "rag"}});
    EXPECT_EQ(Rendered(folder, {.messages = kUser}).text, "<user>order two");
    EXPECT_EQ(Rendered(folder, {.messages = kUser, .tools = Json::array()}).text, "<user>order two");
    EXPECT_EQ(Rendered(folder, {.messages = kUser, .tools = kTools}).text, "[order]<user>order two");
    EXPECT_EQ(Rendered(folder, {.messages = kUser}, {.chat_template = "tool_use"}).text, "<user>order two");
    EXPECT_EQ(Rendered(folder, {.messages = kUser}, {.chat_template = "default"}).text, "<user>order two");
    EXPECT_THAT(RefusalOf(folder, {.messages = kUser}, {.chat_template = "rga"}), HasSubstr("default, rag, tool_use"));
  }
}

TEST(ChatPrompts, WithoutADefault) {
  const Folder folder(Container::kHuggingFace, "", {{"tool_use", kWithTools}, {"rag", "rag"}}),
      gguf(Container::kGguf, "", {{"tool_use", kWithTools}}), none(Container::kGguf, "");
  EXPECT_THAT(RefusalOf(folder, {.messages = kUser}), HasSubstr("--template: rag, tool_use"));
  EXPECT_EQ(Rendered(folder, {.messages = kUser, .tools = kTools}).text, "[order]<user>order two");
  EXPECT_EQ(Rendered(gguf, {.messages = kUser}).text, "<user>order two");  // as llama.cpp
  EXPECT_THAT(RefusalOf(none, {.messages = kUser}), HasSubstr("ships no chat template"));
}

TEST(ChatPrompts, ATemplateFromAFile) {
  const std::string path = std::filesystem::temp_directory_path() / "assay_chat_prompts_test.jinja";
  WriteFileAtomically(path, kWithTools);
  for (const Folder& folder : {Folder(Container::kHuggingFace, kPlain), Folder(Container::kGguf, "")})
    EXPECT_EQ(Rendered(folder, {.messages = kUser, .tools = kTools}, {.chat_template = path}).text,
              "[order]<user>order two");
  std::filesystem::remove(path);
}

TEST(ChatPrompts, HiddenToolsAreAnErrorWithTheRemedy) {
  const Folder plain(Container::kHuggingFace, kPlain),
      own(Container::kHuggingFace,
          "{% for t in xml_tools or [] %}{{ t.function.name }}{% endfor %}" + std::string(kPlain)),
      named(Container::kHuggingFace, kPlain, {{"tools", kWithTools}});
  const Chat chat{.messages = kUser, .tools = kTools};
  EXPECT_THAT(RefusalOf(plain, chat),
              HasSubstr("does not show the model tool order; give a template that does with --template FILE"));
  EXPECT_THAT(RefusalOf(own, chat), HasSubstr("chat_template_kwargs: xml_tools"));
  EXPECT_THAT(RefusalOf(named, chat), HasSubstr("(the model also ships: tools)"));
  Chat helped = chat;
  helped.template_variables = Json{{"xml_tools", kTools}};
  EXPECT_EQ(Rendered(own, helped).text, "order<user>order two");
}

// transformers gives the special tokens that have names, llama.cpp BOS and EOS alone.
TEST(ChatPrompts, SpecialTokensByName) {
  const std::string source = std::string(kPlain) + "{{ bos_token }}{{ image_token }}{{ pad_token }}";
  for (auto [container, expected] : {std::pair(Container::kHuggingFace, "<user>order two<s><img><pad>"),
                                     std::pair(Container::kGguf, "<user>order two<s>")}) {
    Folder folder(container, source);
    folder.spec().named = {{"image_token", "<img>"}, {"pad_token", "<pad>"}};
    EXPECT_EQ(Rendered(folder, {.messages = kUser}).text, expected);
  }
}

TEST(ChatPrompts, AHiddenSystemMessage) {
  const std::string users = "{% for m in messages if m.role == 'user' %}<{{ m.role }}>{{ m.content }}{% endfor %}",
                    refusing =
                        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + users;
  const Chat chat{.messages = kSystem};
  EXPECT_THAT(RefusalOf(Folder(Container::kHuggingFace, users), chat),
              HasSubstr("does not show the model messages[0] (system); put the text into the first user message"));
  EXPECT_THAT(RefusalOf(Folder(Container::kHuggingFace, refusing), chat), HasSubstr("no system"));
  for (const std::string& source : {users, refusing}) {
    const Prompt prompt = Rendered(Folder(Container::kGguf, source), chat);
    EXPECT_EQ(prompt.text, "<user>Be brief.\nhi");
    EXPECT_THAT(prompt.remarks, ElementsAre(HasSubstr("as llama.cpp does")));
  }
  const Json alone = Json::array({kSystem[0]});
  EXPECT_THAT(RefusalOf(Folder(Container::kGguf, users), {.messages = alone}), HasSubstr("messages[0] (system)"));
  Json developer = kSystem;
  developer[0]["role"] = "developer";
  EXPECT_EQ(Rendered(Folder(Container::kGguf, kPlain), {.messages = developer}).text, "<system>Be brief.<user>hi");
  EXPECT_EQ(Rendered(Folder(Container::kHuggingFace, kPlain), {.messages = developer}).text,
            "<developer>Be brief.<user>hi");
}

TEST(ChatPrompts, VariablesAndDocuments) {
  const Folder folder(
      Container::kHuggingFace,
      "{% for d in documents or [] %}{{ d.text }};{% endfor %}{% if thinking is defined %}{{ thinking }}{% "
      "endif %}{{ messages[0].content }}");
  EXPECT_EQ(Rendered(folder, {.messages = kUser, .documents = Json::array({{{"text", "d"}}})}).text, "d;order two");
  const PromptOptions off{.template_variables = Json{{"thinking", false}}};
  EXPECT_EQ(Rendered(folder, {.messages = kUser}, off).text, "Falseorder two");
  EXPECT_EQ(Rendered(folder, {.messages = kUser, .template_variables = Json{{"thinking", true}}}, off).text,
            "Trueorder two");  // the example's own wins
  const Prompt unread = Rendered(folder, {.messages = kUser, .template_variables = Json{{"enable_thinking", false}}});
  EXPECT_THAT(unread.remarks, ElementsAre("the chat template reads no variable enable_thinking; it reads thinking"));
  EXPECT_THAT(RefusalOf(Folder(Container::kHuggingFace, kPlain),
                        {.messages = kUser, .documents = Json::array({{{"text", "d"}}})}),
              HasSubstr("documents[0]"));
}

TEST(ChatPrompts, TheClock) {
  const Folder reads(Container::kHuggingFace, "{{ strftime_now('%d %b %Y') }}{{ messages[0].content }}"),
      not_read(Container::kHuggingFace, kPlain);
  const PromptOptions options{.now_s = ClockFromText("2026-05-01T12:30:00")};
  EXPECT_EQ(Rendered(reads, {.messages = kUser}, options).text, "01 May 2026order two");
  auto tokenizer = Tokenizer::Create(reads.tokenizer(), "model");
  EXPECT_EQ(ChatPrompts(reads, *tokenizer, options).now(), "2026-05-01T12:30:00");
  EXPECT_EQ(ChatPrompts(not_read, *tokenizer, options).now(), "");
  EXPECT_NEAR(static_cast<double>(ClockFromText(ChatPrompts(reads, *tokenizer, {}).now())),
              static_cast<double>(LocalClock()), 5.0);
  EXPECT_EQ(ClockText(ClockFromText("2026-05-01")), "2026-05-01T00:00:00");
  EXPECT_EQ(ClockText(ClockFromText("2026-05-01 07:05")), "2026-05-01T07:05:00");
  for (const char* bad : {"", "today", "2026-13-01", "2026-02-30", "2026-05-01T25:00:00", "2026-05-01T12:00:00Z", "1"})
    EXPECT_THROW(ClockFromText(bad), Error) << bad;
}

TEST(ChatPrompts, WhatLlamaCppGivesToEveryTemplate) {
  const std::string source = "{{ enable_thinking }}|{{ date_string }}|{{ datetime }}";
  const PromptOptions options{.now_s = ClockFromText("2026-05-01")};
  const Folder gguf(Container::kGguf, source + "{{ messages[0].content }}"),
      folder(Container::kHuggingFace, source + "{{ messages[0].content }}");
  EXPECT_EQ(Rendered(gguf, {.messages = kUser}, options).text, "True|01 May 2026|May 01 2026order two");
  EXPECT_EQ(Rendered(folder, {.messages = kUser}, options).text, "||order two");
  const Chat off{.messages = kUser, .template_variables = Json{{"enable_thinking", false}}};
  EXPECT_EQ(Rendered(gguf, off, options).text, "False|01 May 2026|May 01 2026order two");
  EXPECT_TRUE(Rendered(gguf, {.messages = kUser}, options).remarks.empty());
  auto tokenizer = Tokenizer::Create(gguf.tokenizer(), "model");
  EXPECT_EQ(ChatPrompts(gguf, *tokenizer, options).now(), "2026-05-01T00:00:00");
  EXPECT_EQ(ChatPrompts(folder, *tokenizer, options).now(), "");
}

// transformers passes None, llama.cpp nothing.
TEST(ChatPrompts, NoToolsAreNullInAFolderAndUndefinedInAGguf) {
  const std::string source =
      "{{ tools is defined }}{{ tools is none }}{{ documents is defined }}|{% if tools is not none %}tools{% endif "
      "%}{{ messages[0].content }}";
  for (const Json& none : {Json(), Json::array()})
    EXPECT_EQ(Rendered(Folder(Container::kGguf, source), {.messages = kUser, .tools = none}).text,
              "FalseFalseFalse|toolsorder two");
  const Folder folder(Container::kHuggingFace, source);
  EXPECT_EQ(Rendered(folder, {.messages = kUser}).text, "TrueTrueTrue|order two");
  EXPECT_EQ(Rendered(folder, {.messages = kUser, .tools = Json::array()}).text, "TrueFalseTrue|toolsorder two");
  const Json document = Json::array({{{"text", "d"}}});
  const std::string grounded = "{{ documents is defined }}{{ documents[0].text }}{{ messages[0].content }}";
  EXPECT_EQ(Rendered(Folder(Container::kGguf, grounded), {.messages = kUser, .documents = document}).text,
            "Truedorder two");
}

TEST(ChatPrompts, OnlyTheTemplatesTokensInAFolder) {
  Folder folder(Container::kHuggingFace, kPlain);
  folder.spec().add_bos = folder.spec().add_eos = true;
  EXPECT_THAT(Ids(folder, "ab", true), ElementsAre('a', 'b'));
  EXPECT_THAT(Ids(folder, "<s>ab</s>", true), ElementsAre(Folder::kBos, 'a', 'b', Folder::kEos));
  EXPECT_THAT(Ids(folder, "ab", false), ElementsAre(Folder::kBos, 'a', 'b', Folder::kEos));
}

// Both engines keep the token that was typed and the one that is added.
TEST(ChatPrompts, ATextThatBeginsWithBosIsBegunTwiceAndItIsSaid) {
  for (Container container : {Container::kHuggingFace, Container::kGguf}) {
    Folder folder(container, kPlain);
    folder.spec().add_bos = true;
    EXPECT_THAT(Ids(folder, "<s>ab", false), ElementsAre(Folder::kBos, Folder::kBos, 'a', 'b'));
    auto raw = [&](const std::string& text) {
      auto tokenizer = Tokenizer::Create(folder.tokenizer(), "model");
      return ChatPrompts(folder, *tokenizer, {}).Raw(text).remarks;
    };
    EXPECT_THAT(raw("<s>ab"), ElementsAre(AllOf(HasSubstr("begins with <s>, which"), HasSubstr("leave it out"))));
    EXPECT_THAT(raw("<s>"), ElementsAre(HasSubstr("begins with <s>, which")));
    EXPECT_TRUE(raw("ab").empty());
    EXPECT_TRUE(raw("").empty());
    EXPECT_TRUE(raw("a<s>b").empty());
    folder.spec().add_eos = true;
    EXPECT_TRUE(raw("").empty());
    EXPECT_TRUE(raw("ab").empty());
    EXPECT_THAT(raw("ab</s>"), ElementsAre(HasSubstr("ends with </s>, which")));
    EXPECT_THAT(raw("<s>ab</s>"), ElementsAre(HasSubstr("begins with <s> and ends with </s>, which")));
    folder.spec().add_bos = folder.spec().add_eos = false;
    EXPECT_THAT(Ids(folder, "<s><s>ab", false), ElementsAre(Folder::kBos, Folder::kBos, 'a', 'b'));
    EXPECT_TRUE(raw("<s><s>ab</s>").empty());
    folder.spec().add_bos = true;
    folder.spec().after_bos = {259};  // as GLM-4 begins: [gMASK]<sop>
    EXPECT_TRUE(raw("<s>ab").empty());
    EXPECT_THAT(raw("<s><pad>ab"), ElementsAre(HasSubstr("begins with <s><pad>, which")));
  }
}

TEST(ChatPrompts, TheVocabularysTokensInAGguf) {
  Folder gguf(Container::kGguf, kPlain);
  gguf.spec().add_bos = gguf.spec().add_eos = true;
  for (const char* text : {"ab", "<s>ab", "<s>ab</s>", "ab</s>"})
    EXPECT_THAT(Ids(gguf, text, true), ElementsAre(Folder::kBos, 'a', 'b', Folder::kEos)) << text;
  EXPECT_THAT(Ids(gguf, "<s><s>ab", true), ElementsAre(Folder::kBos, Folder::kBos, 'a', 'b', Folder::kEos));
  gguf.spec().add_bos = gguf.spec().add_eos = false;
  EXPECT_THAT(Ids(gguf, "<s>ab", true), ElementsAre(Folder::kBos, 'a', 'b'));
}

}  // namespace
}  // namespace assay
