#include "dialect/chat_template.h"

#include "base/error.h"
#include "jinja/template.h"

namespace assay {

ChatTemplate ChatTemplate::Parse(std::string_view source, std::string_view where) {
  return ChatTemplate(jinja::Template::Parse(source, where));
}

std::string ChatTemplate::Render(const Input& input) const {
  Json variables = Json::object();
  variables["messages"] = input.messages;
  // transformers passes both, none or not.
  if (!input.none_is_undefined || !input.tools.is_null()) variables["tools"] = input.tools;
  if (!input.none_is_undefined || !input.documents.is_null()) variables["documents"] = input.documents;
  variables["add_generation_prompt"] = input.add_generation_prompt;
  variables["bos_token"] = input.bos_token;
  variables["eos_token"] = input.eos_token;
  if (!input.extra.is_null() && !input.extra.is_object())
    Fail(ErrorKind::kInvalid, "{}: extra variables are an object", template_->where());
  if (input.extra.is_object())
    for (const auto& [name, value] : input.extra.items()) variables[name] = value;
  return template_->Render(variables, input.now_unix_s);
}

bool ChatTemplate::Reads(std::string_view variable) const {
  return template_->Reads(variable);
}

const std::string& ChatTemplate::source() const {
  return template_->source();
}

}  // namespace assay
