#pragma once
// YAML as Json, by the core schema of YAML 1.2: `no`, `on` and 2024-05-01 are texts, 1.0 is a number. What other
// readers take for something else, and numbers that are not written as they are read, are told. libyaml reads the text.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

struct YamlRemark {
  int64_t line = 0;
  std::string message;
};

struct YamlText {
  Json root;                             // a list of the documents where there are several
  std::map<std::string, int64_t> lines;  // of what stands one or two levels below: "/3", "/examples/3" (JSON pointers)
  std::vector<YamlRemark> remarks;       // the first hundred
  int64_t more_remarks = 0;
  YamlRemark error;  // line 0: none; else root is null
};

/// Aliases are written out; together a text may hold a million values and 256 MiB of texts, nested 512 deep. Errors: no
/// YAML, not UTF-8, a name twice, a member without a name, tags other than the core schema's, .inf and .nan.
YamlText ParseYaml(std::string_view text);

/// Whether the first line that is no comment is "key:", "- item" or "---": as YAML begins, and JSON does not.
bool LooksLikeYaml(std::string_view text);

}  // namespace assay
