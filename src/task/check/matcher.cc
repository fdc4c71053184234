#include "task/check/matcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json_number.h"
#include "base/strings.h"
#include "schema/work.h"
#include "task/check/check.h"
#include "task/check/matching.h"
#include "task/check/pattern.h"
#include "task/check/tolerance.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 10> kComparators = {"$exact", "$casefold", "$contains", "$number", "$regex",
                                                           "$set",   "$any_of",   "$optional", "$type",   "$fields"};
constexpr std::array<std::string_view, 7> kTypes = {"string", "number", "integer", "boolean",
                                                    "array",  "object", "null"};
constexpr size_t kMaxSet = 256;  // the pairs of a set are all compared

bool HasType(const Json& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "number") return IsNumber(value);
  if (type == "integer") return IsWholeNumber(value);
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return value.is_null();
}

// Same JSON type, all numbers being one type.
bool SameType(const Json& a, const Json& b) {
  return IsNumber(a) || IsNumber(b) ? IsNumber(a) && IsNumber(b) : a.type() == b.type();
}

// Where a comparison stands. Untold, only whether there is a mismatch is asked: alternatives and sets compare much.
struct Place {
  std::string path;
  bool told = true;
  Work* work = nullptr;

  Place Member(const std::string& key) const { return {!told || path.empty() ? key : path + "." + key, told, work}; }
  Place Element(size_t i) const { return {told ? fmt::format("{}[{}]", path, i) : "", told, work}; }
  Place Untold() const { return {"", false, work}; }
};

Mismatch Differ(Failure failure, const Place& at, const std::string& expected, const Json& found) {
  if (!at.told) return {failure, ""};
  return {failure,
          fmt::format("{}: expected {}, found {}", at.path.empty() ? "answer" : at.path, expected, QuoteJson(found))};
}

}  // namespace

enum class Kind {
  kExact,
  kFields,
  kList,
  kCasefold,
  kContains,
  kNumber,
  kRegex,
  kSet,
  kAnyOf,
  kOptional,
  kType,
  kIgnore
};

struct Matcher::Node {
  Kind kind = Kind::kExact;
  Json value;                                         // kExact
  std::string text;                                   // kCasefold, kContains: folded; kType: name; kRegex: source
  Decimal number;                                     // kNumber
  Tolerance tolerance;                                // kNumber
  std::optional<Pattern> pattern;                     // kRegex
  std::vector<std::shared_ptr<const Node>> children;  // kList, kSet, kAnyOf, kOptional; kFields: one per key
  std::vector<std::string> keys;
  bool allow_extra = false;
  bool optional() const {  // an absent member is accepted
    if (kind == Kind::kAnyOf)
      return std::any_of(children.begin(), children.end(), [](const auto& e) { return e->optional(); });
    return kind == Kind::kOptional || kind == Kind::kIgnore;
  }

  CheckOutcome Match(const Json& found, const Place& at) const;
  CheckOutcome MatchFields(const Json& found, const Place& at) const;
  CheckOutcome MatchList(const Json& found, const Place& at) const;
  CheckOutcome MatchSet(const Json& found, const Place& at) const;
  CheckOutcome MatchText(const Json& found, const Place& at) const;
  CheckOutcome MatchNumber(const Json& found, const Place& at) const;
  CheckOutcome MatchAnyOf(const Json& found, const Place& at) const;
  std::string Expected() const;
};

namespace {

using Node = Matcher::Node;
using NodePtr = std::shared_ptr<const Node>;

using Extra = Matcher::Extra;

NodePtr CompileNode(const Json& spec, Extra extra);

Extra Below(Extra extra) {
  return extra == Extra::kAccepted ? extra : Extra::kRefused;
}

// Compiles below `field`, which is put before the field of an error.
NodePtr CompileBelow(const Json& spec, Extra extra, const std::string& field) {
  try {
    return CompileNode(spec, extra);
  } catch (FieldError& error) {
    if (error.field.empty())
      error.field = field;
    else
      error.field = field + (error.field.starts_with("[") ? "" : ".") + error.field;
    throw;
  }
}

void CompileFields(Node& node, const Json& fields, Extra extra, const std::string& prefix) {
  node.kind = Kind::kFields;
  node.allow_extra = extra != Extra::kRefused;
  for (const auto& [key, value] : fields.items()) {
    node.keys.push_back(key);
    node.children.push_back(CompileBelow(value, Below(extra), prefix.empty() ? key : prefix + "." + key));
  }
}

void CompileItems(Node& node, Kind kind, const Json& items, Extra extra, const std::string& prefix) {
  node.kind = kind;
  if (!items.is_array())
    throw FieldError{prefix,
                     fmt::format("expected a list such as [{}], found {}", QuoteJson(items, 40), FoundText(items))};
  if (kind == Kind::kAnyOf && items.empty()) throw FieldError{prefix, "expected at least one alternative, found []"};
  if (kind == Kind::kSet && items.size() > kMaxSet)
    throw FieldError{
        prefix, fmt::format("expected at most {} elements of a set, found {}: a list in order has no limit", kMaxSet,
                            items.size())};
  for (size_t i = 0; i < items.size(); ++i)
    node.children.push_back(
        CompileBelow(items[i], kind == Kind::kAnyOf ? extra : Below(extra), fmt::format("{}[{}]", prefix, i)));
}

void CompileText(Node& node, Kind kind, const Json& spec, const std::string& key) {
  node.kind = kind;
  std::string text = SpecString(spec, key);
  node.text = kind == Kind::kRegex ? text : FoldCase(text);
  if (kind != Kind::kRegex) return;
  try {
    node.pattern.emplace(text, SpecBool(spec, "ignore_case", false), /*whole=*/true);
  } catch (FieldError& error) {
    throw FieldError{key, error.message};
  }
}

void CompileNumber(Node& node, const Json& spec) {
  node.kind = Kind::kNumber;
  node.number = SpecNumber(spec, "$number");
  node.tolerance = ReadTolerance(spec);
}

void CompileComparator(Node& node, const Json& spec, const std::string& name, Extra extra) {
  auto only = [&](std::initializer_list<std::string_view> options) {
    std::vector<std::string_view> members(options);
    members.push_back(name);
    RefuseUnknown(spec, members, "");
  };
  const Json& argument = spec[name];
  if (name == "$number") {
    only({"tolerance", "relative"});
    CompileNumber(node, spec);
  } else if (name == "$regex") {
    only({"ignore_case"});
    CompileText(node, Kind::kRegex, spec, name);
  } else if (name == "$fields") {
    only({"allow_extra"});
    if (!argument.is_object())
      throw FieldError{name, fmt::format("expected an object of members, found {}", FoundText(argument))};
    bool given = spec.contains("allow_extra") && !spec["allow_extra"].is_null();
    Extra own = SpecBool(spec, "allow_extra", false) ? Extra::kAccepted : Extra::kRefused;
    CompileFields(node, argument, given ? own : extra, name);
  } else {
    only({});
    if (name == "$exact") {
      node.value = argument;
    } else if (name == "$casefold" || name == "$contains") {
      CompileText(node, name == "$casefold" ? Kind::kCasefold : Kind::kContains, spec, name);
    } else if (name == "$set" || name == "$any_of") {
      CompileItems(node, name == "$set" ? Kind::kSet : Kind::kAnyOf, argument, extra, name);
    } else if (name == "$optional") {
      node.kind = Kind::kOptional;
      node.children.push_back(CompileBelow(argument, extra, name));
    } else if (name == "$type") {
      node.kind = Kind::kType;
      node.text = SpecString(spec, name);
      if (std::find(kTypes.begin(), kTypes.end(), node.text) == kTypes.end())
        throw FieldError{name, fmt::format("expected one of {}, found {}", fmt::join(kTypes, ", "), Quote(node.text))};
    } else {  // $ignore
      if (argument != Json(true))
        throw FieldError{name, fmt::format("expected {{\"$ignore\": true}}, found {}", FoundText(argument))};
      node.kind = Kind::kIgnore;
    }
  }
}

NodePtr CompileNode(const Json& spec, Extra extra) {
  auto node = std::make_shared<Node>();
  if (spec.is_array()) {
    CompileItems(*node, Kind::kList, spec, extra, "");
    return node;
  }
  if (!spec.is_object()) {
    node->value = spec;
    return node;
  }
  std::vector<std::string> known(kComparators.begin(), kComparators.end());
  known.emplace_back("$ignore");
  std::string name;
  for (const auto& [key, value] : spec.items()) {
    if (!key.starts_with("$")) continue;
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::string near = Nearest(key, known);
      throw FieldError{key, (near.empty() ? fmt::format("unknown comparator; there are {}", Join(known, ", "))
                                          : fmt::format("unknown comparator; did you mean \"{}\"?", near)) +
                                " (a literal member of that name goes into {\"$exact\": …})"};
    }
    if (!name.empty())
      throw FieldError{
          key, fmt::format("expected one comparator, found \"{}\" beside it: remove one, or give alternatives in "
                           "\"$any_of\"",
                           name)};
    name = key;
  }
  if (name.empty())
    CompileFields(*node, spec, extra, "");
  else
    CompileComparator(*node, spec, name, extra);
  return node;
}

}  // namespace

std::string Matcher::Node::Expected() const {
  switch (kind) {
    case Kind::kExact:
      return QuoteJson(value);
    case Kind::kFields:
      return "an object";
    case Kind::kList:
      return "a list";
    case Kind::kCasefold:
      return Quote(text) + " in any case";
    case Kind::kContains:
      return "text containing " + Quote(text);
    case Kind::kNumber:
      return number.Text() + (tolerance.zero() ? "" : " within tolerance");
    case Kind::kRegex:
      return "text matching " + Quote(text);
    case Kind::kSet:
      return fmt::format("a list of {} in any order", children.size());
    case Kind::kOptional:
      return children[0]->Expected();
    case Kind::kType:
      return "type " + text;
    case Kind::kIgnore:
      return "anything";
    case Kind::kAnyOf:
      break;
  }
  std::string out = "one of ";
  for (size_t i = 0; i < children.size() && out.size() < 160; ++i) out += (i ? " | " : "") + children[i]->Expected();
  return out;
}

CheckOutcome Matcher::Node::Match(const Json& found, const Place& at) const {
  if (!at.work->Take(1 + found.size() / 64))
    return Mismatch{Failure::kUndecided, fmt::format("the comparison takes more than {} steps", kMaxCheckSteps)};
  switch (kind) {
    case Kind::kIgnore:
      return {};
    case Kind::kOptional:
      return children[0]->Match(found, at);
    case Kind::kFields:
      return MatchFields(found, at);
    case Kind::kList:
      return MatchList(found, at);
    case Kind::kSet:
      return MatchSet(found, at);
    case Kind::kAnyOf:
      return MatchAnyOf(found, at);
    case Kind::kNumber:
      return MatchNumber(found, at);
    case Kind::kCasefold:
    case Kind::kContains:
    case Kind::kRegex:
      return MatchText(found, at);
    case Kind::kType:
      if (HasType(found, text)) return {};
      return Differ(Failure::kWrongType, at, Expected(), found);
    case Kind::kExact:
      break;
  }
  if (SameValue(value, found)) return {};
  return Differ(SameType(value, found) ? Failure::kWrongValue : Failure::kWrongType, at, Expected(), found);
}

// Missing members are told before extra ones, and both before wrong values.
CheckOutcome Matcher::Node::MatchFields(const Json& found, const Place& at) const {
  if (!found.is_object()) return Differ(Failure::kWrongType, at, "an object", found);
  for (size_t i = 0; i < keys.size(); ++i)
    if (!children[i]->optional() && !found.contains(keys[i]))
      return Mismatch{
          Failure::kMissing,
          at.told ? fmt::format("{}: expected {}, not there", at.Member(keys[i]).path, children[i]->Expected()) : ""};
  if (!allow_extra)
    for (const auto& [key, value_found] : found.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        return Mismatch{
            Failure::kExtra,
            at.told ? fmt::format("{}: not expected, found {}", at.Member(key).path, QuoteJson(value_found)) : ""};
  for (size_t i = 0; i < keys.size(); ++i) {
    auto it = found.find(keys[i]);
    if (it == found.end()) continue;
    if (CheckOutcome outcome = children[i]->Match(*it, at.Member(keys[i]))) return outcome;
  }
  return {};
}

CheckOutcome Matcher::Node::MatchList(const Json& found, const Place& at) const {
  if (!found.is_array()) return Differ(Failure::kWrongType, at, "a list", found);
  if (found.size() != children.size())
    return Differ(Failure::kWrongCount, at, fmt::format("{} elements", children.size()), found);
  for (size_t i = 0; i < children.size(); ++i)
    if (CheckOutcome outcome = children[i]->Match(found[i], at.Element(i))) return outcome;
  return {};
}

CheckOutcome Matcher::Node::MatchSet(const Json& found, const Place& at) const {
  if (!found.is_array()) return Differ(Failure::kWrongType, at, "a list", found);
  if (found.size() != children.size())
    return Differ(Failure::kWrongCount, at, fmt::format("{} elements", children.size()), found);
  CheckOutcome undecided;
  auto agree = [&](int i, int j) {
    CheckOutcome outcome = children[i]->Match(found[j], at.Untold());
    if (outcome && outcome->failure == Failure::kUndecided) undecided = outcome;
    return !outcome;
  };
  std::vector<int> partner = MatchPairs(static_cast<int>(children.size()), static_cast<int>(found.size()), agree);
  for (size_t i = 0; i < partner.size(); ++i)
    if (partner[i] < 0 && undecided) return undecided;
  for (size_t i = 0; i < partner.size(); ++i)
    if (partner[i] < 0) return Differ(Failure::kWrongValue, at, "an element " + children[i]->Expected(), found);
  return {};
}

CheckOutcome Matcher::Node::MatchText(const Json& found, const Place& at) const {
  if (!found.is_string()) return Differ(Failure::kWrongType, at, Expected(), found);
  const auto& answer = found.get_ref<const std::string&>();
  if (kind == Kind::kRegex) {
    PatternResult result = pattern->Match(answer, *at.work);
    if (result == PatternResult::kMatch) return {};
    if (result == PatternResult::kLimit) {
      std::string limit = Expected() + " (match limit reached)";  // told even where nothing else is
      return at.told ? Differ(Failure::kUndecided, at, limit, found) : Mismatch{Failure::kUndecided, limit};
    }
  } else {
    at.work->Take(answer.size() / 16);
    std::string folded = FoldCase(answer);
    if (kind == Kind::kCasefold ? folded == text : folded.find(text) != std::string::npos) return {};
  }
  return Differ(Failure::kWrongValue, at, Expected(), found);
}

CheckOutcome Matcher::Node::MatchNumber(const Json& found, const Place& at) const {
  if (!IsNumber(found)) return Differ(Failure::kWrongType, at, Expected(), found);
  if (Within(NumberOf(found), number, tolerance)) return {};
  return Differ(Failure::kWrongValue, at, Expected(), found);
}

CheckOutcome Matcher::Node::MatchAnyOf(const Json& found, const Place& at) const {
  if (children.size() == 1) return children[0]->Match(found, at);
  CheckOutcome undecided;
  bool all_types = true;
  for (const NodePtr& child : children) {
    CheckOutcome outcome = child->Match(found, at.Untold());
    if (!outcome) return {};
    if (outcome->failure != Failure::kWrongType) all_types = false;
    if (outcome->failure == Failure::kUndecided) undecided = std::move(outcome);
  }
  if (undecided) return undecided;
  return Differ(all_types ? Failure::kWrongType : Failure::kWrongValue, at, Expected(), found);
}

Matcher Matcher::Compile(const Json& spec, Extra extra) {
  return Matcher(CompileNode(spec, extra));
}
CheckOutcome Matcher::Match(const Json& value, const std::string& path, Work& work) const {
  return node_->Match(value, Place{path, true, &work});
}
CheckOutcome Matcher::MatchUntold(const Json& value, Work& work) const {
  return node_->Match(value, Place{"", false, &work});
}
bool Matcher::accepts_all() const {
  const Node* node = node_.get();
  while (node->kind == Kind::kOptional) node = node->children[0].get();
  return node->kind == Kind::kIgnore || (node->kind == Kind::kFields && node->keys.empty() && node->allow_extra);
}

}  // namespace assay
