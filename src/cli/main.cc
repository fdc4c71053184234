// The program: finds the command, runs it, turns errors into messages and exit codes.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/ranges.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr Command kCommands[] = {
    {"check", "quantize a model, run your examples on both, say whether it holds", AddCheck},
    {"quantize", "write a model in another format", AddQuantize},
    {"convert", "write a model in another container without quantizing anew", AddConvert},
    {"run", "run a task on one model and save the answers", AddRun},
    {"score", "run a task's checks on answers you already have", AddScore},
    {"compare", "verdict from saved runs, or from what other tools scored", AddCompare},
    {"verify", "hold a certificate against record, task and models", AddVerify},
    {"perplexity", "perplexity of a text, KL divergence against another model", AddPerplexity},
    {"bench", "prefill and decode speed, memory", AddBench},
    {"inspect", "tensors, formats and sizes of a model", AddInspect},
    {"task", "check or show a task file, try its checks on an answer", AddTask},
    {"generate", "answer one prompt", AddGenerate},
    {"chat", "talk to a model", AddChat},
    {"tokenize", "token ids of a text", AddTokenize},
    {"formats", "number and block formats, presets", AddFormats},
    {"completion", "print a shell completion script", AddCompletion},
};

// What an option without its value, or with too many of them, should have had: CLI11 tells the counts alone.
std::string UsageText(const CLI::ParseError& error, const CLI::App& app) {
  const std::string text = error.what();
  if (error.get_name() != "ArgumentMismatch" || app.get_subcommands().empty()) return text;
  CLI::Option* option = app.get_subcommands()[0]->get_option_no_throw(text.substr(0, text.find(':')));
  if (!option) return text;
  std::string expected = "expected one value, found none", nothing;
  if (const size_t found = option->results().size(); found > 1)
    expected = fmt::format("expected one value, found {}", found);
  else
    try {
      expected = (*option->get_validator())(nothing);
    } catch (const CLI::OptionNotFound&) {  // any text will do
    }
  return fmt::format("{}: {}", option->get_name(), expected);
}

int Run(int argc, char** argv) {
  CLI::App app{"Assay: does the quantized model still do your task?", "assay"};
  app.require_subcommand(1);
  app.set_version_flag("--version", BuildText());
  app.footer("Exit codes: 0 holds or done, 1 error, 2 usage, 3 cracks, 4 can't tell.\nStart with: assay check --help");
  CommonFlags flags;
  std::function<int()> chosen;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.summary));
    auto run = command.add(*sub, flags);
    sub->add_option("--threads", flags.threads, "threads to use (default: every processor)")
        ->transform(IntegerBetween(1, 1024));
    sub->add_flag("--json", flags.json, "print JSON on stdout and nothing else");
    sub->add_flag("-q,--quiet", flags.quiet, "no progress and no remarks");
    sub->add_flag("-v,--verbose", flags.verbose, "say which kernels, templates and defaults are used");
    sub->callback([&chosen, run] { chosen = run; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    std::vector<std::string> names;
    for (const Command& command : kCommands) names.emplace_back(command.name);
    PrintError(UsageText(e, app));
    if (argc > 1 && argv[1][0] != '-' && std::find(names.begin(), names.end(), argv[1]) == names.end()) {
      std::string nearest = Nearest(argv[1], names);
      if (!nearest.empty()) std::fprintf(stderr, "Did you mean: assay %s\n", nearest.c_str());
    }
    std::fprintf(stderr, "Run 'assay %s--help' for usage.\n",
                 app.get_subcommands().empty() ? "" : (app.get_subcommands()[0]->get_name() + " ").c_str());
    return kUsage;
  }
  return chosen();
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  try {
    if (const char* level = std::getenv("ASSAY_ISA")) assay::LimitCpu(level);
    assay::OpenStandardStreams();
    assay::CatchSignals();
    assay::TellLostMappings();
    const int code = assay::Run(argc, argv);
    assay::FinishOutput();
    return code;
  } catch (const assay::Interrupted&) {
    std::fprintf(stderr, "\nassay: interrupted; what was finished is saved, run the same command again to go on\n");
    return assay::kInterrupted;
  } catch (const assay::Error& e) {
    assay::PrintError(e.what());
    return assay::kError;
  } catch (const std::filesystem::filesystem_error& e) {
    assay::PrintError(e.path1().string() + ": " + e.code().message());
    return assay::kError;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "assay: out of memory\n");
    return assay::kError;
  } catch (const std::exception& e) {
    assay::PrintError(fmt::format("unexpected error: {}", e.what()));
    return assay::kError;
  }
}
