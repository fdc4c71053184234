
#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"
#include "system/file.h"
#include "text/tokenizer.h"

namespace assay {

std::function<int()> AddTokenize(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model, text, file;
    bool plain = false, bos = false;
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "model file or folder; the tokenizer alone is enough").Required();
  const Flag text = command.Text("TEXT", o->text, "the text");
  command.Option("--file", o->file, "read the text from a file").Excludes(text);
  command.Switch("--plain", o->plain, "special tokens in the text are just text");
  command.Switch("--bos", o->bos, "begin (and end) as the model does");
  return [o, &flags, text] {
    if (o->file.empty() && !text.given()) Fail(ErrorKind::kInvalid, "tokenize: give a TEXT or --file");
    auto tokenizer = Tokenizer::Create(Checkpoint::OpenTokenizer(ResolveModel(o->model)), o->model);
    std::string input = o->file.empty() ? o->text : ReadFile(o->file);
    std::vector<TokenId> ids = tokenizer->Encode(input, !o->plain, o->bos);
    if (std::string doubled = o->bos ? tokenizer->DoubledSpecial(ids) : ""; !doubled.empty()) Note(flags, doubled);
    if (flags.json) {
      Json out = {{"ids", ids}};
      PrintJson(out);
    } else {
      for (TokenId id : ids) Print(fmt::format("{:7}  {}", id, DumpJson(Json(tokenizer->TokenBytes(id)))));
    }
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
