#pragma once
// A strict little reader of the markup that the report writes: every tag closed in order, every attribute quoted, ids
// unique.

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct HtmlFindings {
  std::vector<std::string> problems;
  std::vector<std::pair<std::string, std::string>> attributes;  // "tag.name", value
  std::string text;  // all text outside <style> and <script>, entities as they are
  int scripts = 0;
};

inline HtmlFindings CheckHtml(std::string_view html) {
  HtmlFindings found;
  std::vector<std::string> open;
  std::set<std::string> ids;
  const std::set<std::string> empty = {"meta", "br", "input"};
  size_t at = 0;
  auto problem = [&](const std::string& what) {
    if (found.problems.size() < 10) found.problems.push_back(what + " near: " + std::string(html.substr(at, 60)));
  };
  constexpr std::string_view kDoctype = "<!DOCTYPE html>";
  if (html.substr(0, kDoctype.size()) != kDoctype) problem("no doctype");
  at = kDoctype.size();
  while (at < html.size()) {
    const size_t tag = html.find('<', at);
    found.text += html.substr(at, tag == std::string_view::npos ? tag : tag - at);
    if (tag == std::string_view::npos) break;
    at = tag + 1;
    const bool closing = html[at] == '/';
    if (closing) ++at;
    std::string name;
    while (at < html.size() && (std::isalnum(static_cast<unsigned char>(html[at])))) name += html[at++];
    if (name.empty()) {
      problem("a bare <");
      continue;
    }
    bool self_closed = false;
    while (at < html.size() && html[at] != '>') {
      if (html[at] == ' ') {
        ++at;
      } else if (html[at] == '/') {
        self_closed = true;
        ++at;
      } else {
        std::string attribute;
        while (at < html.size() && (std::isalnum(static_cast<unsigned char>(html[at])) || html[at] == '-'))
          attribute += html[at++];
        if (attribute.empty()) {
          problem("odd character in a tag");
          ++at;
          continue;
        }
        std::string value;
        if (at < html.size() && html[at] == '=') {
          if (html[at + 1] != '"') problem("unquoted attribute");
          const size_t end = html.find('"', at + 2);
          if (end == std::string_view::npos) {
            problem("unclosed attribute");
            return found;
          }
          value = html.substr(at + 2, end - at - 2);
          if (value.find('<') != std::string::npos) problem("markup in an attribute");
          at = end + 1;
        }
        if (attribute == "id" && !ids.insert(value).second) problem("second id " + value);
        found.attributes.emplace_back(name + "." + attribute, value);
      }
    }
    ++at;
    if (closing) {
      if (open.empty() || open.back() != name)
        problem("</" + name + "> closes " + (open.empty() ? "nothing" : open.back()));
      if (!open.empty()) open.pop_back();
    } else if (!self_closed && !empty.count(name)) {
      open.push_back(name);
      if (name == "script" || name == "style") {
        found.scripts += name == "script";
        const size_t end = html.find("</" + name, at);
        if (end == std::string_view::npos) {
          problem("unclosed " + name);
          return found;
        }
        at = end;
      }
    }
  }
  if (!open.empty()) problem("left open: " + open.back());
  return found;
}

}  // namespace assay
