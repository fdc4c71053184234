#include "jinja/parser.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <unordered_set>

#include "base/error.h"
#include "jinja/lexer.h"
#include "jinja/runtime.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

constexpr int kMaxNesting = 120;    // brackets and blocks inside one another: recursion of the parser
constexpr int kMaxTreeDepth = 800;  // also chains such as a + b + c ...: recursion of the evaluation and of destructors
constexpr size_t kMaxTokens = 2'000'000;

using Words = std::initializer_list<std::string_view>;

Value IntegerOf(const Token& token) {
  return token.beyond.empty() ? Value::Int(token.integer) : Value::Integer(token.beyond);
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, std::string_view where) : tokens_(std::move(tokens)), where_(where) {
    if (tokens_.size() > kMaxTokens) Fail(ErrorKind::kUnsupported, "{}: more than {} tokens", where_, kMaxTokens);
  }

  std::unique_ptr<Ast> Run() {
    ast_ = std::make_unique<Ast>();
    Statements(ast_->body, {}, "template");
    if (!unknown_.empty()) Bad(unknown_[0].first, unknown_[0].second);
    return std::move(ast_);
  }

 private:
  class Nest {
   public:
    explicit Nest(Parser& parser) : parser_(parser) {
      if (++parser_.nesting_ > kMaxNesting) parser_.Bad(ErrorKind::kUnsupported, "nested too deeply");
    }
    ~Nest() { --parser_.nesting_; }

   private:
    Parser& parser_;
  };

  // What a piece of the template may do; restored at its end.
  struct Context {
    int loops = 0;      // break and continue are allowed inside
    bool soft = false;  // inside an `if`, where an unknown filter is an error only when reached
    bool in_for = false;
  };

  // Tokens.
  const Token& Current() const { return tokens_[at_]; }
  const Token& Peek() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& Take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool IsOp(std::string_view op) const { return Current().kind == TokenKind::kOperator && Current().text == op; }
  bool IsWord(std::string_view word) const { return Current().kind == TokenKind::kName && Current().text == word; }
  bool AnyWord(Words words) const {
    return Current().kind == TokenKind::kName && std::find(words.begin(), words.end(), Current().text) != words.end();
  }
  bool SkipOp(std::string_view op) { return IsOp(op) && (Take(), true); }
  bool SkipWord(std::string_view word) { return IsWord(word) && (Take(), true); }
  [[noreturn]] void Bad(ErrorKind kind, const std::string& reason, int line = 0) const {
    Fail(kind, "{}:{}: {}", where_, line ? line : Current().line, reason);
  }
  [[noreturn]] void Bad(const std::string& reason, int line = 0) const { Bad(ErrorKind::kCorrupt, reason, line); }

  std::string Describe() const {
    static constexpr const char* kKinds[] = {"text", "'{{'", "'}}'", "'{%'", "'%}'"};  // in TokenKind's order
    if (Current().kind == TokenKind::kEnd) return "end of template";
    if (Current().kind == TokenKind::kString) return "string " + ReprText(Current().text.substr(0, 40));
    if (Current().kind <= TokenKind::kBlockEnd) return kKinds[static_cast<size_t>(Current().kind)];
    return "'" + Current().text + "'";
  }
  void ExpectOp(std::string_view op) {
    if (!SkipOp(op)) Bad(fmt::format("expected '{}', found {}", op, Describe()));
  }
  void ExpectKind(TokenKind kind, std::string_view what) {
    if (Current().kind != kind) Bad(fmt::format("expected {}, found {}", what, Describe()));
    Take();
  }
  std::string ExpectName(std::string_view what = "a name") {
    if (Current().kind != TokenKind::kName) Bad(fmt::format("expected {}, found {}", what, Describe()));
    return Take().text;
  }
  void BlockEnd() { ExpectKind(TokenKind::kBlockEnd, "'%}'"); }

  // Statements.

  // Until one of the end words, which stays current; or the end of the template when there are none.
  void Statements(Body& body, Words ends, std::string_view inside) {
    Nest nest(*this);
    int opened = Current().line;
    while (true) {
      const Token& token = Current();
      if (token.kind == TokenKind::kEnd) {
        if (ends.size())
          Bad(fmt::format("the {} of line {} does not end: expected {}", inside, opened, *(ends.end() - 1)));
        return;
      }
      if (token.kind == TokenKind::kText) {
        auto stmt = NewStmt(StmtKind::kText, token.line);
        stmt->text = Take().text;
        body.push_back(std::move(stmt));
      } else if (token.kind == TokenKind::kVariableBegin) {
        auto stmt = NewStmt(StmtKind::kOutput, Take().line);
        stmt->expr = TupleOrExpression();
        ExpectKind(TokenKind::kVariableEnd, "'}}'");
        body.push_back(std::move(stmt));
      } else {
        Take();  // block begin
        if (AnyWord(ends)) return;
        Statement(body);
        BlockEnd();
      }
    }
  }

  // `... %} body {% end`: the end word is taken and returned.
  std::string BodyUntil(Body& body, Words ends, std::string_view inside) {
    SkipOp(":");
    BlockEnd();
    Statements(body, ends, inside);
    return Take().text;
  }

  static std::unique_ptr<Stmt> NewStmt(StmtKind kind, int line) {
    auto stmt = std::make_unique<Stmt>();
    stmt->kind = kind;
    stmt->line = line;
    return stmt;
  }

  void Statement(Body& body) {
    using Method = std::unique_ptr<Stmt> (Parser::*)(int);
    static constexpr std::pair<std::string_view, Method> kStatements[] = {
        {"for", &Parser::For},        {"if", &Parser::If},
        {"set", &Parser::Set},        {"macro", &Parser::MacroStmt},
        {"call", &Parser::CallBlock}, {"filter", &Parser::FilterBlock},
        {"with", &Parser::With},      {"break", &Parser::Jump},
        {"continue", &Parser::Jump},  {"generation", &Parser::Generation}};
    int line = Current().line;
    if (Current().kind != TokenKind::kName) Bad("expected a statement, found " + Describe());
    if (IsWord("print")) return Print(body);
    for (const auto& [word, method] : kStatements)
      if (IsWord(word)) {
        body.push_back((this->*method)(line));
        return;
      }
    if (AnyWord({"block", "extends", "include", "import", "from", "autoescape"}))
      Bad(ErrorKind::kUnsupported, "statement '" + Current().text + "'");
    Bad("unknown statement '" + Current().text + "'");
  }

  void Print(Body& body) {
    int line = Take().line;
    bool first = true;
    while (Current().kind != TokenKind::kBlockEnd) {
      if (!first) ExpectOp(",");
      first = false;
      auto stmt = NewStmt(StmtKind::kOutput, line);
      stmt->expr = Expression();
      body.push_back(std::move(stmt));
    }
  }

  std::unique_ptr<Stmt> Set(int line) {
    Take();
    auto stmt = NewStmt(StmtKind::kSet, line);
    stmt->targets.push_back(TargetList(true, ""));
    if (SkipOp("=")) {
      stmt->expr = TupleOrExpression();
      return stmt;
    }
    stmt->kind = StmtKind::kSetBlock;
    if (IsOp("|")) stmt->expr = Filters(nullptr, false);
    BodyUntil(stmt->body, {"endset"}, "set block");
    return stmt;
  }

  std::unique_ptr<Stmt> If(int line) {
    auto stmt = NewStmt(StmtKind::kIf, line);
    Context saved = context_;
    context_.soft = true;
    std::string word;
    do {
      Take();  // if, elif
      auto condition = TupleOrExpression(false);
      stmt->branches.emplace_back(std::move(condition), Body());
      SkipOp(":");
      BlockEnd();
      Statements(stmt->branches.back().second, {"elif", "else", "endif"}, "if");
    } while (IsWord("elif"));
    if (Take().text == "else") BodyUntil(stmt->else_body, {"endif"}, "else");
    context_ = saved;
    return stmt;
  }

  std::unique_ptr<Stmt> For(int line) {
    Take();
    auto stmt = NewStmt(StmtKind::kFor, line);
    Context saved = context_;
    context_.in_for = true;
    stmt->targets.push_back(TargetList(false, "in"));
    if (!SkipWord("in")) Bad("expected 'in', found " + Describe());
    stmt->expr = TupleOrExpression(false, "recursive");
    context_.soft = false;
    if (SkipWord("if")) stmt->test = Expression();
    stmt->recursive = SkipWord("recursive");
    ++context_.loops;
    fors_.push_back(stmt.get());
    std::string end = BodyUntil(stmt->body, {"else", "endfor"}, "for");
    fors_.pop_back();
    --context_.loops;
    if (end == "else") BodyUntil(stmt->else_body, {"endfor"}, "for");
    context_ = saved;
    return stmt;
  }

  std::unique_ptr<Stmt> Jump(int line) {
    auto stmt = NewStmt(IsWord("break") ? StmtKind::kBreak : StmtKind::kContinue, line);
    if (context_.loops == 0) Bad("'" + Current().text + "' outside a loop");
    Take();
    return stmt;
  }

  std::unique_ptr<Stmt> With(int line) {
    Take();
    auto stmt = NewStmt(StmtKind::kWith, line);
    while (Current().kind != TokenKind::kBlockEnd) {
      if (!stmt->targets.empty()) ExpectOp(",");
      stmt->targets.push_back(TargetList(false, ""));
      ExpectOp("=");
      stmt->values.push_back(Expression());
    }
    Context saved = context_;
    context_.soft = false;
    BodyUntil(stmt->body, {"endwith"}, "with");
    context_ = saved;
    return stmt;
  }

  std::unique_ptr<Stmt> FilterBlock(int line) {
    Take();
    auto stmt = NewStmt(StmtKind::kFilterBlock, line);
    Context saved = context_;
    context_.soft = false;
    stmt->expr = Filters(nullptr, true);
    BodyUntil(stmt->body, {"endfilter"}, "filter block");
    context_ = saved;
    return stmt;
  }

  std::unique_ptr<Stmt> Generation(int line) {
    Take();
    auto stmt = NewStmt(StmtKind::kScope, line);
    Context saved = context_;
    context_ = {0, false, saved.in_for};
    BodyUntil(stmt->body, {"endgeneration"}, "generation block");
    context_ = saved;
    return stmt;
  }

  void Signature(Macro& macro) {
    ExpectOp("(");
    std::unordered_set<std::string> names;
    while (!IsOp(")")) {
      if (!macro.parameters.empty()) ExpectOp(",");
      int line = Current().line;
      std::string name = AssignableName(true);
      if (SkipOp("="))
        macro.defaults.push_back(Expression());
      else if (!macro.defaults.empty())
        Bad("parameter without a default after one with", line);
      if (!names.insert(name).second) Bad("parameter '" + name + "' twice", line);
      macro.parameter_ids.push_back(ast_->Id(name));
      macro.parameters.push_back(std::move(name));
    }
    Take();
  }

  void MacroBody(Macro& macro, std::string_view end, std::string_view inside) {
    Context saved = context_;
    context_ = {0, false, saved.in_for};
    macros_.push_back(&macro);
    int line = Current().line;
    BodyUntil(macro.body, {end}, inside);
    macros_.pop_back();
    context_ = saved;
    auto caller = std::find(macro.parameters.begin(), macro.parameters.end(), "caller");
    if (macro.reads_caller && caller != macro.parameters.end() &&
        static_cast<size_t>(macro.parameters.end() - caller) > macro.defaults.size())
      Bad("parameter 'caller' needs a default", line);
  }

  std::unique_ptr<Stmt> MacroStmt(int line) {
    Take();
    auto stmt = NewStmt(StmtKind::kMacro, line);
    stmt->macro = std::make_unique<Macro>();
    stmt->macro->name = AssignableName(true);
    Target target;
    target.name_id = ast_->Id(stmt->macro->name);
    stmt->targets.push_back(std::move(target));
    Signature(*stmt->macro);
    MacroBody(*stmt->macro, "endmacro", "macro");
    return stmt;
  }

  std::unique_ptr<Stmt> CallBlock(int line) {
    Take();
    auto stmt = NewStmt(StmtKind::kCallBlock, line);
    stmt->macro = std::make_unique<Macro>();
    stmt->macro->name = "caller";
    if (IsOp("(")) Signature(*stmt->macro);
    stmt->expr = Expression();
    if (stmt->expr->kind != ExprKind::kCall) Bad("expected a call", line);
    MacroBody(*stmt->macro, "endcall", "call block");
    return stmt;
  }

  // Targets of assignments.

  std::string AssignableName(bool may_be_loop = false) {
    int line = Current().line;
    std::string name = ExpectName();
    if (name == "true" || name == "false" || name == "none" || name == "True" || name == "False" || name == "None")
      Bad("cannot assign to '" + name + "'", line);
    if (name == "loop" && context_.in_for && !may_be_loop) Bad("cannot assign to 'loop' inside a for", line);
    return name;
  }

  Target OneTarget(bool attributes) {
    Target target;
    if (SkipOp("(")) {
      Nest nest(*this);
      target = TargetList(attributes, "");
      ExpectOp(")");
      return target;
    }
    target.name_id = ast_->Id(AssignableName());
    if (attributes && SkipOp(".")) {
      ast_->read[static_cast<size_t>(target.name_id)] = true;
      target.kind = Target::Kind::kAttribute;
      target.attribute = ExpectName();
    }
    return target;
  }

  Target TargetList(bool attributes, std::string_view end_word) {
    Target first = OneTarget(attributes);
    if (!IsOp(",")) return first;
    Target tuple;
    tuple.kind = Target::Kind::kTuple;
    tuple.items.push_back(std::move(first));
    while (SkipOp(",")) {
      if (IsTupleEnd(end_word)) break;
      tuple.items.push_back(OneTarget(attributes));
    }
    return tuple;
  }

  // Expressions, loosest first.

  ExprPtr NewExpr(ExprKind kind, int line) {
    auto expr = std::make_unique<Expr>();
    expr->kind = kind;
    expr->line = line;
    return expr;
  }

  void Add(Expr& parent, ExprPtr child) {
    if (child) Deepen(parent, *child);
    parent.args.push_back(std::move(child));
  }

  void Deepen(Expr& parent, const Expr& child) {
    parent.depth = std::max(parent.depth, child.depth + 1);
    if (parent.depth > kMaxTreeDepth) Bad(ErrorKind::kUnsupported, "expression too long", parent.line);
  }

  ExprPtr MakeBinary(ExprKind kind, ExprPtr left, ExprPtr right, int line) {
    auto expr = NewExpr(kind, line);
    Add(*expr, std::move(left));
    Add(*expr, std::move(right));
    return expr;
  }

  bool IsTupleEnd(std::string_view end_word) const {
    auto kind = Current().kind;
    return kind == TokenKind::kVariableEnd || kind == TokenKind::kBlockEnd || IsOp(")") ||
           (!end_word.empty() && IsWord(end_word));
  }

  ExprPtr TupleOrExpression(bool conditional = true, std::string_view end_word = "", bool may_be_empty = false) {
    int line = Current().line;
    std::vector<ExprPtr> items;
    bool is_tuple = false;
    while (true) {
      if (!items.empty()) ExpectOp(",");
      if (IsTupleEnd(end_word)) break;
      items.push_back(conditional ? Expression() : Or());
      if (!IsOp(",")) break;
      is_tuple = true;
    }
    if (!is_tuple && !items.empty()) return std::move(items[0]);
    if (!is_tuple && !may_be_empty) Bad("expected an expression, found " + Describe());
    auto tuple = NewExpr(ExprKind::kTuple, line);
    for (auto& item : items) Add(*tuple, std::move(item));
    return tuple;
  }

  ExprPtr Expression() {
    Nest nest(*this);
    int line = Current().line;
    bool saved = context_.soft;
    // Both sides of an inline `if` may name unknown filters, but that it is one shows only after the first side.
    size_t unknown_before = unknown_.size();
    auto expr = Or();
    while (SkipWord("if")) {
      unknown_.resize(unknown_before);
      context_.soft = true;
      auto condition = Or();
      ExprPtr otherwise;
      if (SkipWord("else")) otherwise = Expression();
      auto cond = NewExpr(ExprKind::kCond, line);
      Add(*cond, std::move(condition));
      Add(*cond, std::move(expr));
      Add(*cond, std::move(otherwise));
      expr = std::move(cond);
      context_.soft = saved;
      line = Current().line;
    }
    return expr;
  }

  ExprPtr Or() {
    int line = Current().line;
    auto left = And();
    while (SkipWord("or")) left = MakeBinary(ExprKind::kOr, std::move(left), And(), line);
    return left;
  }

  ExprPtr And() {
    int line = Current().line;
    auto left = Not();
    while (SkipWord("and")) left = MakeBinary(ExprKind::kAnd, std::move(left), Not(), line);
    return left;
  }

  ExprPtr Not() {
    if (!IsWord("not")) return Comparison();
    Nest nest(*this);
    auto expr = NewExpr(ExprKind::kNot, Take().line);
    Add(*expr, Not());
    return expr;
  }

  ExprPtr Comparison() {
    static constexpr std::pair<std::string_view, Op> kOps[] = {{"==", Op::kEq}, {"!=", Op::kNe}, {"<", Op::kLt},
                                                               {"<=", Op::kLe}, {">", Op::kGt},  {">=", Op::kGe}};
    auto first = Sum();
    ExprPtr compare;
    while (true) {
      Op op = Op::kAdd;
      if (Current().kind == TokenKind::kOperator) {
        for (const auto& [text, value] : kOps)
          if (Current().text == text) op = value;
        if (op == Op::kAdd) break;
        Take();
      } else if (SkipWord("in")) {
        op = Op::kIn;
      } else if (IsWord("not") && Peek().kind == TokenKind::kName && Peek().text == "in") {
        Take();
        Take();
        op = Op::kNotIn;
      } else {
        break;
      }
      if (!compare) {
        compare = NewExpr(ExprKind::kCompare, first->line);
        Add(*compare, std::move(first));
      }
      compare->ops.push_back(op);
      Add(*compare, Sum());
    }
    return compare ? std::move(compare) : std::move(first);
  }

  ExprPtr Arithmetic(std::initializer_list<std::pair<std::string_view, Op>> ops, ExprPtr (Parser::*operand)()) {
    auto left = (this->*operand)();
    while (Current().kind == TokenKind::kOperator) {
      auto it = std::find_if(ops.begin(), ops.end(), [&](const auto& op) { return op.first == Current().text; });
      if (it == ops.end()) break;
      int line = Take().line;
      left = MakeBinary(ExprKind::kBinary, std::move(left), (this->*operand)(), line);
      left->op = it->second;
    }
    return left;
  }

  ExprPtr Sum() { return Arithmetic({{"+", Op::kAdd}, {"-", Op::kSub}}, &Parser::Concat); }

  ExprPtr Concat() {
    auto first = Product();
    if (!IsOp("~")) return first;
    auto concat = NewExpr(ExprKind::kConcat, first->line);
    Add(*concat, std::move(first));
    while (SkipOp("~")) Add(*concat, Product());
    return concat;
  }

  ExprPtr Product() {
    return Arithmetic({{"*", Op::kMul}, {"/", Op::kDiv}, {"//", Op::kFloorDiv}, {"%", Op::kMod}}, &Parser::Power);
  }
  ExprPtr Power() {  // left-associative in Jinja, unlike Python
    return Arithmetic({{"**", Op::kPow}}, &Parser::UnaryWithFilters);
  }
  ExprPtr UnaryWithFilters() { return Unary(true); }

  ExprPtr Unary(bool filters) {
    ExprPtr expr;
    if (IsOp("-") || IsOp("+")) {
      Nest nest(*this);
      expr = NewExpr(IsOp("-") ? ExprKind::kNegative : ExprKind::kPositive, Current().line);
      Take();
      Add(*expr, Unary(false));
    } else {
      expr = Primary();
    }
    expr = Postfix(std::move(expr));
    if (!filters) return expr;
    while (true) {
      if (IsOp("|"))
        expr = Filters(std::move(expr), false);
      else if (IsWord("is"))
        expr = Test(std::move(expr));
      else if (IsOp("("))
        expr = Call(std::move(expr));
      else
        return expr;
    }
  }

  ExprPtr Constant(Value value, int line) {
    auto expr = NewExpr(ExprKind::kConst, line);
    expr->value = std::move(value);
    return expr;
  }

  ExprPtr NameExpr() {
    const Token& token = Take();
    if (token.text == "true" || token.text == "True") return Constant(Value::Bool(true), token.line);
    if (token.text == "false" || token.text == "False") return Constant(Value::Bool(false), token.line);
    if (token.text == "none" || token.text == "None") return Constant(Value::None(), token.line);
    auto expr = NewExpr(ExprKind::kName, token.line);
    expr->name = token.text;
    expr->name_id = ast_->Id(token.text);
    ast_->read[static_cast<size_t>(expr->name_id)] = true;
    if (token.text == "loop")
      for (Stmt* stmt : fors_) stmt->reads_loop = true;
    for (Macro* macro : macros_) {
      if (token.text == "caller") macro->reads_caller = true;
      if (token.text == "kwargs") macro->reads_kwargs = true;
      if (token.text == "varargs") macro->reads_varargs = true;
    }
    return expr;
  }

  ExprPtr Primary() {
    const Token& token = Current();
    switch (token.kind) {
      case TokenKind::kName:
        return NameExpr();
      case TokenKind::kString: {
        std::string text;
        while (Current().kind == TokenKind::kString) text += Take().text;
        return Constant(Value::String(std::move(text)), token.line);
      }
      case TokenKind::kInteger:
        Take();
        return Constant(IntegerOf(token), token.line);
      case TokenKind::kFloat:
        Take();
        return Constant(Value::Float(token.number), token.line);
      default:
        break;
    }
    Nest nest(*this);
    if (SkipOp("(")) {
      auto expr = TupleOrExpression(true, "", true);
      ExpectOp(")");
      return expr;
    }
    if (IsOp("[")) return ListOrDict(ExprKind::kList, "]");
    if (IsOp("{")) return ListOrDict(ExprKind::kDict, "}");
    Bad("unexpected " + Describe());
  }

  ExprPtr ListOrDict(ExprKind kind, std::string_view close) {
    auto expr = NewExpr(kind, Take().line);
    while (!IsOp(close)) {
      if (!expr->args.empty()) {
        ExpectOp(",");
        if (IsOp(close)) break;
      }
      Add(*expr, Expression());
      if (kind == ExprKind::kList) continue;
      ExpectOp(":");
      Add(*expr, Expression());
    }
    Take();
    return expr;
  }

  ExprPtr Postfix(ExprPtr expr) {
    while (true) {
      if (IsOp("."))
        expr = Dot(std::move(expr));
      else if (IsOp("["))
        expr = Subscript(std::move(expr));
      else if (IsOp("("))
        expr = Call(std::move(expr));
      else
        return expr;
    }
  }

  ExprPtr Dot(ExprPtr object) {
    int line = Take().line;
    if (Current().kind == TokenKind::kInteger) {
      auto key = Constant(IntegerOf(Current()), line);
      Take();
      return MakeBinary(ExprKind::kItem, std::move(object), std::move(key), line);
    }
    auto expr = NewExpr(ExprKind::kAttribute, line);
    expr->name = ExpectName("a name or number");
    Add(*expr, std::move(object));
    return expr;
  }

  ExprPtr Subscript(ExprPtr object) {
    Nest nest(*this);
    int line = Take().line;
    std::vector<ExprPtr> keys;
    ExprPtr slice;
    while (!IsOp("]")) {
      if (!keys.empty() || slice) ExpectOp(",");
      if (slice) Bad(ErrorKind::kUnsupported, "a slice among several subscripts");
      ExprPtr start, stop, step;
      if (!IsOp(":")) start = Expression();
      if (!SkipOp(":")) {
        keys.push_back(std::move(start));
        continue;
      }
      if (!keys.empty()) Bad(ErrorKind::kUnsupported, "a slice among several subscripts");
      auto ends = [&] { return IsOp("]") || IsOp(","); };
      if (!IsOp(":") && !ends()) stop = Expression();
      if (SkipOp(":") && !ends()) step = Expression();
      slice = NewExpr(ExprKind::kSlice, line);
      Add(*slice, std::move(object));
      Add(*slice, std::move(start));
      Add(*slice, std::move(stop));
      Add(*slice, std::move(step));
    }
    Take();
    if (slice) return slice;
    if (keys.size() == 1) return MakeBinary(ExprKind::kItem, std::move(object), std::move(keys[0]), line);
    auto tuple = NewExpr(ExprKind::kTuple, line);
    for (auto& key : keys) Add(*tuple, std::move(key));
    return MakeBinary(ExprKind::kItem, std::move(object), std::move(tuple), line);
  }

  void CallArguments(Expr& call) {
    Nest nest(*this);
    int line = Current().line;
    ExpectOp("(");
    std::unordered_set<std::string> keywords;
    bool first = true;
    while (!IsOp(")")) {
      if (!first) {
        ExpectOp(",");
        if (IsOp(")")) break;
      }
      first = false;
      if (IsOp("*")) {
        if (call.star || call.star_star) Bad("wrong arguments", line);
        Take();
        call.star = Expression();
        Deepen(call, *call.star);
      } else if (IsOp("**")) {
        if (call.star_star) Bad("wrong arguments", line);
        Take();
        call.star_star = Expression();
        Deepen(call, *call.star_star);
      } else if (Current().kind == TokenKind::kName && Peek().kind == TokenKind::kOperator && Peek().text == "=") {
        if (call.star_star) Bad("wrong arguments", line);
        std::string name = Take().text;
        Take();
        if (!keywords.insert(name).second) Bad("argument '" + name + "' twice", line);
        auto value = Expression();
        Deepen(call, *value);
        call.keywords.push_back({std::move(name), std::move(value)});
      } else {
        if (call.star || call.star_star || !call.keywords.empty()) Bad("positional argument after others", line);
        Add(call, Expression());
      }
    }
    Take();
  }

  ExprPtr Call(ExprPtr callee) {
    auto call = NewExpr(ExprKind::kCall, Current().line);
    Add(*call, std::move(callee));
    CallArguments(*call);
    return call;
  }

  std::string DottedName() {
    std::string name = ExpectName();
    while (SkipOp(".")) name += "." + ExpectName();
    return name;
  }

  // One or more filters; `bare`: the first without its bar. `input` is null in filter blocks.
  ExprPtr Filters(ExprPtr input, bool bare) {
    bool more = bare;
    while (more || IsOp("|")) {
      if (!more) Take();
      more = false;
      auto filter = NewExpr(ExprKind::kFilter, Current().line);
      filter->name = DottedName();
      filter->filter = FindFilter(filter->name);
      if (!filter->filter) Unknown("filter", *filter);
      Add(*filter, std::move(input));
      if (IsOp("(")) CallArguments(*filter);
      input = std::move(filter);
    }
    return input;
  }

  ExprPtr Test(ExprPtr input) {
    int line = Take().line;
    bool negated = SkipWord("not");
    auto test = NewExpr(ExprKind::kTest, line);
    test->name = DottedName();
    test->test = FindTest(test->name);
    if (!test->test) Unknown("test", *test);
    Add(*test, std::move(input));
    auto kind = Current().kind;
    if (IsOp("(")) {
      CallArguments(*test);
    } else if ((kind == TokenKind::kName || kind == TokenKind::kString || kind == TokenKind::kInteger ||
                kind == TokenKind::kFloat || IsOp("[") || IsOp("{")) &&
               !AnyWord({"else", "or", "and"})) {
      if (IsWord("is")) Bad("tests cannot be chained with 'is'");
      Add(*test, Postfix(Primary()));
    }
    if (!negated) return test;
    auto expr = NewExpr(ExprKind::kNot, line);
    Add(*expr, std::move(test));
    return expr;
  }

  void Unknown(std::string_view what, const Expr& expr) {
    if (IsLeftOut(expr.name)) Bad(ErrorKind::kUnsupported, fmt::format("{} '{}'", what, expr.name), expr.line);
    if (!context_.soft) unknown_.push_back({fmt::format("no {} named '{}'", what, expr.name), expr.line});
  }

  std::vector<Token> tokens_;
  std::string_view where_;
  size_t at_ = 0;
  int nesting_ = 0;
  Context context_;
  std::unique_ptr<Ast> ast_;
  std::vector<Macro*> macros_;  // whose bodies enclose the current token
  std::vector<Stmt*> fors_;
  std::vector<std::pair<std::string, int>> unknown_;
};

}  // namespace

std::unique_ptr<Ast> ParseTemplate(std::string_view source, std::string_view where) {
  return Parser(Tokenize(source, where), where).Run();
}

}  // namespace assay::jinja
