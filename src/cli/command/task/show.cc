#include "cli/command/task/show.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/counted.h"
#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/checkpoint.h"
#include "dialect/answer_text.h"
#include "engine/model_prompts.h"
#include "remote/remote_backend.h"
#include "task/runner.h"

namespace assay {
namespace {

/// One example as a model gets it.
struct Shown {
  std::string error;                // why it cannot be asked; empty: it can
  Prompt prompt;                    // text empty: not told
  std::vector<std::string> pieces;  // of its ids; empty: not told
};

/// Whoever says what it makes of an example, a model in files or a server.
class Shower {
 public:
  Shower(const ShowOptions& o, const CommonFlags& flags) : progress_(MakeProgress(flags)) {
    if (IsServer(o.model)) {
      server_ = LoadServer(o.model, o.server, o.prompt, flags, *progress_);
    } else {
      prompts_.emplace(Checkpoint::Open(ResolveModel(o.model)), o.prompt.options());
      context_ = prompts_->checkpoint().config().context;
    }
  }
  Shown Of(const Example& example) {
    Shown shown;
    const Question question = QuestionOf(example);
    try {
      server_ ? AskServer(question, shown) : AskFiles(question, SamplingOf(example, {}).max_tokens, shown);
    } catch (const Error& error) {
      shown.error = error.what();
    }
    return shown;
  }
  /// Tokens; 0: not known.
  int64_t context() const { return context_; }

 private:
  void AskFiles(const Question& question, int64_t max_tokens, Shown& shown) const {
    shown.prompt = prompts_->Prepare(question);
    for (int32_t id : shown.prompt.ids) shown.pieces.push_back(prompts_->tokenizer().TokenBytes(id));
    shown.error = prompts_->Refusal(shown.prompt.ids, max_tokens, context_);
  }
  void AskServer(const Question& question, Shown& shown) {
    server_->backend->Announce(std::span(&question, 1), *progress_);
    shown.prompt = server_->backend->Prepare(question);
    // The backend is what LoadServer made.
    auto& remote = static_cast<RemoteBackend&>(*server_->backend);
    shown.prompt.text = remote.PromptText(question, *progress_).value_or("");
    context_ = remote.facts().context;
  }

  std::unique_ptr<Progress> progress_;
  std::optional<ModelPrompts> prompts_;
  std::optional<LoadedArm> server_;
  int64_t context_ = 0;
};

std::string Heading(const Example& example, const Shown& shown, int64_t context) {
  std::string text = fmt::format("{} ({})", example.id, example.slice);
  if (!shown.prompt.ids.empty())
    text += fmt::format(": {}{}", Counted(std::ssize(shown.prompt.ids), "token"),
                        context > 0 ? fmt::format(" of a context of {}", context) : "");
  return text;
}

/// A line that may have any length: prompts are shown whole.
void PrintWhole(std::string_view text) {
  PrintAnswer(text);
  Print("");
}

void PrintShown(const Example& example, const Shown& shown, const ShowOptions& o, const Shower& shower) {
  Print(Heading(example, shown, shower.context()));
  for (const std::string& remark : shown.prompt.remarks) Print("remark: " + remark);
  if (!shown.error.empty()) Print("error: " + shown.error);
  if (!shown.prompt.text.empty()) {
    PrintWhole(shown.prompt.text);
  } else if (shown.error.empty()) {
    Print("the server does not tell what it makes of this; it is sent:");
    PrintWhole(DumpJson(ToJson(QuestionOf(example)), 1));
  }
  if (!o.tokens) return;
  if (shown.pieces.empty() && !shown.prompt.ids.empty())
    PrintWhole(fmt::format("tokens: {}", fmt::join(shown.prompt.ids, " ")));
  else if (shown.prompt.ids.empty() && shown.error.empty())
    Print("tokens: the server does not tell them");
  for (size_t i = 0; i < shown.pieces.size(); ++i)
    Print(fmt::format("{:>8}  {}", shown.prompt.ids[i], Quote(shown.pieces[i])));
}

Json ShownJson(const Example& example, const Shown& shown, const ShowOptions& o) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  Json json = {{"id", example.id},
               {"slice", example.slice},
               {"error", or_null(shown.error)},
               {"prompt", or_null(shown.prompt.text)},
               {"prompt_tokens", shown.prompt.ids.empty() ? Json(nullptr) : Json(shown.prompt.ids.size())},
               {"remarks", shown.prompt.remarks}};
  if (o.tokens) {
    json["ids"] = shown.prompt.ids;
    json["pieces"] = shown.pieces;
  }
  return json;
}

/// Exit code 1 where an example cannot be asked.
int ShowPrompts(const std::string& path, const Task& task, const std::vector<const Example*>& examples,
                const ShowOptions& o, const CommonFlags& flags) {
  Shower shower(o, flags);
  Json out = {{"file", path}, {"model", o.model}, {"examples", Json::array()}};
  int64_t failed = 0;
  for (const Example* example : examples) {
    const Shown shown = shower.Of(*example);
    failed += !shown.error.empty();
    if (flags.json) {
      out["examples"].push_back(ShownJson(*example, shown, o));
      continue;
    }
    if (example != examples.front()) Print("");
    PrintShown(*example, shown, o, shower);
  }
  if (flags.json) PrintJson(out);
  if (failed == 0) return kHolds;
  PrintError(fmt::format("{} of {} of {} cannot be asked of {}", failed, Counted(std::ssize(examples), "example"),
                         task.name, o.model));
  return kError;
}

int ShowExample(const Example& example, const CommonFlags& flags) {
  Json json = {{"id", example.id}, {"slice", example.slice}, {"question", ToJson(QuestionOf(example))}};
  json["expect"] = Json::array();
  for (const Check& check : example.expect) json["expect"].push_back(check.spec);
  flags.json ? PrintJson(json) : PrintWhole(DumpJson(json, 1));
  return kHolds;
}

int ShowList(const std::string& path, const Task& task, const CommonFlags& flags) {
  if (flags.json) {
    Json out = {{"file", path},
                {"hash", task.hash},
                {"margin", task.margin > 0 ? Json(task.margin) : Json(nullptr)},
                {"looks", task.looks},
                {"examples", Json::array()}};
    for (const Example& e : task.examples) {
      Json checks = Json::array();
      for (const Check& check : e.expect) checks.push_back(check.type);
      out["examples"].push_back({{"id", e.id}, {"slice", e.slice}, {"line", e.line}, {"checks", checks}});
    }
    PrintJson(out);
    return kHolds;
  }
  std::string plan;
  if (task.margin > 0) plan += fmt::format(", margin {:g} points", task.margin);
  if (!task.looks.empty()) plan += fmt::format(", looks at {} examples", fmt::join(task.looks, ", "));
  Print(fmt::format("{}: {}{}, hash {}", path, Counted(std::ssize(task.examples), "example"), plan, task.hash));
  for (const std::string& slice : task.slices()) {
    Print(fmt::format("\n{}", slice));
    for (const Example& e : task.examples) {
      if (e.slice != slice) continue;
      std::string checks, question = e.prompt;
      for (const Check& check : e.expect) checks += (checks.empty() ? "" : ", ") + std::string(check.type);
      if (e.is_chat() && !e.messages.empty() && e.messages.back()["content"].is_string())
        question = e.messages.back()["content"].get<std::string>();
      for (char& c : question)
        if (c == '\n') c = ' ';
      Print(fmt::format("  {:<24.24} {:<24.24} {:.60}", e.id, checks, question));
    }
  }
  return kHolds;
}

}  // namespace

bool ShowOptions::of_model() const {
  return tokens || !prompt.chat_template.empty() || !prompt.variables.empty() || !prompt.now.empty() ||
         !server.key_file.empty();
}

void AddShowFlags(CommandLine& command, ShowOptions& options) {
  command.Option("MODEL", options.model, "show: a model or a server, whose prompts are shown exactly as it gets them");
  command.Switch("--tokens", options.tokens, "show: the tokens of the prompts, too");
  AddPromptFlags(command, options.prompt);
  command.Option("--api-key-file", options.server.key_file,
                 "show: file with the server's API key (default: ASSAY_API_KEY)");
}

const Example& FindExample(const Task& task, const std::string& path, const std::string& id) {
  std::vector<std::string> ids;
  for (const Example& example : task.examples) {
    if (example.id == id) return example;
    ids.push_back(example.id);
  }
  const std::string near = Nearest(id, ids);
  Fail(ErrorKind::kInvalid, "{}: no example {}{}", path, Quote(id),
       near.empty() ? "; assay task show lists them" : "; did you mean " + Quote(near) + "?");
}

int ShowTask(const std::string& path, const ShowOptions& o, const CommonFlags& flags) {
  const Task task = LoadTask(path);
  if (o.model.empty() && o.of_model())
    Fail(ErrorKind::kInvalid,
         "task show: --tokens, --template, --chat-template-kwargs, --now and --api-key-file are a model's: expected "
         "MODEL "
         "behind {}, found none",
         path);
  if (o.id.empty() && o.model.empty()) return ShowList(path, task, flags);
  std::vector<const Example*> examples;
  if (!o.id.empty()) examples.push_back(&FindExample(task, path, o.id));
  if (o.model.empty()) return ShowExample(*examples.front(), flags);
  if (examples.empty())
    for (const Example& example : task.examples) examples.push_back(&example);
  return ShowPrompts(path, task, examples, o, flags);
}

}  // namespace assay
