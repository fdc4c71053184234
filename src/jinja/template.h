#pragma once
// The Jinja2 template language (https://jinja.palletsprojects.com/en/stable/templates/, version 3.1) as chat templates
// need it: parsed once, rendered often. Follows jinja2's ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks
// and loop controls. Left out: template inheritance and imports, autoescape, `random`, `lipsum`, `pprint`, `urlize`,
// `striptags`, `wordwrap`, computing with integers beyond 64 bits.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace assay::jinja {

/// What one rendering may use. A template is somebody else's program.
struct Limits {
  uint64_t steps = 20'000'000;              // expressions, statements, items and 32-byte pieces of text
  uint32_t depth = 1000;                    // nested evaluation, macros included
  size_t output_bytes = size_t{64} << 20;   // of any text, the result included
  uint64_t made_bytes = uint64_t{1} << 30;  // of all values made on the way, whether they are still held or not
  double seconds = 10.0;                    // of this thread's processor time
};

struct Ast;

class Template {  // const after Parse: may be shared by threads
 public:
  /// Throws Error{kCorrupt} or Error{kUnsupported} as "where:line: reason".
  static std::shared_ptr<const Template> Parse(std::string_view source, std::string_view where);
  ~Template();

  /// `variables` is an object. Throws Error{kInvalid} as "where:line: reason", Error{kResource} past a limit.
  std::string Render(const Json& variables, int64_t now_unix_s, const Limits& limits = {}) const;

  /// The template reads a variable of this name somewhere.
  bool Reads(std::string_view variable) const;

  const std::string& source() const { return source_; }
  const std::string& where() const { return where_; }
  const Ast& ast() const { return *ast_; }

 private:
  Template();
  std::string source_;
  std::string where_;
  std::unique_ptr<Ast> ast_;
};

}  // namespace assay::jinja
