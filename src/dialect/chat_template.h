#pragma once
// Chat templates as models ship them (tokenizer.chat_template, chat_template.jinja): from messages to the prompt's
// text. The template language is Jinja2 in the environment that Hugging Face transformers sets up (trim_blocks,
// lstrip_blocks, loop controls, immutable sandbox, `{% generation %}` transparent); see jinja.h. A hostile template
// ends with an Error: steps, depth and output are limited.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"

namespace assay {

namespace jinja {
class Template;
}

class ChatTemplate {  // const after Parse: may be shared by threads
 public:
  /// Throws Error{kCorrupt} (not Jinja) or Error{kUnsupported} (Jinja we lack), naming `where`, the line and the
  /// reason.
  static ChatTemplate Parse(std::string_view source, std::string_view where);

  struct Input {
    Json messages;                      // array of {role, content, ...}
    Json tools;                         // array of tool definitions; null when there are none
    Json documents;                     // array of objects, for templates that ground answers; null for none
    bool none_is_undefined = false;     // tools or documents that are null: undefined, as in llama.cpp
    bool add_generation_prompt = true;  // ends with the opening of the assistant's turn
    std::string bos_token;              // texts, empty when the model has none
    std::string eos_token;
    Json extra;  // object of further variables (enable_thinking ...), null for none; they win over the others
    int64_t now_unix_s = 0;  // what strftime_now sees, as if its zone were UTC
  };

  /// Throws Error{kInvalid} with the line for raise_exception and for run-time errors, Error{kResource} past a limit.
  std::string Render(const Input& input) const;

  /// The template reads a variable of this name somewhere.
  bool Reads(std::string_view variable) const;

  const std::string& source() const;

 private:
  explicit ChatTemplate(std::shared_ptr<const jinja::Template> parsed) : template_(std::move(parsed)) {}
  std::shared_ptr<const jinja::Template> template_;
};

}  // namespace assay
