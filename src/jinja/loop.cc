#include "jinja/loop.h"

namespace assay::jinja {

bool LoopObject::Next(Value& item) {
  if (!ahead_.empty()) {
    item = std::move(ahead_.front());
    ahead_.pop_front();
  } else if (!source || !source(item)) {
    return false;
  }
  ++index0;
  before_ = std::move(current_);
  current_ = item;
  return true;
}

const Value* LoopObject::PeekNext() {
  if (ahead_.empty()) {
    Value item;
    if (!source || !source(item)) return nullptr;
    ahead_.push_back(std::move(item));
  }
  return &ahead_.front();
}

int64_t LoopObject::Count() {
  if (!length) {
    Value item;
    while (source && source(item)) ahead_.push_back(std::move(item));
    length = static_cast<int64_t>(ahead_.size()) + index0 + 1;
  }
  return *length;
}

void LoopObject::Clear() {
  source = nullptr;
  scope = nullptr;
  ahead_.clear();
  before_ = current_ = Value();
  changed_.reset();
}

Value LoopObject::Call(Runtime& runtime, Arguments& arguments) {
  Bound bound(runtime, arguments, "loop", "iterable", 1);
  if (!stmt->recursive) runtime.Fail("the loop must have the 'recursive' marker to be called");
  return runtime.RecurseLoop(*this, bound[0]);
}

std::optional<Value> LoopObject::Attribute(Runtime&, std::string_view name) {
  if (name == "index") return Value::Int(index0 + 1);
  if (name == "index0") return Value::Int(index0);
  if (name == "first") return Value::Bool(index0 == 0);
  if (name == "last") return Value::Bool(PeekNext() == nullptr);
  if (name == "length") return Value::Int(Count());
  if (name == "revindex") return Value::Int(Count() - index0);
  if (name == "revindex0") return Value::Int(Count() - index0 - 1);
  if (name == "depth") return Value::Int(depth0 + 1);
  if (name == "depth0") return Value::Int(depth0);
  if (name == "previtem") return index0 == 0 ? Value::Undefined("there is no previous item") : before_;
  if (name == "nextitem") {
    const Value* next = PeekNext();
    return next ? *next : Value::Undefined("there is no next item");
  }
  if (name == "cycle")
    return MakeFunction("cycle", [at = index0](Runtime& inner, Arguments& arguments) {
      if (arguments.positional.empty()) inner.Fail("no items for cycling given");
      return arguments.positional[static_cast<size_t>(at) % arguments.positional.size()];
    });
  if (name == "changed") {
    return MakeFunction("changed", [self = shared_from_this()](Runtime& inner, Arguments& arguments) {
      bool same = self->changed_ && self->changed_->size() == arguments.positional.size();
      for (size_t i = 0; same && i < arguments.positional.size(); ++i)
        same = Equal(inner, (*self->changed_)[i], arguments.positional[i]);
      if (!same) self->changed_ = arguments.positional;
      return Value::Bool(!same);
    });
  }
  return std::nullopt;
}

}  // namespace assay::jinja
