// Walks the tree: statements write text, expressions give values.

#include <algorithm>

#include "jinja/loop.h"
#include "jinja/runtime.h"

namespace assay::jinja {
namespace {

constexpr size_t kIndexFrom = 8;  // variables of smaller scopes are searched in order

struct MacroObject : CustomObject {
  const Macro* macro = nullptr;
  ScopePtr closure;
  bool Callable() const override { return true; }
  Value Call(Runtime& runtime, Arguments& arguments) override { return runtime.CallMacro(*macro, closure, arguments); }
  std::optional<Value> Attribute(Runtime& runtime, std::string_view name) override {
    if (name == "name") return Value::String(macro->name);
    if (name == "caller") return Value::Bool(macro->reads_caller);
    if (name == "catch_kwargs") return Value::Bool(macro->reads_kwargs);
    if (name == "catch_varargs") return Value::Bool(macro->reads_varargs);
    if (name != "arguments") return std::nullopt;
    std::vector<Value> names;
    for (const auto& parameter : macro->parameters) names.push_back(Value::String(parameter));
    return MakeTuple(runtime, std::move(names));
  }
  std::string Repr(Runtime&) override { return "<Macro '" + macro->name + "'>"; }
  const char* TypeName() const override { return "Macro"; }
};

}  // namespace

const Value* Scope::Find(int id) const {
  if (variables_.size() > kIndexFrom) {
    auto it = index_.find(id);
    return it == index_.end() ? nullptr : &variables_[it->second].second;
  }
  for (const auto& variable : variables_)
    if (variable.first == id) return &variable.second;
  return nullptr;
}

void Scope::Set(int id, Value value) {
  if (const Value* found = Find(id)) {
    const_cast<Value&>(*found) = std::move(value);
    return;
  }
  variables_.emplace_back(id, std::move(value));
  if (variables_.size() == kIndexFrom + 1)
    for (size_t i = 0; i < variables_.size(); ++i) index_.emplace(variables_[i].first, i);
  else if (variables_.size() > kIndexFrom)
    index_.emplace(id, variables_.size() - 1);
}

void Scope::Clear() {
  variables_.clear();
  index_.clear();
}

ScopePtr Runtime::NewScope(const ScopePtr& parent) {
  ChargeMade(sizeof(Scope));
  auto scope = std::make_shared<Scope>();
  scope->parent = parent;
  return scope;
}

void Runtime::KeepScope(const ScopePtr& scope) {
  for (ScopePtr each = scope; each && !each->kept; each = each->parent) {
    each->kept = true;
    kept_scopes_.push_back(each);
  }
}

Value Runtime::MakeMacro(const Macro& macro, const ScopePtr& closure) {
  auto object = std::make_shared<MacroObject>();
  object->macro = &macro;
  object->closure = closure;
  KeepScope(closure);
  return Value::Wrap(Type::kObject, std::move(object));
}

// Statements.

void Runtime::Write(std::string_view text, std::string& out) {
  CheckTextSize(out.size() + text.size());
  Step(text.size() / 32);
  out += text;
}

Flow Runtime::Exec(const Body& body, const ScopePtr& scope, std::string& out) {
  for (const auto& stmt : body)
    if (Flow flow = ExecOne(*stmt, scope, out); flow != Flow::kNext) return flow;
  return Flow::kNext;
}

Flow Runtime::ExecOne(const Stmt& stmt, const ScopePtr& scope, std::string& out) {
  Nest nest(*this);
  Step();
  line_ = stmt.line;
  switch (stmt.kind) {
    case StmtKind::kText:
      Write(stmt.text, out);
      break;
    case StmtKind::kOutput: {
      Value value = Eval(*stmt.expr, scope);
      if (value.IsString())
        Write(value.text(), out);
      else
        Write(Str(*this, value), out);
      break;
    }
    case StmtKind::kSet:
      Assign(stmt.targets[0], Eval(*stmt.expr, scope), scope, scope);
      break;
    case StmtKind::kSetBlock:
      return ExecSetBlock(stmt, scope);
    case StmtKind::kIf:
      return ExecIf(stmt, scope, out);
    case StmtKind::kFor: {
      Value iterable = Eval(*stmt.expr, scope);
      if (!stmt.recursive) return ExecFor(stmt, iterable, 0, scope, out);
      std::string text;
      ExecFor(stmt, iterable, 0, scope, text);
      Write(text, out);
      break;
    }
    case StmtKind::kMacro:
      scope->Set(stmt.targets[0].name_id, MakeMacro(*stmt.macro, scope));
      break;
    case StmtKind::kCallBlock:
      ExecCallBlock(stmt, scope, out);
      break;
    case StmtKind::kFilterBlock: {
      std::string text;
      auto inner = NewScope(scope);
      Flow flow = Exec(stmt.body, inner, text);
      if (flow != Flow::kNext) return flow;
      Write(Str(*this, EvalFilter(*stmt.expr, MakeText(*this, std::move(text)), inner)), out);
      break;
    }
    case StmtKind::kWith: {
      std::vector<Value> values;
      for (const auto& value : stmt.values) values.push_back(Eval(*value, scope));
      auto inner = NewScope(scope);
      for (size_t i = 0; i < values.size(); ++i) Assign(stmt.targets[i], values[i], inner, inner);
      return Exec(stmt.body, inner, out);
    }
    case StmtKind::kScope:
      return Exec(stmt.body, NewScope(scope), out);
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Flow Runtime::ExecIf(const Stmt& stmt, const ScopePtr& scope, std::string& out) {
  for (const auto& [condition, body] : stmt.branches)
    if (Truth(*this, Eval(*condition, scope))) return Exec(body, scope, out);
  return Exec(stmt.else_body, scope, out);
}

Flow Runtime::ExecSetBlock(const Stmt& stmt, const ScopePtr& scope) {
  std::string text;
  auto inner = NewScope(scope);
  if (Flow flow = Exec(stmt.body, inner, text); flow != Flow::kNext) return flow;
  Value value = MakeText(*this, std::move(text));
  if (stmt.expr) value = EvalFilter(*stmt.expr, value, inner);
  Assign(stmt.targets[0], value, scope, scope);
  return Flow::kNext;
}

void Runtime::ExecCallBlock(const Stmt& stmt, const ScopePtr& scope, std::string& out) {
  const Expr& call = *stmt.expr;
  Value callee = Eval(*call.args[0], scope);
  Arguments arguments = EvalArguments(call, scope);
  for (const auto& keyword : arguments.keywords)
    if (keyword.first == "caller") Fail("got multiple values for keyword argument 'caller'");
  arguments.keywords.emplace_back("caller", MakeMacro(*stmt.macro, scope));
  line_ = call.line;
  Write(Str(*this, Call(callee, arguments)), out);
}

// `from` holds the namespaces that attribute targets name.
void Runtime::Assign(const Target& target, const Value& value, const ScopePtr& scope, const ScopePtr& from) {
  if (target.kind == Target::Kind::kName) return scope->Set(target.name_id, value);
  if (target.kind == Target::Kind::kAttribute) {
    Expr name;
    name.name_id = target.name_id;
    Value object = EvalName(name, from.get());
    auto* ns = object.is(Type::kObject) ? dynamic_cast<NamespaceObject*>(object.object().get()) : nullptr;
    if (!ns) Fail("cannot assign attribute on non-namespace object");
    if (target.attribute[0] == '_')
      Fail("attribute '{}' of a namespace may not begin with an underscore", target.attribute);
    ns->attributes.Set(*this, Value::String(target.attribute), value);
    return;
  }
  if (!IsIterable(value)) Fail("cannot unpack non-iterable {} object", TypeName(value));
  auto items = Collect(*this, value);
  if (items.size() > target.items.size()) Fail("too many values to unpack (expected {})", target.items.size());
  if (items.size() < target.items.size())
    Fail("not enough values to unpack (expected {}, got {})", target.items.size(), items.size());
  for (size_t i = 0; i < items.size(); ++i) Assign(target.items[i], items[i], scope, from);
}

Flow Runtime::ExecFor(const Stmt& stmt, const Value& iterable, int depth, const ScopePtr& scope, std::string& out) {
  Nest nest(*this);
  auto walk = std::make_shared<Iterator>(*this, iterable);
  std::function<bool(Value&)> source = [walk](Value& item) { return walk->Next(item); };
  if (stmt.test)
    source = [this, walk, &stmt, scope](Value& item) {
      while (walk->Next(item)) {
        auto inner = NewScope(scope);
        Assign(stmt.targets[0], item, inner, inner);
        if (Truth(*this, Eval(*stmt.test, inner))) return true;
      }
      return false;
    };
  std::shared_ptr<LoopObject> loop;
  if (stmt.reads_loop || stmt.recursive) {
    loop = std::make_shared<LoopObject>();
    loop->source = std::move(source);
    loop->stmt = &stmt;
    loop->depth0 = depth;
    if (!stmt.test) loop->length = Length(*this, iterable);
    if (stmt.recursive) {
      loop->scope = scope;
      KeepScope(scope);
    }
    Keep(loop);
  }
  bool empty = true;
  ScopePtr inner;
  for (Value item; loop ? loop->Next(item) : source(item);) {
    // A scope that nothing else holds serves the next round too.
    if (inner && inner.use_count() == 1)
      inner->Clear();
    else
      inner = NewScope(scope);
    Assign(stmt.targets[0], item, inner, inner);
    if (loop) inner->Set(loop_id_, Value::Wrap(Type::kObject, loop));
    Flow flow = Exec(stmt.body, inner, out);
    if (flow == Flow::kBreak) break;
    // The reference notes at a round's end that there was one; a round left by `continue` or `break` does not count.
    if (flow == Flow::kNext) empty = false;
    line_ = stmt.line;
  }
  if (empty) return Exec(stmt.else_body, NewScope(scope), out);
  return Flow::kNext;
}

Value Runtime::RecurseLoop(LoopObject& loop, const Value& iterable) {
  std::string text;
  ScopePtr scope = loop.scope;
  if (!scope) Fail("the loop is over");
  ExecFor(*loop.stmt, iterable, static_cast<int>(loop.depth0 + 1), scope, text);
  return MakeText(*this, std::move(text));
}

Value Runtime::CallMacro(const Macro& macro, const ScopePtr& closure, Arguments& arguments) {
  Nest nest(*this);
  auto scope = NewScope(closure);
  const auto& keywords = arguments.keywords;
  const KeywordIndex by_name(arguments);
  std::vector<bool> taken(keywords.size(), false);
  auto take = [&](const std::string& name, Value& value) {
    const std::optional<size_t> found = by_name.Find(name);
    if (!found || taken[*found]) return false;
    value = keywords[*found].second;
    taken[*found] = true;
    return true;
  };
  size_t count = macro.parameters.size(), first_default = count - macro.defaults.size();
  bool has_caller_parameter = false;
  Step(count);
  std::vector<size_t> missing;
  for (size_t i = 0; i < count; ++i) {
    Value value;
    if (macro.parameters[i] == "caller") has_caller_parameter = true;
    if (i < arguments.positional.size())
      value = arguments.positional[i];
    else if (!take(macro.parameters[i], value))
      missing.push_back(i);
    scope->Set(macro.parameter_ids[i], std::move(value));
  }
  if (macro.reads_caller && !has_caller_parameter) {
    Value caller;
    if (!take("caller", caller) || caller.IsNone()) caller = Value::Undefined("No caller defined");
    scope->Set(caller_id_, std::move(caller));
  }
  if (macro.reads_kwargs) {
    auto dict = std::make_shared<DictObject>();
    for (size_t i = 0; i < keywords.size(); ++i)
      if (!taken[i]) dict->Set(*this, Value::String(keywords[i].first), keywords[i].second);
    if (std::find(macro.parameters.begin(), macro.parameters.end(), "kwargs") == macro.parameters.end())
      scope->Set(kwargs_id_, MakeDict(*this, std::move(dict)));
  } else if (auto left = std::find(taken.begin(), taken.end(), false); left != taken.end()) {
    Fail("macro '{}' takes no keyword argument '{}'", macro.name,
         keywords[static_cast<size_t>(left - taken.begin())].first);
  }
  if (macro.reads_varargs) {
    auto from = arguments.positional.begin() + static_cast<ptrdiff_t>(std::min(count, arguments.positional.size()));
    scope->Set(varargs_id_, MakeTuple(*this, {from, arguments.positional.end()}));
  } else if (arguments.positional.size() > count) {
    Fail("macro '{}' takes not more than {} argument(s)", macro.name, count);
  }
  for (size_t i : missing)
    scope->Set(macro.parameter_ids[i],
               i >= first_default ? Eval(*macro.defaults[i - first_default], scope)
                                  : Value::Undefined("parameter '" + macro.parameters[i] + "' was not provided"));
  std::string text;
  int line = line_;
  Exec(macro.body, scope, text);
  line_ = line;
  return MakeText(*this, std::move(text));
}

// Expressions.

Value Runtime::EvalName(const Expr& expr, const Scope* scope) {
  for (uint64_t hops = 1; scope; scope = scope->parent.get(), ++hops) {
    if (hops % 16 == 0) Step();
    if (const Value* found = scope->Find(expr.name_id)) return *found;
  }
  const std::string& name = template_.ast().names[static_cast<size_t>(expr.name_id)];
  Step(name.size() / 32);
  if (const Value* global = FindGlobal(name)) return *global;
  if (IsLeftOut(name)) Throw(ErrorKind::kUnsupported, "global '" + name + "'");
  return Value::Undefined("'" + name + "' is undefined");
}

Value Runtime::Eval(const Expr& expr, const ScopePtr& scope) {
  Nest nest(*this);
  Step();
  switch (expr.kind) {
    case ExprKind::kConst:
      return expr.value;
    case ExprKind::kName:
      return EvalName(expr, scope.get());
    case ExprKind::kTuple:
    case ExprKind::kList: {
      std::vector<Value> items;
      items.reserve(expr.args.size());
      for (const auto& arg : expr.args) items.push_back(Eval(*arg, scope));
      return MakeList(*this, std::move(items), expr.kind == ExprKind::kList ? Type::kList : Type::kTuple);
    }
    case ExprKind::kDict:
      return EvalDict(expr, scope);
    case ExprKind::kCond:
      if (Truth(*this, Eval(*expr.args[0], scope))) return Eval(*expr.args[1], scope);
      if (expr.args[2]) return Eval(*expr.args[2], scope);
      return Value::Undefined(fmt::format(
          "the inline if-expression on line {} evaluated to false and no else section was defined.", expr.line));
    case ExprKind::kOr:
    case ExprKind::kAnd: {
      Value left = Eval(*expr.args[0], scope);
      if (Truth(*this, left) == (expr.kind == ExprKind::kOr)) return left;
      return Eval(*expr.args[1], scope);
    }
    case ExprKind::kNot:
      return Value::Bool(!Truth(*this, Eval(*expr.args[0], scope)));
    case ExprKind::kConcat:
      return EvalConcat(expr, scope);
    case ExprKind::kCompare:
      return EvalCompare(expr, scope);
    default:
      return EvalOperation(expr, scope);
  }
}

// What may fail: the line is noted once the operands are known.
Value Runtime::EvalOperation(const Expr& expr, const ScopePtr& scope) {
  if (expr.kind == ExprKind::kFilter) return EvalFilter(expr, Value(), scope);
  Value first = Eval(*expr.args[0], scope);
  switch (expr.kind) {
    case ExprKind::kNegative:
      line_ = expr.line;
      return Negative(first);
    case ExprKind::kPositive:
      line_ = expr.line;
      return Positive(first);
    case ExprKind::kBinary: {
      Value second = Eval(*expr.args[1], scope);
      line_ = expr.line;
      return Binary(expr.op, first, second);
    }
    case ExprKind::kAttribute:
      line_ = expr.line;
      return Attribute(first, expr.name);
    case ExprKind::kItem: {
      Value key = Eval(*expr.args[1], scope);
      line_ = expr.line;
      return Item(first, key);
    }
    case ExprKind::kSlice: {
      Value bounds[3];
      for (size_t i = 0; i < 3; ++i) bounds[i] = expr.args[i + 1] ? Eval(*expr.args[i + 1], scope) : Value::None();
      line_ = expr.line;
      return Slice(first, bounds[0], bounds[1], bounds[2]);
    }
    case ExprKind::kCall: {
      Arguments arguments = EvalArguments(expr, scope);
      line_ = expr.line;
      return Call(first, arguments);
    }
    default: {  // kTest
      Arguments arguments = EvalArguments(expr, scope);
      line_ = expr.line;
      return Value::Bool(CallTest(expr.name, first, arguments));
    }
  }
}

Value Runtime::EvalDict(const Expr& expr, const ScopePtr& scope) {
  auto dict = std::make_shared<DictObject>();
  for (size_t i = 0; i + 1 < expr.args.size(); i += 2) {
    Value key = Eval(*expr.args[i], scope);
    dict->Set(*this, std::move(key), Eval(*expr.args[i + 1], scope));
  }
  return MakeDict(*this, std::move(dict));
}

Value Runtime::EvalCompare(const Expr& expr, const ScopePtr& scope) {
  Value left = Eval(*expr.args[0], scope);
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    Value right = Eval(*expr.args[i + 1], scope);
    line_ = expr.line;
    if (!Compare(expr.ops[i], left, right)) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

Value Runtime::EvalConcat(const Expr& expr, const ScopePtr& scope) {
  std::string text;
  for (const auto& arg : expr.args) text += Str(*this, Eval(*arg, scope));
  return MakeText(*this, std::move(text));
}

Arguments Runtime::EvalArguments(const Expr& expr, const ScopePtr& scope) {
  Arguments arguments;
  for (size_t i = 1; i < expr.args.size(); ++i) arguments.positional.push_back(Eval(*expr.args[i], scope));
  if (expr.star) {
    Value star = Eval(*expr.star, scope);
    for (Value& value : Collect(*this, star)) arguments.positional.push_back(std::move(value));
  }
  for (const Keyword& keyword : expr.keywords)
    arguments.keywords.emplace_back(keyword.name, Eval(*keyword.value, scope));
  if (expr.star_star) {
    Value mapping = Eval(*expr.star_star, scope);
    if (!mapping.is(Type::kDict)) Fail("argument after ** must be a mapping, not {}", TypeName(mapping));
    const Arguments stated = arguments;  // the keys of a mapping differ from each other
    const KeywordIndex by_name(stated);
    for (const auto& [key, value] : mapping.as<DictObject>().entries) {
      if (!key.IsString()) Fail("keywords must be strings");
      if (by_name.Find(key.text())) Fail("got multiple values for keyword argument '{}'", key.text());
      ChargeMade(key.text().size() + sizeof(Value));
      Step(1 + key.text().size() / 32);
      arguments.keywords.emplace_back(key.text(), value);
    }
  }
  return arguments;
}

// `input` serves where the chain of filters begins without a value, as in a filter block.
Value Runtime::EvalFilter(const Expr& expr, const Value& input, const ScopePtr& scope) {
  Nest nest(*this);
  Step();
  Value value = input;
  if (expr.args[0])
    value =
        expr.args[0]->kind == ExprKind::kFilter ? EvalFilter(*expr.args[0], input, scope) : Eval(*expr.args[0], scope);
  Arguments arguments = EvalArguments(expr, scope);
  line_ = expr.line;
  return CallFilter(expr.name, value, arguments);
}

}  // namespace assay::jinja
