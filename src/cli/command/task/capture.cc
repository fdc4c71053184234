// assay task capture: a task out of real traffic. Records it in front of a server, or reads the logs of it.

#include "capture/capture.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "base/counted.h"
#include "base/error.h"
#include "base/strings.h"
#include "capture/log_reader.h"
#include "capture/redaction_rules.h"
#include "cli/command.h"
#include "cli/ranges.h"
#include "remote/server_address.h"
#include "serve/proxy.h"
#include "system/file.h"
#include "task/task.h"

namespace assay {
namespace {

constexpr size_t kMostRows = 30;  // of what is listed for people; --json has all

struct Options {
  std::vector<std::string> logs, without;
  std::string proxy, listen = "127.0.0.1:9000", out, unlabelled;
  CaptureOptions capture;
  bool no_redact = false, list_rules = false, force = false;
};

void ListRules(const CommonFlags& flags) {
  if (flags.json) {
    Json rules = Json::array();
    for (const RedactionRule& rule : RedactionRules())
      rules.push_back({{"name", rule.name}, {"placeholder", fmt::format("[{}_1]", rule.label)}, {"what", rule.what}});
    return PrintJson({{"rules", std::move(rules)}});
  }
  for (const RedactionRule& rule : RedactionRules())
    Print(fmt::format("{:<13} {:<16} {}", rule.name, fmt::format("[{}_1]", rule.label), rule.what));
}

/// "127.0.0.1:9000", "[::1]:9000", ":9000", "9000".
void SetListen(const std::string& text, ProxyOptions& options) {
  const size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
      std::stoi(port) > 65535)
    Fail(ErrorKind::kInvalid, "--listen: expected HOST:PORT such as 127.0.0.1:9000, found {}", text);
  if (!host.empty()) options.host = host;
  options.port = std::stoi(port);
}

int RunProxy(const Options& o, const CommonFlags& flags) {
  ProxyOptions options;
  SetListen(o.listen, options);
  if (o.proxy.find('@') != std::string::npos)
    Fail(ErrorKind::kInvalid, "--proxy: the URL holds a user's name or a password (@): clients send their own key");
  const ServerAddress server = ParseServerAddress(o.proxy);
  if (!server.model.empty())
    Fail(ErrorKind::kInvalid, "--proxy {}: expected a server without the name of a model: all that is asked passes",
         o.proxy);
  if (!server.more.empty())
    Fail(ErrorKind::kInvalid, "--proxy {}: expected one server, found {}", o.proxy, server.urls().size());
  options.server = server.url;
  Recorder recorder(o.out);
  const auto progress = MakeProgress(flags);
  Proxy proxy(options, recorder, [&](std::string_view what) { PrintError(what); });
  const int port = proxy.Listen();
  const bool wide = !(options.host.starts_with("127.") || options.host == "localhost" || options.host == "::1");
  const bool version_6 = options.host.find(':') != std::string::npos;
  const std::string address =
      version_6 ? fmt::format("[{}]:{}", options.host, port) : fmt::format("{}:{}", options.host, port);
  Note(flags, fmt::format("http://{} passes on to {}; {} {}; Ctrl-C ends it", address, options.server,
                          recorder.continued() ? "goes on recording in" : "records in", o.out));
  if (o.proxy.find("/v1", server.url.size()) != std::string::npos)
    Note(flags,
         fmt::format("--proxy {}: requests go to {} with the path that they name, /v1 included", o.proxy, server.url));
  if (wide)
    Note(flags, fmt::format("{} can be reached from other machines, and what they send goes over the network without "
                            "encryption, keys included",
                            address));
  progress->Begin("recording", 0, "requests");
  std::string told;
  proxy.Serve(
      [&] {
        if (const std::string failure = recorder.failure(); told.empty() && !failure.empty()) {
          told = failure;
          PrintError(failure + "; requests are passed on, and none is recorded any more");
        }
        return progress->Cancelled();
      },
      [&] { progress->Advance(1); });
  progress->End();
  const RecorderCounts counts = recorder.counts();
  if (flags.json) {
    PrintJson({{"file", o.out},
               {"recorded", counts.recorded},
               {"unanswered", counts.unanswered},
               {"not_recorded", counts.left_out}});
  } else {
    Print(fmt::format("{}: {} recorded, {} of them without an answer{}", o.out, Counted(counts.recorded, "request"),
                      counts.unanswered,
                      counts.left_out > 0 ? fmt::format(", {} passed on without being recorded (no JSON, or too long)",
                                                        Counted(counts.left_out, "request"))
                                          : ""));
    if (counts.recorded > 0)
      Note(flags, fmt::format("next: assay task capture {} -o task.jsonl --unlabelled rest.jsonl", o.out));
  }
  return told.empty() ? kHolds : kError;
}

template <typename T, typename F>
void List(const std::vector<T>& rows, const F& text) {
  for (size_t i = 0; i < std::min(rows.size(), kMostRows); ++i) Print("  " + text(rows[i]));
  if (rows.size() > kMostRows) Print(fmt::format("  … and {} more (--json has all)", rows.size() - kMostRows));
}

std::string CountsText(const std::map<std::string, int64_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) parts.push_back(fmt::format("{} {}", name, count));
  return Join(parts, ", ");
}

Json ReportJson(const LogReader& reader, const CaptureResult& result, const Options& o) {
  Json json = {{"requests", result.requests}, {"layouts", Json::array()}, {"unread", Json::array()}};
  for (const LayoutCount& one : reader.layouts())
    json["layouts"].push_back({{"file", one.file}, {"layout", one.layout}, {"requests", one.requests}});
  for (const UnreadLine& one : reader.unread())
    json["unread"].push_back({{"file", one.file}, {"line", one.line}, {"why", one.why}});
  json["other_lines"] = reader.other_lines();
  const auto pairs = [](const auto& list, const char* first, const char* second) {
    Json out = Json::array();
    for (const auto& [a, b] : list) out.push_back({{first, a}, {second, b}});
    return out;
  };
  json["refused"] = pairs(result.refused, "place", "why");
  json["duplicates"] = Json::array();
  for (const auto& one : result.duplicates) json["duplicates"].push_back({{"place", one.place}, {"of", one.of}});
  json["left_out"] = result.left_out;
  json["redacted"] = o.no_redact ? Json() : Json(result.redacted);
  json["dimensions"] = StratumDimensions();
  json["strata"] = Json::array();
  for (const Stratum& stratum : result.strata)
    json["strata"].push_back({{"values", stratum.key}, {"requests", stratum.requests}, {"chosen", stratum.chosen}});
  json["chosen"] = result.chosen;
  json["drafted"] = result.drafted;
  json["slices"] = result.slices;
  json["undrafted"] = pairs(result.undrafted, "id", "why");
  json["rest"] = result.rest;
  json["over"] = result.over;
  return json;
}

void PrintStrata(const std::vector<Stratum>& strata) {
  const std::vector<std::string> names = StratumDimensions();
  std::vector<size_t> widths;
  for (size_t d = 0; d < names.size(); ++d) {
    widths.push_back(names[d].size());
    for (const Stratum& stratum : strata) widths[d] = std::max(widths[d], stratum.key[d].size());
  }
  const auto row = [&](const StratumKey& key, const std::string& n, const std::string& chosen) {
    std::string out;
    for (size_t d = 0; d < key.size(); ++d) out += fmt::format("{:<{}}  ", key[d], widths[d]);
    return out + fmt::format("{:>8}  {:>6}", n, chosen);
  };
  Print("\n  " + row(names, "requests", "chosen"));
  List(strata, [&](const Stratum& s) { return row(s.key, std::to_string(s.requests), std::to_string(s.chosen)); });
}

void PrintReport(const LogReader& reader, const CaptureResult& result, const Options& o) {
  for (const LayoutCount& one : reader.layouts())
    Print(fmt::format("{}: {} in {}", one.file, Counted(one.requests, "request"), one.layout));
  if (reader.other_lines() > 0) Print(fmt::format("{} about something else", Counted(reader.other_lines(), "line")));
  if (!reader.unread().empty()) {
    Print(fmt::format("{} could not be read:", Counted(std::ssize(reader.unread()), "line")));
    List(reader.unread(), [](const UnreadLine& one) { return fmt::format("{}:{}: {}", one.file, one.line, one.why); });
  }
  if (!result.refused.empty()) {
    Print(fmt::format("{} that no task can hold:", Counted(std::ssize(result.refused), "request")));
    List(result.refused, [](const auto& one) { return one.first + ": " + one.second; });
  }
  if (!result.left_out.empty())
    Print(fmt::format("left out of requests: {}{}", CountsText(result.left_out),
                      o.capture.keep_sampling ? "" : " (what chooses tokens is left out unless --keep-sampling)"));
  if (!result.duplicates.empty()) {
    Print(fmt::format("{} at a similarity of {} or more:", Counted(std::ssize(result.duplicates), "near-duplicate"),
                      o.capture.near_duplicates));
    List(result.duplicates, [](const auto& one) { return fmt::format("{} repeats {}", one.place, one.of); });
  }
  if (o.no_redact)
    Print("nothing was redacted (--no-redact)");
  else
    Print("redacted: " + (result.redacted.empty() ? "nothing that the rules see" : CountsText(result.redacted)));
  PrintStrata(result.strata);
  Print("");
}

int RunLogs(const Options& o, const CommonFlags& flags) {
  if (o.out == o.unlabelled) Fail(ErrorKind::kInvalid, "{}: -o and --unlabelled name the same file", o.out);
  OutputRules rules = RulesFor(o.out, o.force, flags);
  AddSources(rules, {StatesOf(std::vector<std::filesystem::path>(o.logs.begin(), o.logs.end()))});
  std::optional<AtomicFile> task_file, rest_file;
  task_file.emplace(o.out, rules);
  if (!o.unlabelled.empty()) {
    OutputRules of_rest = RulesFor(o.unlabelled, o.force, flags);
    of_rest.sources = rules.sources;
    rest_file.emplace(o.unlabelled, of_rest);
  }
  LogReader reader;
  for (const std::string& log : o.logs) reader.Read(ReadFile(log), log);
  const std::vector<Captured> requests = reader.Take();
  if (requests.empty()) {
    const std::string first =
        reader.unread().empty()
            ? fmt::format("{} about something else", Counted(reader.other_lines(), "line"))
            : fmt::format("{}:{}: {}", reader.unread()[0].file, reader.unread()[0].line, reader.unread()[0].why);
    Fail(ErrorKind::kInvalid, "{}: no request was found in it: {}; docs/capture.md lists the logs that are read",
         Join(o.logs, ", "), first);
  }
  const CaptureResult result = MakeTask(requests, o.capture);
  if (!result.task_text.empty()) ParseTask(result.task_text, o.out);  // as whoever runs it will read it
  if (!result.rest_text.empty()) ParsePrompts(result.rest_text, o.unlabelled);
  if (rest_file) {
    rest_file->Write(result.rest_text);
    rest_file->Commit();
  }
  if (result.drafted > 0) {
    task_file->Write(result.task_text);
    task_file->Commit();
  }
  if (flags.json)
    PrintJson(ReportJson(reader, result, o));
  else
    PrintReport(reader, result, o);
  if (!result.undrafted.empty() && !flags.json) {
    Print(
        fmt::format("{} of {} chosen without a drafted check{}:", result.undrafted.size(), result.chosen,
                    rest_file ? ", the first lines of " + o.unlabelled : ", and written nowhere without --unlabelled"));
    List(result.undrafted, [](const auto& one) { return one.first + ": " + one.second; });
  }
  if (result.over > 0 && !flags.json)
    Print(fmt::format("{} more than a file of prompts may hold, and not written", Counted(result.over, "request")));
  if (!rest_file && result.rest > 0)
    Note(flags, fmt::format("{} not written: --unlabelled FILE takes them", Counted(result.rest, "request")));
  if (result.drafted == 0) {
    std::error_code ignored;
    PrintError(fmt::format("{}: not written: no check could be drafted for any of the {} chosen{}", o.out,
                           result.chosen, std::filesystem::exists(o.out, ignored) ? "; what lies there is older" : ""));
    return kError;
  }
  if (!flags.json) {
    Print(fmt::format("{}: {} ({}){}", o.out, Counted(result.drafted, "example"), CountsText(result.slices),
                      rest_file ? fmt::format("; {}: {}", o.unlabelled, Counted(result.rest, "prompt")) : ""));
    Note(flags,
         fmt::format("the checks are drafts of recorded answers: correct \"expect\" where an answer was wrong, then "
                     "take \"draft\" out (assay task review {} is a page for it)",
                     o.out));
    if (!o.no_redact)
      Note(flags,
           "rules see what has a form; names and stories have none: look through the files before they go "
           "anywhere");
  }
  return kHolds;
}

}  // namespace

std::function<int()> AddCapture(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<Options>();
  Flag logs =
      command.Option("LOG", o->logs,
                     "request logs: of the proxy below, vLLM, llama-server, LiteLLM, OpenAI batches, JSON lines "
                     "of {messages, tools, …}; recognised by what they hold");
  Flag proxy = command.Option("--proxy", o->proxy, "record in front of this server (http://host:8000) until Ctrl-C");
  command.Option("--listen", o->listen, "where the proxy listens; port 0: one that is free").ShowDefault().Needs(proxy);
  Flag out = command.Option("-o,--output", o->out,
                            "the task; of --proxy, the recording, which is added to where it is there already");
  Flag unlabelled = command.Option("--unlabelled", o->unlabelled,
                                   "what is not chosen, or has no check: prompts for assay check --unlabelled");
  Flag count = command.Option("--count", o->capture.count, "requests to choose")
                   .ShowDefault()
                   .Within(IntegerBetween(1, 100'000));
  Flag seed = command.Option("--seed", o->capture.seed, "of the choice").ShowDefault().Within(UnsignedInteger());
  Flag similar = command
                     .Option("--near-duplicates", o->capture.near_duplicates,
                             "similarity (0.1 to 1) from which a request repeats another and is left out; 2 keeps all")
                     .ShowDefault()
                     .Within(NumberBetween(0.1, 2));
  Flag no_redact = command.Switch("--no-redact", o->no_redact, "leave secrets, addresses and a person's data in");
  Flag without = command.Option("--without-rule", o->without, "redact, but not by these rules")
                     .CommaSeparated()
                     .Excludes(no_redact);
  command.Switch("--list-rules", o->list_rules, "what is redacted, rule by rule, and nothing else");
  Flag sampling = command.Switch("--keep-sampling", o->capture.keep_sampling,
                                 "keep temperature and the like in examples, which are drawn then");
  AddForce(command, o->force);
  proxy.Excludes(logs);
  for (Flag flag : {unlabelled, count, seed, similar, no_redact, without, sampling}) flag.Excludes(proxy);
  return [o, logs, proxy, out, &flags] {
    if (o->list_rules) {
      ListRules(flags);
      return static_cast<int>(kHolds);
    }
    if ((!logs.given() && !proxy.given()) || !out.given()) {
      PrintError(out.given() ? "task capture: expected LOG, or --proxy URL"
                             : "task capture: expected -o FILE, and LOG or --proxy URL");
      return static_cast<int>(kUsage);
    }
    o->capture.redact = !o->no_redact;
    o->capture.without_rules = o->without;
    return proxy.given() ? RunProxy(*o, flags) : RunLogs(*o, flags);
  };
}

}  // namespace assay
