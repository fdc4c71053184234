// The program's manual pages (man(7)), made of what --help says.

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/command.h"
#include "dialect/answer_text.h"
#include "system/output.h"

namespace assay {
namespace {

using Summary = CommandLine::Summary;
using FlagText = CommandLine::FlagText;

/// Text of a page: a backslash begins a request, and so does a line's first dot or quote; a dash may be copied.
std::string Roff(std::string_view text) {
  std::string out;
  bool begins = true;
  for (char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    begins = c == '\n';
  }
  return out;
}

void AddFlags(const Summary& command, std::string& page) {
  for (const FlagText& flag : command.flags) {
    page += fmt::format(".TP\n\\fB{}\\fR", Roff(fmt::format("{}", fmt::join(flag.names, ", "))));
    if (!flag.value.empty()) page += fmt::format(" \\fI{}\\fR", Roff(flag.value));
    page += fmt::format("\n{}\n", Roff(flag.help));
    if (!flag.words.empty() && flag.value.find(flag.words.front()) == std::string::npos)
      page += fmt::format("Known: {}.\n", Roff(fmt::format("{}", fmt::join(flag.words, ", "))));
  }
}

void AddNotes(const Summary& command, std::string& page) {
  if (!command.footer.empty()) page += fmt::format(".SH NOTES\n.nf\n{}\n.fi\n", Roff(command.footer));
}

std::string Heading(std::string_view name, std::string_view summary) {
  std::string upper(name);
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return fmt::format(".TH {} 1 \"\" \"assay {}\" \"Assay\"\n.SH NAME\n{} \\- {}\n", Roff(upper), ASSAY_VERSION,
                     Roff(name), Roff(summary));
}

std::string Places(const Summary& command) {
  std::string places;
  for (const FlagText& flag : command.flags)
    if (flag.by_place) places += fmt::format(" \\fI{}\\fR", Roff(flag.names[0]));
  return places;
}

/// assay-COMMAND(1), with the commands below it.
std::string CommandPage(const Summary& command) {
  std::string page = Heading("assay-" + command.name, command.summary);
  page += ".SH SYNOPSIS\n";
  if (command.commands.empty())
    page += fmt::format("\\fBassay {}\\fR{} [\\fIOPTIONS\\fR]\n", command.name, Places(command));
  for (const Summary& below : command.commands)
    page += fmt::format("\\fBassay {} {}\\fR{} [\\fIOPTIONS\\fR]\n.br\n", command.name, below.name, Places(below));
  page += ".SH OPTIONS\n";
  AddFlags(command, page);
  for (const Summary& below : command.commands) {
    page +=
        fmt::format(".SH {}\n{}\n", Roff(fmt::format("assay {} {}", command.name, below.name)), Roff(below.summary));
    AddFlags(below, page);
  }
  AddNotes(command, page);
  return page + ".SH SEE ALSO\n.BR assay (1)\n";
}

/// assay(1).
std::string ProgramPage(const Summary& program) {
  std::string page = Heading("assay", program.summary);
  page += ".SH SYNOPSIS\n\\fBassay\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.SH COMMANDS\n";
  for (const Summary& command : program.commands)
    page += fmt::format(".TP\n.BR assay\\-{} (1)\n{}\n", Roff(command.name), Roff(command.summary));
  page += ".SH OPTIONS\n";
  AddFlags(program, page);
  AddNotes(program, page);
  return page;
}

}  // namespace

std::function<int()> AddManual(CommandLine& command, CommonFlags&) {
  struct Options {
    std::string name, folder;
    bool force = false;
  };
  auto o = std::make_shared<Options>();
  command.Option("COMMAND", o->name, "whose page to print (default: the program's)");
  command.Option("--write", o->folder, "folder to write all pages to: assay.1, assay-check.1, …");
  AddForce(command, o->force);
  command.Footer("To read one: assay manual check | man -l -");
  return [&command, o] {
    const Summary program = command.Program();
    if (o->folder.empty()) {
      std::string page = o->name.empty() ? ProgramPage(program) : "";
      for (const Summary& one : program.commands)
        if (one.name == o->name) page = CommandPage(one);
      if (page.empty()) Fail(ErrorKind::kInvalid, "no command {}: `assay --help` lists them", Quote(o->name));
      page.pop_back();  // its last line ends as every line that is printed
      PrintTrusted(page);
      return static_cast<int>(kHolds);
    }
    if (!o->name.empty()) Fail(ErrorKind::kInvalid, "--write writes all pages: leave out {}", Quote(o->name));
    const std::filesystem::path folder = o->folder;
    MakeFolder(folder);
    OutputRules rules;
    rules.force = o->force;
    const auto write = [&](const std::string& name, const std::string& page) {
      AtomicFile file(folder / (name + ".1"), rules);
      file.Write(page);
      file.Commit();
    };
    write("assay", ProgramPage(program));
    for (const Summary& one : program.commands) write("assay-" + one.name, CommandPage(one));
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
