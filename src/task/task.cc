#include "task/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/hash.h"
#include "base/json_member.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "schema/json_schema.h"
#include "system/file.h"
#include "task/task_defaults.h"
#include "task/task_lint.h"
#include "task/task_mistakes.h"

namespace assay {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 28;
constexpr size_t kMaxExamples = 100'000;
constexpr size_t kMaxLineBytes = size_t{1} << 24;
constexpr size_t kMaxChecks = 64, kMaxMessages = 1024, kMaxTools = 512;
constexpr size_t kMaxIdBytes = 200;

constexpr std::array<std::string_view, 12> kMembers = {"id",       "slice",  "cluster",         "messages",
                                                       "prompt",   "tools",  "response_schema", "context",
                                                       "sampling", "expect", "documents",       "chat_template_kwargs"};
// Beside a check that was drafted from a recorded answer, for whoever reviews it; taken out when it is right. Not in
// the hash: what is asked and expected stays.
constexpr std::string_view kDraft = "draft";
constexpr std::string_view kNote = "note";  // for people; not in the hash either
// Those that count in the hash only where they are present, so that hashes of older tasks stay.
constexpr size_t kFirstNewer = 10;
constexpr std::string_view kPlanMembers[] = {"margin", "looks", "description"};
constexpr std::string_view kYamlMembers[] = {"task", "defaults", "examples"};
constexpr size_t kMostLooks = 3;
constexpr std::string_view kNoAnswer =
    "an unlabelled prompt has no right answer: take it out, or put the example into the task";
constexpr std::string_view kMessageMembers[] = {"role",         "content",           "name",      "tool_calls",
                                                "tool_call_id", "reasoning_content", "reasoning", "thinking"};
constexpr std::string_view kTakenVariables[] = {"messages", "tools", "documents", "add_generation_prompt"};
constexpr std::string_view kPartMembers[] = {"type", "text"};
constexpr std::string_view kToolMembers[] = {"type", "function"};
constexpr std::string_view kFunctionMembers[] = {"name", "description", "parameters", "strict"};
constexpr std::string_view kRoles[] = {"system", "developer", "user", "assistant", "tool"};

[[noreturn]] void Wrong(std::string field, std::string message) {
  throw FieldError{std::move(field), std::move(message)};
}

[[noreturn]] void WrongType(std::string field, std::string_view expected, const Json& found) {
  throw FieldError{std::move(field), fmt::format("expected {}, found {}", expected, FoundText(found))};
}

[[noreturn]] void TooMany(std::string field, std::string_view what, size_t most, size_t found, std::string_view fix) {
  throw FieldError{std::move(field), fmt::format("expected at most {} {}, found {}: {}", most, what, found, fix)};
}

// As JSON writes it, and DEL too, which JSON does not escape.
std::string Escaped(std::string_view text) {
  std::string out = Quote(text);
  ReplaceAll(out, "\x7F", "\\u007f");
  return out;
}

// id, slice, cluster: short, without control characters, since they become table cells and file names.
std::string ReadLabel(const Json& object, std::string_view key, std::string_view fallback) {
  const Json* value = FindMember(object, key);
  if (!value) return std::string(fallback);
  if (!value->is_string()) WrongType(std::string(key), "a string", *value);
  const auto& text = value->get_ref<const std::string&>();
  if (IsBlank(text))
    Wrong(std::string(key), fmt::format("expected a name that can be seen, found {}{}", Quote(text),
                                        key == "id" ? "" : ": leave it out where there is none"));
  if (text.size() > kMaxIdBytes) TooMany(std::string(key), "bytes", kMaxIdBytes, text.size(), "shorten it");
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (auto at = std::find_if(text.begin(), text.end(), control); at != text.end())
    Wrong(std::string(key), fmt::format("expected a name without control characters, found U+{:04X} in {}: write a "
                                        "space or \"-\" there",
                                        static_cast<int>(*at), Escaped(text)));
  return text;
}

// The digits of a whole number, empty for other values. Beyond 64 bits the parser holds one as a double or as text.
std::string DigitsOf(const Json& id) {
  if (!IsWholeNumber(id)) return "";
  std::string digits = NumberOf(id).Text();
  bool integer = id.is_number_integer() || (digits.size() > 18 && digits.find('e') == std::string::npos);
  return integer && digits.size() <= kMaxIdBytes ? digits : "";
}

void CheckContent(const Json& message, const std::string& field) {
  const Json* content = FindMember(message, "content");
  if (!content) {
    if (message["role"] == "assistant" && FindMember(message, "tool_calls")) return;
    Wrong(field + ".content", "is missing: expected a text or a list of text parts, such as \"content\": \"…\"");
  }
  if (content->is_string()) return;
  if (!content->is_array()) WrongType(field + ".content", "a string or a list of text parts", *content);
  if (content->empty()) Wrong(field + ".content", "expected a string or at least one text part, found []");
  for (size_t i = 0; i < content->size(); ++i) {
    std::string part = fmt::format("{}.content[{}]", field, i);
    const Json& json = (*content)[i];
    if (!json.is_object()) WrongType(part, "an object with \"type\" and \"text\"", json);
    if (const Json* type = FindMember(json, "type"); !type || *type != "text")
      Wrong(part + ".type", fmt::format("expected \"text\", found {}: only text is read, no images, sounds or files; "
                                        "take the part out",
                                        type ? QuoteJson(*type, 40) : "none"));
    RefuseUnknown(json, kPartMembers, part);
    if (const Json text = json.value("text", Json()); !text.is_string()) WrongType(part + ".text", "a string", text);
  }
}

// A call of an earlier turn. Engines parse arguments that are JSON text, and refuse what is none.
void CheckCall(const Json& call, const std::string& field) {
  if (!call.is_object()) WrongType(field, "an object {\"type\": \"function\", \"function\": …}", call);
  const Json* function = FindMember(call, "function");
  if (function && !function->is_object()) WrongType(field + ".function", "an object", *function);
  const Json& holder = function ? *function : call;
  const std::string place = field + (function ? ".function" : "");
  const Json* name = FindMember(holder, "name");
  if (!name || !name->is_string())
    WrongType(place + ".name", "the name of the function that was called", name ? *name : Json());
  const Json* arguments = FindMember(holder, "arguments");
  if (!arguments || arguments->is_object()) return;
  if (!arguments->is_string()) WrongType(place + ".arguments", "an object, or a text that holds one", *arguments);
  if (IsBlank(arguments->get_ref<const std::string&>())) return;
  try {
    Json parsed = ParseJson(arguments->get_ref<const std::string&>(), "");
    if (parsed.is_object()) return;
    Wrong(place + ".arguments",
          fmt::format("expected a text that holds a JSON object, found one that holds {}: write the object itself",
                      FoundText(parsed)));
  } catch (const Error& error) {
    Wrong(place + ".arguments",
          fmt::format("expected a text that holds a JSON object, found {}{}: write the object itself",
                      Quote(arguments->get_ref<const std::string&>(), 40), error.what()));
  }
}

void CheckMessages(const Json& messages) {
  if (messages.is_string())
    Wrong("messages", fmt::format("expected a list such as [{{\"role\": \"user\", \"content\": {}}}], found a string",
                                  Quote(messages.get<std::string>(), 60)));
  if (!messages.is_array()) WrongType("messages", "a list of messages", messages);
  if (messages.empty())
    Wrong("messages", "expected at least one message such as {\"role\": \"user\", \"content\": …}, found []");
  if (messages.size() > kMaxMessages)
    TooMany("messages", "messages", kMaxMessages, messages.size(), "ask about a shorter conversation");
  for (size_t i = 0; i < messages.size(); ++i) {
    std::string field = fmt::format("messages[{}]", i);
    const Json& message = messages[i];
    if (!message.is_object()) WrongType(field, "an object with \"role\" and \"content\"", message);
    RefuseUnknown(message, kMessageMembers, field);
    const Json* role = FindMember(message, "role");
    if (!role) Wrong(field + ".role", fmt::format("is missing: expected one of {}", fmt::join(kRoles, ", ")));
    if (!role->is_string()) WrongType(field + ".role", "a string", *role);
    const auto& name = role->get_ref<const std::string&>();
    if (std::find(std::begin(kRoles), std::end(kRoles), name) == std::end(kRoles)) {
      std::string near(RoleMeant(name));
      if (near.empty()) near = Nearest(name, {std::begin(kRoles), std::end(kRoles)});
      Wrong(field + ".role", fmt::format("expected one of {}, found {}{}", fmt::join(kRoles, ", "), Quote(name),
                                         near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
    }
    CheckContent(message, field);
    if (const Json* calls = FindMember(message, "tool_calls"); calls && !calls->is_array())
      WrongType(field + ".tool_calls", "a list", *calls);
    else if (calls)
      for (size_t c = 0; c < calls->size(); ++c) CheckCall((*calls)[c], fmt::format("{}.tool_calls[{}]", field, c));
    for (const char* key : {"reasoning_content", "reasoning", "thinking"})
      if (const Json* text = FindMember(message, key); text && !text->is_string())
        WrongType(fmt::format("{}.{}", field, key), "a string", *text);
  }
}

void CheckSchema(const Json& schema, const std::string& field) {
  if (!schema.is_object()) WrongType(field, "a JSON Schema (an object)", schema);
  try {
    JsonSchema::Compile(schema, field);
  } catch (const Error& error) {
    std::string_view message = error.what();
    if (message.starts_with(field)) message.remove_prefix(field.size());
    if (message.starts_with(": ")) message.remove_prefix(2);
    Wrong(field, std::string(message));
  }
}

Json ReadTools(const Json& tools) {
  if (!tools.is_array()) WrongType("tools", "a list of tools [{\"type\": \"function\", \"function\": {…}}]", tools);
  if (tools.size() > kMaxTools)
    TooMany("tools", "tools", kMaxTools, tools.size(), "leave out those that do not matter");
  std::unordered_set<std::string> names;
  for (size_t i = 0; i < tools.size(); ++i) {
    std::string field = fmt::format("tools[{}]", i);
    const Json& tool = tools[i];
    try {
      RefuseOtherTool(tool);
    } catch (const FieldError& error) {
      Wrong(field + (error.field.empty() ? "" : ".") + error.field, error.message);
    }
    if (!tool.is_object()) WrongType(field, "an object {\"type\": \"function\", \"function\": …}", tool);
    RefuseUnknown(tool, kToolMembers, field);
    if (!tool.contains("type")) Wrong(field + ".type", "is missing: expected \"type\": \"function\"");
    if (tool["type"] != "function") WrongType(field + ".type", "\"function\"", tool["type"]);
    const Json* function = FindMember(tool, "function");
    if (!function)
      Wrong(field + ".function",
            "is missing: expected {\"name\": …, \"description\": …, \"parameters\": {…}}, a JSON Schema in it");
    if (!function->is_object()) WrongType(field + ".function", "an object", *function);
    RefuseUnknown(*function, kFunctionMembers, field + ".function");
    const Json* name = FindMember(*function, "name");
    if (!name)
      Wrong(field + ".function.name", "is missing: expected the name that a call has, such as \"get_weather\"");
    if (!name->is_string() || name->get_ref<const std::string&>().empty())
      WrongType(field + ".function.name", "a name", *name);
    if (!names.insert(name->get<std::string>()).second)
      Wrong(field + ".function.name",
            fmt::format("expected a name of its own, found {} a second time: rename or remove the tool",
                        Quote(name->get<std::string>())));
    if (const Json* text = FindMember(*function, "description"); text && !text->is_string())
      WrongType(field + ".function.description", "a string", *text);
    if (const Json* schema = FindMember(*function, "parameters")) CheckSchema(*schema, field + ".function.parameters");
  }
  return tools.empty() ? Json() : AsPythonReads(tools);
}

// What else the chat template sees.
void ReadTemplateInput(const Json& object, Example& example) {
  if (const Json* documents = FindMember(object, "documents")) {
    if (!documents->is_array()) WrongType("documents", "a list of objects such as {\"title\", \"text\"}", *documents);
    if (documents->size() > kMaxMessages)
      TooMany("documents", "documents", kMaxMessages, documents->size(), "leave some out");
    for (size_t i = 0; i < documents->size(); ++i)
      if (const Json& document = (*documents)[i]; !document.is_object() || document.empty())
        WrongType(fmt::format("documents[{}]", i), "an object such as {\"title\": …, \"text\": …}", document);
    if (!documents->empty()) example.documents = AsPythonReads(*documents);
  }
  if (const Json* variables = FindMember(object, "chat_template_kwargs")) {
    if (!variables->is_object())
      WrongType("chat_template_kwargs", "an object such as {\"enable_thinking\": false}", *variables);
    for (std::string_view taken : kTakenVariables)
      if (variables->contains(taken))
        Wrong(fmt::format("chat_template_kwargs.{}", taken), "is given by the example itself: remove it here");
    example.chat_template_kwargs = AsPythonReads(*variables);
  }
  for (const char* key : {"documents", "chat_template_kwargs"})
    if (FindMember(object, key) && FindMember(object, "prompt"))
      Wrong(key, fmt::format("a raw \"prompt\" cannot carry {}: no chat template renders it; give \"messages\" "
                             "in place of \"prompt\"",
                             key));
}

// Puts the context where `{context}` stands, everywhere it stands. Returns whether it stood anywhere.
bool FillContext(std::string& text, const std::string& context) {
  return ReplaceAll(text, "{context}", context);
}

template <typename Visit>  // visit(std::string&) for each text of a message
void EachText(Json& message, const Visit& visit) {
  auto content = message.find("content");
  if (content == message.end()) return;
  if (content->is_string()) visit(content->get_ref<std::string&>());
  if (content->is_array())
    for (Json& part : *content) visit(part["text"].get_ref<std::string&>());
}

void PutContext(Example& example) {
  if (!example.is_chat()) {
    if (!FillContext(example.prompt, example.context)) example.prompt = example.context + "\n\n" + example.prompt;
    return;
  }
  bool filled = false;
  for (Json& message : example.messages)
    EachText(message, [&](std::string& text) { filled |= FillContext(text, example.context); });
  if (filled) return;
  for (size_t i = example.messages.size(); i-- > 0;) {
    if (example.messages[i]["role"] != "user") continue;
    bool first = true;
    EachText(example.messages[i], [&](std::string& text) {
      if (first) text = example.context + "\n\n" + text;
      first = false;
    });
    return;
  }
  Wrong("context",
        "expected a user message to put it before, or {context} in a message, found neither: write {context} where it "
        "belongs");
}

void ReadPrompt(const Json& object, Example& example) {
  const Json *messages = FindMember(object, "messages"), *prompt = FindMember(object, "prompt");
  if (messages && prompt)
    Wrong("prompt",
          "\"messages\" and \"prompt\" exclude each other: remove \"prompt\", which no chat template renders");
  if (!messages && !prompt)
    Wrong("messages",
          "is missing: expected [{\"role\": \"user\", \"content\": …}] (or \"prompt\", a string, for raw text)");
  if (prompt) {
    if (!prompt->is_string()) WrongType("prompt", "a string", *prompt);
    example.prompt = prompt->get<std::string>();
    if (example.prompt.empty()) Wrong("prompt", "expected the text that the model goes on from, found \"\"");
  } else {
    CheckMessages(*messages);
    example.messages = AsPythonReads(*messages);
  }
}

// `own`: checks of the example itself, before those of the defaults.
void ReadExpect(const Json& object, Example& example, size_t own, const std::function<void(FieldError)>& tell) {
  const Json* expect = FindMember(object, "expect");
  if (!expect) Wrong("expect", "is missing: a list of checks such as {\"type\": \"contains\", \"value\": …}");
  if (expect->is_string())
    Wrong("expect",
          fmt::format("expected a list of checks such as [{{\"type\": \"contains\", \"value\": {}}}], found a string",
                      Quote(expect->get<std::string>(), 60)));
  if (expect->is_object())
    Wrong("expect", fmt::format("expected a list of checks, found one check: write [{}]", QuoteJson(*expect, 80)));
  if (!expect->is_array()) WrongType("expect", "a list of checks", *expect);
  if (expect->empty())
    Wrong("expect", "expected at least one check such as {\"type\": \"contains\", \"value\": …}, found []");
  if (expect->size() > kMaxChecks)
    TooMany("expect", "checks", kMaxChecks, expect->size(), "make examples of their own for some");
  for (size_t i = 0; i < expect->size(); ++i) {
    try {
      RefuseOtherCheck((*expect)[i]);
      example.expect.push_back(CompileCheck((*expect)[i], example));
    } catch (const FieldError& error) {
      const std::string place =
          i < own || own == expect->size() ? fmt::format("expect[{}]", i) : fmt::format("defaults.expect[{}]", i - own);
      tell({place + (error.field.empty() ? "" : ".") + error.field, error.message});
    }
  }
}

// Everything the hash covers, in a fixed order of the example's own members; the order inside tools and messages
// reaches the prompt and therefore counts.
void AddToHash(const Json& object, Hasher& hasher) {
  for (size_t i = 0; i < kMembers.size(); ++i) {
    const Json* value = FindMember(object, kMembers[i]);
    if (i >= kFirstNewer && !value) continue;
    if (i >= kFirstNewer) hasher.AddText(kMembers[i]);
    hasher.AddText(value ? DumpJson(*value) : "");
  }
}

/// What a file holds: examples with checks, or prompts without.
enum class Lines { kExamples, kPrompts };

class Parser {
 public:
  explicit Parser(std::string_view name, Lines lines = Lines::kExamples)
      : name_(name), prompts_(lines == Lines::kPrompts) {}

  void Parse(std::string_view text) {
    task_.name = std::filesystem::path(name_).filename().string();
    if (std::optional<OtherFormat> other = FindOtherFormat(text)) return Tell(other->line, {"", other->message});
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    if (LooksLikeYaml(text))
      ReadYaml(text);
    else
      ReadLines(text);
    if ((planned_ || !defaults_.empty()) && task_.examples.empty() && problems_.empty())
      Tell(0, {"", "expected examples after the first line, found none"});
    for (const auto& [problem, more] : repeated_)
      if (more > 0) problems_[problem].message += fmt::format(" (and in {} more line{})", more, more == 1 ? "" : "s");
    task_.hash = hasher_.Hex();
  }

  Task task_;
  std::vector<TaskProblem> problems_;
  std::vector<TaskProblem> doubts_;  // of how the file is written

 private:
  void Tell(int64_t line, FieldError error) {
    problems_.push_back({line, std::move(error.field), std::move(error.message), false});
  }

  void ReadLines(std::string_view text) {
    int64_t line = 0;
    while (!text.empty() && !stopped_) {
      size_t end = text.find('\n');
      std::string_view row = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      ++line;
      if (!IsBlank(row)) ReadLine(Trim(row), line);
    }
  }

  // A list of examples, a document each, or an object of "task", "defaults" and "examples".
  void ReadYaml(std::string_view text) {
    const YamlText yaml = ParseYaml(text);
    if (yaml.error.line > 0) return Tell(yaml.error.line, {"", yaml.error.message});
    for (const YamlRemark& remark : yaml.remarks) doubts_.push_back({remark.line, "", remark.message, true});
    if (yaml.more_remarks > 0)
      doubts_.push_back({0, "", fmt::format("{} more values of the file read like these", yaml.more_remarks), true});
    const auto line_of = [&](const std::string& pointer) {
      const auto line = yaml.lines.find(pointer);
      return line == yaml.lines.end() ? int64_t{1} : line->second;
    };
    const auto each = [&](const Json& list, const std::string& above) {
      for (size_t i = 0; i < list.size() && !stopped_; ++i) ReadValue(list[i], line_of(fmt::format("{}/{}", above, i)));
    };
    if (yaml.root.is_array()) return each(yaml.root, "");
    const Json* examples = yaml.root.is_object() ? FindMember(yaml.root, "examples") : nullptr;
    if (!examples) return ReadValue(yaml.root, 1);
    for (const auto& [key, value] : yaml.root.items())
      if (std::find(std::begin(kYamlMembers), std::end(kYamlMembers), key) == std::end(kYamlMembers))
        return Tell(line_of("/" + key), {key, "unknown member: beside \"examples\" stand \"task\" and \"defaults\""});
    if (!examples->is_array()) return Tell(line_of("/examples"), {"examples", "expected a list of examples"});
    Json above = yaml.root;
    above.erase("examples");
    if (!above.empty()) ReadPlan(above, 1);
    each(*examples, "/examples");
  }

  void ReadLine(std::string_view row, int64_t line) {
    if (row.size() > kMaxLineBytes)
      return Tell(line, {"", fmt::format("expected at most {} bytes in a line, found {}: shorten the example",
                                         kMaxLineBytes, row.size())});
    Json object;
    try {
      object = ParseJson(row, "", /*strict=*/true);
    } catch (const Error& error) {
      std::string_view message = error.what();
      if (message.starts_with(": ")) message.remove_prefix(2);
      return Tell(line, {"", DescribeLineMistake(row, message)});
    }
    ReadValue(object, line);
  }

  void ReadValue(const Json& object, int64_t line) {
    if (task_.examples.size() >= kMaxExamples) {
      stopped_ = true;
      return Tell(line, {"", fmt::format("expected at most {} examples, found more: split the file", kMaxExamples)});
    }
    if (!object.is_object())
      return Tell(line,
                  {"", fmt::format("expected an object such as {{\"id\": …, \"messages\": …, \"expect\": …}}, found {}",
                                   FoundText(object))});
    const bool asks = FindMember(object, "messages") || FindMember(object, "prompt");
    if ((object.contains("task") || (object.contains("defaults") && !asks)) && !object.contains("id") &&
        !object.contains("expect"))
      return ReadPlan(object, line);
    // A prompt is what other rows hold too, and their answers are told as members that have no place.
    if ((!prompts_ || !asks) && !defaults_.given().contains("expect"))
      if (std::optional<std::string> other = FindOtherRow(object)) return TellOnce(line, *other);
    ReadExample(object, line);
  }

  // What holds for the whole task, in a line or two above its examples: its plan, and what examples leave out.
  void ReadPlan(const Json& object, int64_t line) {
    for (const auto& [key, value] : object.items())
      if (key != "task" && key != "defaults")
        return Tell(line, {key,
                           "unknown member: beside \"task\" stands \"defaults\" alone, examples have lines of "
                           "their own"});
    if (object.contains("task")) ReadTaskPlan(object["task"], line);
    if (object.contains("defaults")) ReadDefaults(object["defaults"], line);
  }

  void ReadDefaults(const Json& given, int64_t line) {
    try {
      if (has_defaults_ || !task_.examples.empty())
        Wrong("defaults",
              "may stand once, above the first example: several kinds of examples are several tasks, or "
              "write it into each");
      has_defaults_ = true;
      FieldError::Within("defaults", [&] {
        defaults_.Read(given, prompts_);
        const Json& all = defaults_.given();
        if (const Json* tools = FindMember(all, "tools")) ReadTools(*tools);
        if (const Json* schema = FindMember(all, "response_schema")) CheckSchema(*schema, "response_schema");
        if (FindMember(all, "slice")) ReadLabel(all, "slice", "");
        Example none;
        ReadSampling(all, none);
        ReadTemplateInput(all, none);
        if (const Json* expect = FindMember(all, "expect"))
          for (size_t i = 0; i < expect->size(); ++i)
            FieldError::Within(fmt::format("expect[{}]", i), [&] { RefuseOtherCheck((*expect)[i]); });
      });
    } catch (FieldError& error) {
      Tell(line, std::move(error));
      stopped_ = true;  // every example leans on them
    }
  }

  // What is fixed before the task is run.
  void ReadTaskPlan(const Json& plan, int64_t line) {
    try {
      if (prompts_) Wrong("task", "a plan belongs into the task, not among its unlabelled prompts");
      if (planned_ || !task_.examples.empty()) Wrong("task", "may stand once, above the first example");
      planned_ = true;
      if (!plan.is_object()) WrongType("task", "an object such as {\"margin\": 10}", plan);
      RefuseUnknown(plan, kPlanMembers, "task");
      if (const Json* margin = FindMember(plan, "margin")) {
        task_.margin = margin->is_number() ? margin->get<double>() : 0.0;
        if (!(task_.margin >= 0.1 && task_.margin <= 99.9))
          Wrong("task.margin",
                fmt::format("expected points from 0.1 to 99.9, such as 10, found {}", QuoteJson(*margin, 40)));
      }
      if (const Json* looks = FindMember(plan, "looks")) ReadLooks(*looks);
      if (const Json* note = FindMember(plan, "description"); note && !note->is_string())
        WrongType("task.description", "a string", *note);
    } catch (FieldError& error) {
      Tell(line, std::move(error));
    }
  }

  // The level of each look is right for up to three, each at most twice the one before (docs/statistics.md).
  void ReadLooks(const Json& looks) {
    if (!looks.is_array() || looks.empty() || looks.size() > kMostLooks)
      Wrong("task.looks", fmt::format("expected one to {} numbers of examples, such as [50, 100, 200], found {}",
                                      kMostLooks, QuoteJson(looks, 40)));
    for (const Json& look : looks) {
      const int64_t n = look.is_number_integer() ? look.get<int64_t>() : 0;
      if (n < 1 || n > static_cast<int64_t>(kMaxExamples))
        Wrong("task.looks", fmt::format("expected numbers of examples, found {}", QuoteJson(look, 40)));
      if (!task_.looks.empty() && (n <= task_.looks.back() || n > 2 * task_.looks.back()))
        Wrong("task.looks",
              fmt::format("expected each to be more than the one before and at most twice it, found {} after {}", n,
                          task_.looks.back()));
      task_.looks.push_back(n);
    }
  }

  // Of rows of one other kind, the first.
  void TellOnce(int64_t line, const std::string& message) {
    const auto [told, is_new] = other_rows_.emplace(message, repeated_.size());
    if (!is_new) return void(++repeated_[told->second].second);
    repeated_.push_back({problems_.size(), 0});
    Tell(line, {"", message});
  }

  void ReadExample(const Json& written, int64_t line) {
    Example example;
    example.line = line;
    size_t before = problems_.size();
    const Json* own = FindMember(written, "expect");
    const size_t own_checks = own && own->is_array() ? own->size() : 0;
    const bool unnamed = !FindMember(written, "id");
    Json completed;
    if (!defaults_.empty() || (unnamed && !prompts_)) try {
        completed = defaults_.Complete(written);
      } catch (FieldError& error) {
        return Tell(line, std::move(error));
      }
    // Without an id it is named by its line, and the name counts in the hash: runs are paired by it.
    if (unnamed && !prompts_) {
      completed["id"] = std::to_string(line);
      ++task_.unnamed;
    }
    const Json& object = completed.is_null() ? written : completed;
    auto guarded = [&](const std::function<void()>& read) {
      try {
        read();
      } catch (FieldError& error) {
        Tell(line, std::move(error));
      }
    };
    for (const auto& [key, value] : written.items()) {
      if (std::find(kMembers.begin(), kMembers.end(), key) != kMembers.end()) continue;
      if (key == kDraft && !prompts_) {
        example.drafted = !value.is_null() && value != false;
        example.sample = value == kSampleDraft;
        continue;
      }
      if (key == kNote && !prompts_) {
        if (!value.is_string() && !value.is_null())
          Tell(line, {key, "expected a text for people, found " + FoundText(value)});
        continue;
      }
      if (std::string meant = DescribeUnknownMember(key, value); !meant.empty())
        Tell(line, {key, prompts_ && meant.find("\"expect\"") != std::string::npos ? std::string(kNoAnswer) : meant});
      else
        guarded([&, k = key, v = value] { RefuseUnknown(Json{{k, v}}, kMembers, ""); });
    }
    guarded([&] {
      const Json number = line;
      const Json& id = unnamed ? number : written["id"];
      // A number that counts the examples is as good a name.
      example.id = DigitsOf(id);
      if (example.id.empty()) example.id = ReadLabel(object, "id", "");
      if (const auto used = ids_.find(example.id); used != ids_.end() && unnamed)
        Wrong("id", fmt::format("without one the line is named by its number, and {} is the id of line {}",
                                Quote(example.id), used->second));
      auto [first, is_new] = ids_.emplace(example.id, line);
      if (!is_new)
        Wrong("id", fmt::format("{} is used twice, first in line {}: expected an id of its own in each line",
                                Quote(example.id), first->second));
    });
    guarded([&] { example.slice = ReadLabel(object, "slice", "all"); });
    guarded([&] { example.cluster = ReadLabel(object, "cluster", ""); });
    bool prompt_by_other_name = !FindMember(object, "messages") && !FindMember(object, "prompt") &&
                                std::any_of(problems_.begin() + static_cast<std::ptrdiff_t>(before), problems_.end(),
                                            [](const TaskProblem& problem) {
                                              return problem.message.find("\"messages\"") != std::string::npos;
                                            });
    if (!prompt_by_other_name) guarded([&] { ReadPrompt(object, example); });
    guarded([&] {
      if (const Json* tools = FindMember(object, "tools")) example.tools = ReadTools(*tools);
      if (!example.tools.is_null() && FindMember(object, "prompt"))
        Wrong("tools",
              "a raw \"prompt\" cannot carry tools: no chat template renders them; give \"messages\" in place of "
              "\"prompt\"");
    });
    guarded([&] { ReadTemplateInput(object, example); });
    guarded([&] {
      const Json* schema = FindMember(object, "response_schema");
      if (!schema) return;
      CheckSchema(*schema, "response_schema");
      example.response_schema = *schema;
    });
    guarded([&] {
      const Json* context = FindMember(object, "context");
      if (!context) return;
      if (!context->is_string()) WrongType("context", "a string", *context);
      example.context = context->get<std::string>();
      if (example.is_chat() || !example.prompt.empty()) PutContext(example);
    });
    guarded([&] { ReadSampling(object, example); });
    if (prompts_) guarded([&] { RefuseAnswered(object); });
    // Checks lean on tools and response_schema; a mistake there would only be told again.
    else if (problems_.size() == before)
      guarded([&] {
        ReadExpect(object, example, own_checks, [&](FieldError error) {
          if (!error.field.starts_with("defaults.") || told_of_defaults_.insert(error.field + error.message).second)
            Tell(line, std::move(error));
        });
      });
    AddToHash(object, hasher_);
    task_.examples.push_back(std::move(example));
  }

  static void RefuseAnswered(const Json& object) {
    if (FindMember(object, "expect")) Wrong("expect", std::string(kNoAnswer));
    const Json* messages = FindMember(object, "messages");
    if (messages && messages->is_array() && !messages->empty() && messages->back().is_object() &&
        messages->back().value("role", Json()) == "assistant")
      Wrong("messages", "the last message is the assistant's, and nothing is left to answer: take it out");
  }

  void ReadSampling(const Json& object, Example& example) {
    const Json* given = FindMember(object, "sampling");
    if (!given) return;
    Json sampling = WithDoubles(*given);
    try {
      SamplingFromJson(sampling, {}, "");
    } catch (const Error& error) {
      std::string_view message = error.what();
      if (message.starts_with(": ")) message.remove_prefix(2);
      Wrong("sampling", std::string(message));
    }
    example.sampling = std::move(sampling);
  }

  std::string name_;
  bool prompts_;
  Hasher hasher_;
  std::unordered_map<std::string, int64_t> ids_;  // id → line
  bool planned_ = false, has_defaults_ = false, stopped_ = false;
  TaskDefaults defaults_;
  std::unordered_set<std::string> told_of_defaults_;
  std::unordered_map<std::string, size_t> other_rows_;  // message → place in repeated_
  std::vector<std::pair<size_t, int64_t>> repeated_;    // place in problems_, further lines
};

Task Finish(Parser&& parser, std::string_view file) {
  if (!parser.problems_.empty()) throw Error(ErrorKind::kInvalid, parser.problems_[0].Describe(file));
  return std::move(parser.task_);
}

}  // namespace

std::string TaskProblem::Describe(std::string_view file) const {
  std::string out(file);
  if (line > 0) out += fmt::format(":{}", line);
  if (!field.empty()) out += ": " + field;
  return out + ": " + (warning ? "warning: " : "") + message;
}

bool Task::IsLook() const {
  return looks.empty() || std::find(looks.begin(), looks.end(), static_cast<int64_t>(examples.size())) != looks.end();
}

std::string Task::LooksText() const {
  std::string text;
  for (size_t i = 0; i < looks.size(); ++i)
    text += (i == 0 ? "" : i + 1 < looks.size() ? ", " : " or ") + std::to_string(looks[i]);
  return text + " examples";
}

int64_t Task::drafted() const {
  return std::count_if(examples.begin(), examples.end(), [](const Example& example) { return example.drafted; });
}

int64_t Task::samples() const {
  return std::count_if(examples.begin(), examples.end(), [](const Example& example) { return example.sample; });
}

std::vector<std::string> Task::slices() const {
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  for (const Example& example : examples)
    if (seen.insert(example.slice).second) names.push_back(example.slice);
  return names;
}

Task ParseTask(std::string_view text, std::string_view name) {
  Parser parser(name);
  parser.Parse(text);
  return Finish(std::move(parser), name);
}

Task LoadTask(const std::filesystem::path& path) {
  return ParseTask(ReadFile(path, kMaxFileBytes), path.string());
}

Task ParsePrompts(std::string_view text, std::string_view name) {
  Parser parser(name, Lines::kPrompts);
  parser.Parse(text);
  return Finish(std::move(parser), name);
}

Task LoadPrompts(const std::filesystem::path& path) {
  return ParsePrompts(ReadFile(path, kMaxFileBytes), path.string());
}

std::vector<TaskProblem> CheckTaskText(std::string_view text, std::string_view name) {
  Parser parser(name);
  parser.Parse(text);
  std::vector<TaskProblem> problems = std::move(parser.problems_);
  // The file's own mistakes come first in each line; what concerns the whole file comes last.
  bool broken = !problems.empty();
  for (TaskProblem& doubt : parser.doubts_) problems.push_back(std::move(doubt));
  for (TaskProblem& doubt : LintTask(parser.task_, broken)) problems.push_back(std::move(doubt));
  std::stable_sort(problems.begin(), problems.end(), [](const TaskProblem& a, const TaskProblem& b) {
    auto place = [](const TaskProblem& p) { return p.line > 0 ? p.line : INT64_MAX; };
    return place(a) < place(b);
  });
  return problems;
}

std::vector<TaskProblem> CheckTask(const std::filesystem::path& path) {
  return CheckTaskText(ReadFile(path, kMaxFileBytes), path.string());
}

}  // namespace assay
