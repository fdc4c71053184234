#pragma once
// The `loop` of a for statement.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jinja/runtime.h"

namespace assay::jinja {

struct LoopObject : CustomObject, std::enable_shared_from_this<LoopObject> {
  std::function<bool(Value&)> source;
  const Stmt* stmt = nullptr;
  ScopePtr scope;  // around the statement, for recursion
  int64_t depth0 = 0;
  int64_t index0 = -1;
  std::optional<int64_t> length;  // when the iterable knows it

  bool Next(Value& item);
  int64_t Count();
  const Value* PeekNext();  // null at the end

  std::optional<Value> Attribute(Runtime& runtime, std::string_view name) override;
  bool Callable() const override { return true; }
  Value Call(Runtime& runtime, Arguments& arguments) override;
  std::optional<int64_t> Size(Runtime&) override { return Count(); }
  std::string Repr(Runtime&) override { return fmt::format("<LoopContext {}/{}>", index0 + 1, Count()); }
  const char* TypeName() const override { return "LoopContext"; }
  void Clear() override;

 private:
  std::deque<Value> ahead_;  // drawn already, not yet walked
  Value before_, current_;
  std::optional<std::vector<Value>> changed_;
};

}  // namespace assay::jinja
