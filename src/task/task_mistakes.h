#pragma once
// The mistakes people make in task files, each answered with what to write instead: files of other formats, lines that
// are almost JSON, rows of other tools, members and checks by other names.

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "task/check/check.h"

namespace assay {

struct OtherFormat {
  int64_t line = 0;  // 0: the file as a whole
  std::string message;
};

/// What the file is when it is no text: an archive, a model, a database; with what to do.
std::optional<std::string> FindOtherBytes(std::string_view text);

/// What the file is when it is not JSON lines or YAML (CSV, promptfoo, a JSON array, UTF-16 …): said once, for the
/// whole file.
std::optional<OtherFormat> FindOtherFormat(std::string_view text);

/// Why a line is not JSON. `parser_message` is the parser's, with its column.
std::string DescribeLineMistake(std::string_view row, std::string_view parser_message);

/// A row of another tool's format (fine-tuning, ShareGPT, Alpaca …): what it is and how its content is written here.
std::optional<std::string> FindOtherRow(const Json& object);

/// Why a member of an example is none, with the member that is meant.
std::string DescribeUnknownMember(const std::string& key, const Json& value);

/// Throws FieldError for a tool in the form of another interface.
void RefuseOtherTool(const Json& tool);
/// Throws FieldError for a check by the name or in the form of another tool.
void RefuseOtherCheck(const Json& check);
/// The role that is meant by another tool's word, empty for unknown ones.
std::string_view RoleMeant(std::string_view role);

}  // namespace assay
