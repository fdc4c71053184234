#include "schema/uri.h"

#include <cctype>

namespace assay::json_schema {
namespace {

struct Uri {
  std::string scheme, authority, path, query;
  bool has_authority = false, has_query = false;
};

Uri Parse(std::string_view text) {
  Uri uri;
  size_t colon = text.find(':');
  bool scheme = colon != std::string_view::npos && colon > 0 && std::isalpha(static_cast<unsigned char>(text[0]));
  for (size_t i = 0; scheme && i < colon; ++i)
    scheme = std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '+' || text[i] == '-' || text[i] == '.';
  if (scheme) {
    uri.scheme = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.starts_with("//")) {
    size_t end = text.find_first_of("/?", 2);
    uri.has_authority = true;
    uri.authority = text.substr(2, end == std::string_view::npos ? end : end - 2);
    text = end == std::string_view::npos ? "" : text.substr(end);
  }
  size_t query = text.find('?');
  uri.path = text.substr(0, query);
  if (query != std::string_view::npos) {
    uri.has_query = true;
    uri.query = text.substr(query + 1);
  }
  return uri;
}

std::string RemoveDots(std::string_view path) {
  std::vector<std::string_view> parts;
  bool rooted = path.starts_with("/"), ends_in_slash = path.ends_with("/");
  while (!path.empty()) {
    size_t slash = path.find('/');
    auto part = path.substr(0, slash);
    path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
      ends_in_slash = ends_in_slash || path.empty();
    } else if (part == ".") {
      ends_in_slash = ends_in_slash || path.empty();
    } else if (!part.empty()) {
      parts.push_back(part);
    }
  }
  std::string out = rooted ? "/" : "";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i) out += '/';
    out += parts[i];
  }
  if (ends_in_slash && !parts.empty()) out += '/';
  return out;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string WithoutFragment(std::string_view uri) {
  return std::string(uri.substr(0, uri.find('#')));
}

std::string Fragment(std::string_view uri) {
  size_t hash = uri.find('#');
  if (hash == std::string_view::npos) return "";
  std::string out;
  for (size_t i = hash + 1; i < uri.size(); ++i) {
    int high = uri[i] == '%' && i + 2 < uri.size() ? HexDigit(uri[i + 1]) : -1;
    int low = high >= 0 ? HexDigit(uri[i + 2]) : -1;
    if (low < 0) {
      out += uri[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string ResolveUri(std::string_view base_text, std::string_view reference_text) {
  std::string fragment;
  if (size_t hash = reference_text.find('#'); hash != std::string_view::npos) {
    fragment = reference_text.substr(hash);
    reference_text = reference_text.substr(0, hash);
  }
  if (reference_text.empty()) return WithoutFragment(base_text) + fragment;
  Uri base = Parse(WithoutFragment(base_text)), uri = Parse(reference_text);
  if (uri.scheme.empty()) {
    uri.scheme = base.scheme;
    if (!uri.has_authority) {
      uri.has_authority = base.has_authority;
      uri.authority = base.authority;
      if (uri.path.empty()) {
        uri.path = base.path;
        if (!uri.has_query) {
          uri.has_query = base.has_query;
          uri.query = base.query;
        }
      } else if (!uri.path.starts_with("/")) {
        size_t slash = base.path.rfind('/');
        std::string folder =
            slash == std::string::npos ? (base.has_authority ? "/" : "") : base.path.substr(0, slash + 1);
        uri.path = RemoveDots(folder + uri.path);
      } else {
        uri.path = RemoveDots(uri.path);
      }
    }
  }
  std::string out;
  if (!uri.scheme.empty()) out += uri.scheme + ":";
  if (uri.has_authority) out += "//" + uri.authority;
  out += uri.path;
  if (uri.has_query) out += "?" + uri.query;
  return out + fragment;
}

bool SplitPointer(std::string_view pointer, std::vector<std::string>& tokens) {
  tokens.clear();
  if (pointer.empty()) return true;
  if (pointer[0] != '/') return false;
  for (size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      tokens.emplace_back();
    } else if (pointer[i] == '~' && i + 1 < pointer.size() && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
      tokens.back() += pointer[++i] == '0' ? '~' : '/';
    } else {
      tokens.back() += pointer[i];
    }
  }
  return true;
}

std::string EscapePointerToken(std::string_view token) {
  std::string out;
  for (char c : token) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

}  // namespace assay::json_schema
