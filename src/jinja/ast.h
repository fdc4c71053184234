#pragma once
// A parsed template.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "jinja/value.h"

namespace assay::jinja {

struct FilterEntry;
struct TestEntry;

enum class ExprKind {
  kConst,
  kName,
  kTuple,
  kList,
  kDict,  // args: key, value, key, value ...
  kCond,  // args: condition, then, else (may be null)
  kOr,
  kAnd,
  kNot,
  kNegative,
  kPositive,
  kBinary,
  kConcat,
  kCompare,  // args: first, then one per operator
  kAttribute,
  kItem,
  kSlice,   // args: object, start, stop, step (each of the last three may be null)
  kCall,    // args: callee, arguments ...
  kFilter,  // args: value (null in a filter block), arguments ...
  kTest,
};

enum class Op { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow, kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Keyword {
  std::string name;
  ExprPtr value;
};

struct Expr {
  ExprKind kind = ExprKind::kConst;
  int line = 0;
  int depth = 1;
  Op op = Op::kAdd;
  int name_id = -1;  // kName
  std::string name;  // attribute, filter or test
  Value value;       // kConst
  std::vector<Op> ops;
  std::vector<ExprPtr> args;
  std::vector<Keyword> keywords;
  ExprPtr star, star_star;
  const FilterEntry* filter = nullptr;  // null when the name is unknown: an error only if it is reached
  const TestEntry* test = nullptr;
};

struct Target {
  enum class Kind { kName, kAttribute, kTuple } kind = Kind::kName;
  int name_id = -1;
  std::string attribute;
  std::vector<Target> items;
};

enum class StmtKind {
  kText,
  kOutput,
  kSet,
  kSetBlock,
  kIf,
  kFor,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kScope,
  kBreak,
  kContinue
};

struct Stmt;
using Body = std::vector<std::unique_ptr<Stmt>>;

struct Macro {
  std::string name;  // "caller" for a call block's body
  std::vector<std::string> parameters;
  std::vector<int> parameter_ids;
  std::vector<ExprPtr> defaults;  // of the last parameters
  bool reads_caller = false, reads_kwargs = false, reads_varargs = false;
  Body body;
};

struct Stmt {
  StmtKind kind = StmtKind::kText;
  int line = 0;
  std::string text;  // kText
  ExprPtr expr;      // output, value, condition, iterable, call, filter
  ExprPtr test;      // kFor: the `if` of the head
  std::vector<Target> targets;
  std::vector<ExprPtr> values;                     // kWith
  bool recursive = false;                          // kFor
  bool reads_loop = false;                         // kFor: the body mentions `loop`
  std::vector<std::pair<ExprPtr, Body>> branches;  // kIf: if and elif
  Body body, else_body;
  std::unique_ptr<Macro> macro;
};

struct Ast {
  Body body;
  std::vector<std::string> names;  // by id
  std::unordered_map<std::string, int> ids;
  std::vector<bool> read;  // by id: some expression loads it
  int Id(const std::string& name) {
    auto [it, added] = ids.emplace(name, static_cast<int>(names.size()));
    if (added) {
      names.push_back(name);
      read.push_back(false);
    }
    return it->second;
  }
};

}  // namespace assay::jinja
