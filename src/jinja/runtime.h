#pragma once
// One rendering in progress: limits, scopes, errors with their line, calls.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "jinja/ast.h"
#include "jinja/template.h"
#include "jinja/value.h"

namespace assay::jinja {

struct Scope {
  std::shared_ptr<Scope> parent;
  bool kept = false;  // a macro refers to it: the rendering keeps it, and empties it at the end
  void Set(int id, Value value);
  const Value* Find(int id) const;
  void Clear();

 private:
  std::vector<std::pair<int, Value>> variables_;
  std::unordered_map<int, size_t> index_;  // id to variable, kept once there are more than a few
};
using ScopePtr = std::shared_ptr<Scope>;

struct LoopObject;

enum class Flow { kNext, kBreak, kContinue };

class Runtime {
 public:
  Runtime(const Template& parsed, const Limits& limits, int64_t now_unix_s);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  std::string Run(const Json& variables);

  // Limits and errors.
  void Step(uint64_t count = 1);
  void ChargeBytes(size_t bytes);   // of a text about to exist
  void ChargeMade(uint64_t bytes);  // of a value about to exist
  void CheckTextSize(size_t bytes);
  /// Charges the texts that a function is about to read; what it makes is charged where it is made.
  void ChargeTexts(const Value& self, const Arguments& arguments);
  void ChargeSearch(size_t text_bytes, size_t needle_bytes);
  void CheckDepth(uint32_t container_depth);
  template <typename... Args>
  [[noreturn]] void Fail(fmt::format_string<Args...> format, Args&&... args) {
    Throw(ErrorKind::kInvalid, fmt::format(format, std::forward<Args>(args)...));
  }
  [[noreturn]] void Throw(ErrorKind kind, const std::string& message);
  /// Guards C++ recursion on a template's word.
  class Nest {
   public:
    explicit Nest(Runtime& runtime) : runtime_(runtime) { runtime_.Enter(); }
    ~Nest() { --runtime_.nesting_; }
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;

   private:
    Runtime& runtime_;
  };

  // Python's operations.
  Value Call(const Value& callee, Arguments& arguments);
  Value Binary(Op op, const Value& a, const Value& b);
  Value Negative(const Value& a);
  Value Positive(const Value& a);
  bool Compare(Op op, const Value& a, const Value& b);
  Value Attribute(const Value& object, std::string_view name);  // object.name, then object["name"]
  Value Item(const Value& object, const Value& key);            // object[key], then object.key
  Value Slice(const Value& object, const Value& start, const Value& stop, const Value& step);
  Value CallFilter(std::string_view name, const Value& input, Arguments& arguments);
  bool CallTest(std::string_view name, const Value& input, Arguments& arguments);

  Value CallMacro(const Macro& macro, const ScopePtr& closure, Arguments& arguments);
  /// Renders the body of a recursive loop once more, as `loop(children)` asks.
  Value RecurseLoop(LoopObject& loop, const Value& iterable);
  /// Holds an object that may sit in a cycle until the end of the rendering.
  void Keep(std::shared_ptr<CustomObject> object) { kept_objects_.push_back(std::move(object)); }

  int64_t now_unix_s() const { return now_unix_s_; }

 private:
  friend class Nest;
  void Enter();
  Value Eval(const Expr& expr, const ScopePtr& scope);
  Value EvalName(const Expr& expr, const Scope* scope);
  Value EvalDict(const Expr& expr, const ScopePtr& scope);
  Value EvalCompare(const Expr& expr, const ScopePtr& scope);
  Value EvalConcat(const Expr& expr, const ScopePtr& scope);
  Value EvalFilter(const Expr& expr, const Value& input, const ScopePtr& scope);
  Value EvalOperation(const Expr& expr, const ScopePtr& scope);
  Arguments EvalArguments(const Expr& expr, const ScopePtr& scope);
  void LookAtClock();
  Flow Exec(const Body& body, const ScopePtr& scope, std::string& out);
  Flow ExecOne(const Stmt& stmt, const ScopePtr& scope, std::string& out);
  Flow ExecIf(const Stmt& stmt, const ScopePtr& scope, std::string& out);
  Flow ExecFor(const Stmt& stmt, const Value& iterable, int depth, const ScopePtr& scope, std::string& out);
  Flow ExecSetBlock(const Stmt& stmt, const ScopePtr& scope);
  void ExecCallBlock(const Stmt& stmt, const ScopePtr& scope, std::string& out);
  void Assign(const Target& target, const Value& value, const ScopePtr& scope, const ScopePtr& from);
  void Write(std::string_view text, std::string& out);
  Value MakeMacro(const Macro& macro, const ScopePtr& closure);
  ScopePtr NewScope(const ScopePtr& parent);
  void KeepScope(const ScopePtr& scope);

  const Template& template_;
  const Limits limits_;
  const int64_t now_unix_s_;
  uint64_t steps_ = 0, next_look_ = 0, made_bytes_ = 0;
  double started_s_ = 0;
  uint32_t nesting_ = 0;
  int line_ = 1;
  int loop_id_ = -1, caller_id_ = -1, kwargs_id_ = -1, varargs_id_ = -1;
  std::vector<ScopePtr> kept_scopes_;
  std::vector<std::shared_ptr<CustomObject>> kept_objects_;
};

struct NamespaceObject : CustomObject {
  DictObject attributes;
  std::optional<Value> Attribute(Runtime& runtime, std::string_view name) override;
  std::string Repr(Runtime& runtime) override;
  const char* TypeName() const override { return "TemplateNamespace"; }
  void Clear() override { attributes = {}; }
};

/// A function made of a lambda.
struct FunctionObject : CustomObject {
  std::string name;
  std::function<Value(Runtime&, Arguments&)> function;
  bool Callable() const override { return true; }
  Value Call(Runtime& runtime, Arguments& arguments) override { return function(runtime, arguments); }
  std::string Repr(Runtime&) override { return "<function " + name + ">"; }
  const char* TypeName() const override { return "function"; }
};
Value MakeFunction(std::string name, std::function<Value(Runtime&, Arguments&)> function);

/// Keyword arguments by name.
class KeywordIndex {
 public:
  explicit KeywordIndex(const Arguments& arguments);
  /// The place among the keywords.
  std::optional<size_t> Find(std::string_view name) const;

 private:
  const Arguments& arguments_;
  std::unordered_map<std::string_view, size_t> index_;  // empty while there are few
};

/// Python's binding of arguments to parameters: one value per name, `missing` where absent.
class Bound {
 public:
  /// `names` is "a b c"; the first `required` must be given. Names before "/" take no keyword. Fails as Python would.
  Bound(Runtime& runtime, Arguments& arguments, std::string_view function, std::string_view names, size_t required);
  bool Has(size_t i) const { return given_[i]; }
  const Value& operator[](size_t i) const { return values_[i]; }
  Value Or(size_t i, Value fallback) const { return given_[i] ? values_[i] : std::move(fallback); }
  bool Flag(size_t i, bool fallback) const;
  /// Fails unless an integer.
  int64_t Int(size_t i, int64_t fallback) const;
  const std::string& Text(size_t i) const;

 private:
  Runtime& runtime_;
  std::string_view function_;
  std::vector<Value> values_;
  std::vector<bool> given_;
};

// Tables by name.
struct FilterEntry {
  const char* name;
  Value (*function)(Runtime& runtime, const Value& input, Arguments& arguments);
};
struct TestEntry {
  const char* name;
  bool (*function)(Runtime& runtime, const Value& input, Arguments& arguments);
};
const FilterEntry* FindFilter(std::string_view name);
const TestEntry* FindTest(std::string_view name);
/// A filter or global of jinja2 that is left out here.
bool IsLeftOut(std::string_view name);
/// range, dict, namespace ... ; null for none.
const Value* FindGlobal(std::string_view name);

/// What getattr() finds on a built-in value: a bound method, a refusal (an undefined that says so), or nothing.
std::optional<Value> BuiltinAttribute(Runtime& runtime, const Value& self, std::string_view name);

// Shared by filters and methods.
std::string FormatPercent(Runtime& runtime, const std::string& format, const Value& arguments);
std::string FormatBraces(Runtime& runtime, const std::string& format, Arguments& arguments, const Value* mapping);
std::string FormatWithSpec(Runtime& runtime, const Value& value, const std::string& spec);
std::string ToJsonText(Runtime& runtime, Arguments& arguments);
std::string EscapeHtml(std::string_view text);
std::string FormatTime(Runtime& runtime, int64_t unix_s, std::string_view format);
Value RangeFromArguments(Runtime& runtime, Arguments& arguments);

}  // namespace assay::jinja
