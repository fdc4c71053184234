#include "jinja/runtime.h"

#include <algorithm>
#include <ctime>

#include "base/strings.h"
#include "jinja/lexer.h"
#include "jinja/parser.h"

namespace assay::jinja {
namespace {

constexpr uint32_t kMaxContainerDepth = 600;
constexpr uint64_t kStepsPerLook = 4096;  // at the clock: some tenths of a millisecond
constexpr size_t kIndexFrom = 8;          // fewer keyword arguments are searched in order

double ThreadSeconds() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

// Template.

Template::Template() = default;
Template::~Template() = default;

std::shared_ptr<const Template> Template::Parse(std::string_view source, std::string_view where) {
  std::shared_ptr<Template> parsed(new Template());
  parsed->source_ = source;
  parsed->where_ = where;
  parsed->ast_ = ParseTemplate(NormalizeNewlines(source), where);
  for (const char* name : {"loop", "caller", "kwargs", "varargs"}) parsed->ast_->Id(name);
  return parsed;
}

std::string Template::Render(const Json& variables, int64_t now_unix_s, const Limits& limits) const {
  return Runtime(*this, limits, now_unix_s).Run(variables);
}

bool Template::Reads(std::string_view variable) const {
  auto it = ast_->ids.find(std::string(variable));
  return it != ast_->ids.end() && ast_->read[static_cast<size_t>(it->second)];
}

// Runtime.

Runtime::Runtime(const Template& parsed, const Limits& limits, int64_t now_unix_s)
    : template_(parsed), limits_(limits), now_unix_s_(now_unix_s), started_s_(ThreadSeconds()) {
  const auto& ids = parsed.ast().ids;
  loop_id_ = ids.at("loop");
  caller_id_ = ids.at("caller");
  kwargs_id_ = ids.at("kwargs");
  varargs_id_ = ids.at("varargs");
}

Runtime::~Runtime() {
  // Templates can tie knots (a namespace that holds itself, a macro in the scope it refers to). All that can be part of
  // one is held here and emptied before anything goes.
  for (auto& scope : kept_scopes_) scope->Clear();
  for (auto& object : kept_objects_) object->Clear();
}

std::string Runtime::Run(const Json& variables) {
  auto outer = NewScope(nullptr);
  const auto& ids = template_.ast().ids;
  for (const auto& [name, value] : variables.items())
    if (auto it = ids.find(name); it != ids.end()) outer->Set(it->second, FromJson(*this, value));
  auto scope = NewScope(outer);
  std::string out;
  Exec(template_.ast().body, scope, out);
  return out;
}

void Runtime::Throw(ErrorKind kind, const std::string& message) {
  throw Error(kind, fmt::format("{}:{}: {}", template_.where(), line_, message));
}

void Runtime::Step(uint64_t count) {
  steps_ += count;
  if (steps_ > limits_.steps)
    Throw(ErrorKind::kResource, fmt::format("the template takes more than {} steps", limits_.steps));
  if (steps_ >= next_look_) LookAtClock();
}

void Runtime::LookAtClock() {
  next_look_ = steps_ + kStepsPerLook;
  if (ThreadSeconds() - started_s_ > limits_.seconds)
    Throw(ErrorKind::kResource, fmt::format("the template takes more than {} seconds", limits_.seconds));
}

void Runtime::ChargeMade(uint64_t bytes) {
  made_bytes_ += bytes;
  if (made_bytes_ > limits_.made_bytes)
    Throw(ErrorKind::kResource, fmt::format("the template makes more than {} bytes of values", limits_.made_bytes));
}

void Runtime::CheckTextSize(size_t bytes) {
  if (bytes > limits_.output_bytes)
    Throw(ErrorKind::kResource, fmt::format("a text of more than {} bytes", limits_.output_bytes));
}

void Runtime::ChargeBytes(size_t bytes) {
  CheckTextSize(bytes);
  Step(bytes / 32);
  ChargeMade(bytes);
}

void Runtime::ChargeTexts(const Value& self, const Arguments& arguments) {
  uint64_t bytes = self.IsString() ? self.text().size() : 0;
  for (const Value& value : arguments.positional) bytes += value.IsString() ? value.text().size() : 0;
  for (const auto& [name, value] : arguments.keywords) bytes += value.IsString() ? value.text().size() : 0;
  Step(bytes / 32);
}

void Runtime::ChargeSearch(size_t text_bytes, size_t needle_bytes) {
  // The search may compare every needle byte at every place.
  Step(text_bytes / 32 +
       static_cast<uint64_t>(static_cast<double>(text_bytes) * static_cast<double>(needle_bytes) / 1024));
}

void Runtime::CheckDepth(uint32_t container_depth) {
  if (container_depth > kMaxContainerDepth) Throw(ErrorKind::kResource, "values nested too deeply");
}

void Runtime::Enter() {
  if (++nesting_ > limits_.depth) {
    --nesting_;
    Throw(ErrorKind::kResource, "nested too deeply");
  }
}

Value Runtime::Call(const Value& callee, Arguments& arguments) {
  Nest nest(*this);
  Step();
  if (callee.IsUndefined()) Fail("{}", callee.UndefinedMessage());
  if (!callee.is(Type::kObject)) Fail("'{}' object is not callable", TypeName(callee));
  std::shared_ptr<Object> alive = callee.object();
  return static_cast<CustomObject&>(*alive).Call(*this, arguments);
}

Value Runtime::CallFilter(std::string_view name, const Value& input, Arguments& arguments) {
  const FilterEntry* filter = FindFilter(name);
  if (!filter && IsLeftOut(name)) Throw(ErrorKind::kUnsupported, fmt::format("filter '{}'", name));
  if (!filter) Fail("no filter named '{}'", name);
  Nest nest(*this);
  ChargeTexts(input, arguments);
  return filter->function(*this, input, arguments);
}

bool Runtime::CallTest(std::string_view name, const Value& input, Arguments& arguments) {
  const TestEntry* test = FindTest(name);
  if (!test) Fail("no test named '{}'", name);
  ChargeTexts(input, arguments);
  return test->function(*this, input, arguments);
}

// Namespaces and functions.

std::optional<Value> NamespaceObject::Attribute(Runtime& runtime, std::string_view name) {
  const Value* found = attributes.Find(runtime, name);
  return found ? std::optional<Value>(*found) : std::nullopt;
}

std::string NamespaceObject::Repr(Runtime& runtime) {
  return "<Namespace " + jinja::Repr(runtime, MakeDict(runtime, std::make_shared<DictObject>(attributes))) + ">";
}

Value MakeFunction(std::string name, std::function<Value(Runtime&, Arguments&)> function) {
  auto object = std::make_shared<FunctionObject>();
  object->name = std::move(name);
  object->function = std::move(function);
  return Value::Wrap(Type::kObject, std::move(object));
}

// Binding.

KeywordIndex::KeywordIndex(const Arguments& arguments) : arguments_(arguments) {
  if (arguments.keywords.size() <= kIndexFrom) return;
  for (size_t i = 0; i < arguments.keywords.size(); ++i) index_.emplace(arguments.keywords[i].first, i);
}

std::optional<size_t> KeywordIndex::Find(std::string_view name) const {
  const auto& keywords = arguments_.keywords;
  if (keywords.size() > kIndexFrom) {
    auto it = index_.find(name);
    return it == index_.end() ? std::nullopt : std::optional<size_t>(it->second);
  }
  for (size_t i = 0; i < keywords.size(); ++i)
    if (keywords[i].first == name) return i;
  return std::nullopt;
}

Bound::Bound(Runtime& runtime, Arguments& arguments, std::string_view function, std::string_view names, size_t required)
    : runtime_(runtime), function_(function) {
  std::vector<std::string> parameters;
  size_t positional_only = 0;
  for (std::string& name : Split(names, ' ')) {
    if (name == "/")
      positional_only = parameters.size();
    else if (!name.empty())
      parameters.push_back(std::move(name));
  }
  size_t count = parameters.size();
  if (arguments.positional.size() > count)
    runtime.Fail("{}() takes at most {} argument(s) ({} given)", function, count, arguments.positional.size());
  values_.resize(count);
  given_.resize(count, false);
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    values_[i] = arguments.positional[i];
    given_[i] = true;
  }
  for (const auto& [name, value] : arguments.keywords) {
    auto it = std::find(parameters.begin() + static_cast<ptrdiff_t>(positional_only), parameters.end(), name);
    if (it == parameters.end()) runtime.Fail("{}() got an unexpected keyword argument '{}'", function, name);
    auto i = static_cast<size_t>(it - parameters.begin());
    if (given_[i]) runtime.Fail("{}() got multiple values for argument '{}'", function, name);
    values_[i] = value;
    given_[i] = true;
  }
  for (size_t i = 0; i < required; ++i)
    if (!given_[i]) runtime.Fail("{}() missing required argument '{}'", function, parameters[i]);
}

bool Bound::Flag(size_t i, bool fallback) const {
  return given_[i] ? Truth(runtime_, values_[i]) : fallback;
}

int64_t Bound::Int(size_t i, int64_t fallback) const {
  if (!given_[i]) return fallback;
  if (!values_[i].IsIntegral())
    runtime_.Fail("{}(): '{}' object cannot be interpreted as an integer", function_, TypeName(values_[i]));
  return values_[i].AsInt();
}

const std::string& Bound::Text(size_t i) const {
  if (!values_[i].IsString()) runtime_.Fail("{}(): expected a string, found '{}'", function_, TypeName(values_[i]));
  return values_[i].text();
}

}  // namespace assay::jinja
