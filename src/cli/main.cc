// The program: finds the command, runs it, turns errors into messages and exit codes.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>

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
    {"report", "draw the record of a check again: a page, Markdown, JUnit, CSV, JSON", AddReport},
    {"verify", "hold a certificate against record, task and models", AddVerify},
    {"perplexity", "perplexity of a text, KL divergence against another model", AddPerplexity},
    {"bench", "prefill and decode speed, memory", AddBench},
    {"inspect", "tensors, formats and sizes of a model", AddInspect},
    {"task", "check or show a task file, try its checks; begin one, import it, capture it from traffic", AddTask},
    {"generate", "answer one prompt", AddGenerate},
    {"chat", "talk to a model", AddChat},
    {"tokenize", "token ids of a text", AddTokenize},
    {"formats", "number and block formats, presets", AddFormats},
    {"cache", "what is kept between commands; remove what is old", AddCache},
    {"completion", "print a shell completion script", AddCompletion},
    {"manual", "print or write the manual pages", AddManual},
};

int Run(int argc, char** argv) {
  CommandLine line("Assay: does the quantized model still do your task?", "assay", BuildText());
  line.Footer("Exit codes: 0 holds or done, 1 error, 2 usage, 3 cracks, 4 can't tell.\nStart with: assay check --help");
  CommonFlags flags;
  std::function<int()> chosen, runs[std::size(kCommands)];
  for (size_t i = 0; i < std::size(kCommands); ++i) {
    CommandLine& command = line.Command(kCommands[i].name, kCommands[i].summary, [&, i] { chosen = runs[i]; });
    runs[i] = kCommands[i].add(command, flags);
    command.Option("--threads", flags.threads, "threads to use (default: every processor)")
        .Within(IntegerBetween(1, 1024));
    command.Switch("--json", flags.json, "print JSON on stdout and nothing else");
    command.Switch("-q,--quiet", flags.quiet, "no progress and no remarks");
    command.Switch("-v,--verbose", flags.verbose, "say which kernels, templates and defaults are used");
  }
  const CommandLine::Parsed parsed = line.Parse(argc, argv);
  if (!parsed.run && parsed.error.empty()) return parsed.exit;
  if (!parsed.run) {
    std::vector<std::string> names;
    for (const Command& command : kCommands) names.emplace_back(command.name);
    PrintError(parsed.error);
    if (argc > 1 && argv[1][0] != '-' && std::find(names.begin(), names.end(), argv[1]) == names.end()) {
      std::string nearest = Nearest(argv[1], names);
      if (!nearest.empty()) std::fprintf(stderr, "Did you mean: assay %s\n", nearest.c_str());
    }
    std::fprintf(stderr, "Run 'assay %s--help' for usage.\n",
                 parsed.command.empty() ? "" : (parsed.command + " ").c_str());
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
