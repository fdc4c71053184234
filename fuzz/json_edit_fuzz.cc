// Two JSON texts parted by a line end, the second as a person made it of the first. Whatever is changed in the text of
// one is the same change of its value, and a change that is taken back leaves every byte as it was.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/edit/edited_lines.h"
#include "base/edit/json_edit.h"
#include "base/error.h"

namespace {

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

// Members compare without their order: a new one goes to the end.
bool Same(const assay::Json& a, const assay::Json& b) {
  if (a.type() != b.type() || a.size() != b.size()) return false;
  if (!a.is_object()) return a.is_array() ? std::equal(a.begin(), a.end(), b.begin(), Same) : a == b || a != a;
  for (const auto& [key, value] : a.items())
    if (!b.contains(key) || !Same(value, b[key])) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Require(EditedLines(input).Text() == input);
  const size_t cut = input.find('\n');
  if (cut == std::string_view::npos) return 0;
  const std::string_view text = input.substr(0, cut), other = input.substr(cut + 1);
  Json value, wanted;
  try {
    value = ParseJson(text, "text", /*strict=*/true);
    wanted = ParseJson(other, "other", /*strict=*/true);
  } catch (const Error&) {
    return 0;
  }
  const auto read = [](const std::string& made) { return ParseJson(made, "made", /*strict=*/true); };
  Require(Same(read(LayOutJson(text)), value) && Same(read(LayOutJson(text, 2)), value));
  Require(Same(read(MergeJson(text, other)), wanted));
  if (!value.is_structured()) return 0;
  const std::string bare = LayOutJson(other);  // as a change gives it
  for (const JsonPart& part : JsonParts(text)) {
    if (!value.is_object()) break;
    const Json path = Json::array({part.key});
    Json changed = value;
    changed[part.key] = wanted;
    const std::string set = SetInJson(text, path, bare);
    Require(Same(read(set), changed));
    Require(SetInJson(set, path, part.Text(text)) == text);
    changed.erase(part.key);
    Require(Same(read(RemoveFromJson(text, path)), changed));
  }
  const Json added = Json::array({value.is_object() ? Json("new") : Json(value.size())});
  if (value.is_object())
    value["new"] = wanted;
  else
    value.push_back(wanted);
  Require(Same(read(SetInJson(text, added, bare)), value));
  return 0;
}
