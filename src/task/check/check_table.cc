#include "task/check/check_table.h"

namespace assay {
namespace {

constexpr std::string_view kEquals[] = {"value", "ignore_case", "trim", "strip_punctuation"};
constexpr std::string_view kContains[] = {"value", "any", "not", "ignore_case", "whole_word", "max_chars"};
constexpr std::string_view kRegex[] = {"pattern", "ignore_case", "full", "not"};
constexpr std::string_view kNumber[] = {"value", "tolerance", "relative", "take", "after", "decimal_comma"};
constexpr std::string_view kJsonValue[] = {"value", "allow_extra", "strict", "find"};
constexpr std::string_view kJsonSchema[] = {"schema", "allow_empty", "strict", "find"};
constexpr std::string_view kToolCalls[] = {"calls", "ordered", "allow_extra_arguments", "allow_extra_calls"};
constexpr std::string_view kChoice[] = {"value", "choices", "letters"};

constexpr CheckType kTypes[] = {
    {"equals", kEquals, CompileEquals},
    {"contains", kContains, CompileContains},
    {"regex", kRegex, CompileRegex},
    {"number", kNumber, CompileNumber},
    {"json_value", kJsonValue, CompileJsonValue},
    {"json_schema", kJsonSchema, CompileJsonSchema},
    {"tool_calls", kToolCalls, CompileToolCalls},
    {"choice", kChoice, CompileChoice},
};

}  // namespace

std::span<const CheckType> CheckTypes() {
  return kTypes;
}

}  // namespace assay
