#include "task/task_defaults.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/json_member.h"
#include "base/strings.h"
#include "task/check/check.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 7> kMembers = {
    "system", "slice", "tools", "response_schema", "sampling", "chat_template_kwargs", "expect"};
constexpr std::string_view kOfMessages[] = {"system", "tools", "chat_template_kwargs"};
constexpr std::string_view kMemberByMember[] = {"sampling", "chat_template_kwargs"};

bool HasSystem(const Json& messages) {
  return std::any_of(messages.begin(), messages.end(), [](const Json& message) {
    const Json* role = message.is_object() ? FindMember(message, "role") : nullptr;
    return role && (*role == "system" || *role == "developer");
  });
}

}  // namespace

void TaskDefaults::Read(const Json& given, bool prompts) {
  if (!given.is_object())
    throw FieldError{"", fmt::format("expected an object such as {{\"system\": \"…\"}}, found {}", FoundText(given))};
  for (const auto& [key, value] : given.items()) {
    if (key == "messages" || key == "prompt" || key == "id" || key == "cluster" || key == "context")
      throw FieldError{key, "belongs to one example: write it there"};
    if (key == "margin" || key == "looks")
      throw FieldError{key,
                       fmt::format("belongs to the task as a whole: write {{\"task\": {{\"{}\": …}}}} beside it", key)};
    if (key == "checks" || key == "system_prompt" || key == "assert")
      throw FieldError{
          key, fmt::format("unknown member; did you mean \"{}\"?", key == "system_prompt" ? "system" : "expect")};
  }
  RefuseUnknown(given, kMembers, "");
  if (const Json* system = FindMember(given, "system"))
    if (!system->is_string() || IsBlank(system->get_ref<const std::string&>()))
      throw FieldError{"system", fmt::format("expected the text of a system message, found {}", FoundText(*system))};
  for (std::string_view name : kMemberByMember)
    if (const Json* value = FindMember(given, name); value && !value->is_object())
      throw FieldError{std::string(name), fmt::format("expected an object, found {}", FoundText(*value))};
  if (const Json* expect = FindMember(given, "expect")) {
    if (prompts) throw FieldError{"expect", "an unlabelled prompt has no right answer: take it out"};
    if (!expect->is_array() || expect->empty())
      throw FieldError{"expect", fmt::format("expected a list of checks such as [{{\"type\": \"json_schema\", …}}], "
                                             "found {}",
                                             FoundText(*expect))};
  }
  for (const auto& [key, value] : given.items())
    if (!value.is_null()) given_[key] = value;
}

Json TaskDefaults::Complete(const Json& example) const {
  Json out = example;
  if (FindMember(example, "prompt"))
    for (std::string_view name : kOfMessages)
      if (given_.contains(name) && !FindMember(example, name))
        throw FieldError{"prompt", fmt::format("a raw \"prompt\" cannot carry \"{}\" of the defaults: no chat template "
                                               "renders it; give \"messages\" in place of \"prompt\"",
                                               name)};
  for (const auto& [key, value] : given_.items()) {
    const Json* own = FindMember(example, key);
    if (key == "system") {
      if (const Json* messages = FindMember(example, "messages");
          messages && messages->is_array() && !HasSystem(*messages))
        out["messages"].insert(out["messages"].begin(), Json{{"role", "system"}, {"content", value}});
    } else if (!own) {
      out[key] = value;
    } else if (key == "expect" && own->is_array()) {
      for (const Json& check : value) out[key].push_back(check);
    } else if (std::find(std::begin(kMemberByMember), std::end(kMemberByMember), key) != std::end(kMemberByMember) &&
               own->is_object()) {
      for (const auto& [name, member] : value.items())
        if (!FindMember(*own, name)) out[key][name] = member;
    }
  }
  return out;
}

}  // namespace assay
