#pragma once
// What a task's examples have in common, said once: the line {"defaults": {…}} above them. An example is read, hashed
// and asked as if it had it written out.

#include <cstddef>
#include <string_view>

#include "base/json.h"

namespace assay {

class TaskDefaults {
 public:
  /// Throws FieldError for what is no defaults, field below "defaults". Members are as in an example; what stands in
  /// them is not looked into. `prompts`: of a file of unlabelled prompts, which has no checks.
  void Read(const Json& given, bool prompts);
  bool empty() const { return given_.empty(); }
  const Json& given() const { return given_; }

  /// The example with what it leaves out: its own members win, "sampling" and "chat_template_kwargs" member by member;
  /// "system" becomes the first message where there is no system or developer message; checks come behind its own.
  /// Throws FieldError for a raw prompt that cannot carry it.
  Json Complete(const Json& example) const;

 private:
  Json given_ = Json::object();
};

}  // namespace assay
