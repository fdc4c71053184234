#pragma once
// The compile function of each check type, for check_table.cc. See check.h.

#include <memory>

#include "task/check/check.h"

namespace assay {

std::unique_ptr<CheckBody> CompileEquals(const Json& spec, const Example& example);
std::unique_ptr<CheckBody> CompileContains(const Json& spec, const Example& example);
std::unique_ptr<CheckBody> CompileRegex(const Json& spec, const Example& example);
std::unique_ptr<CheckBody> CompileNumber(const Json& spec, const Example& example);
std::unique_ptr<CheckBody> CompileJsonValue(const Json& spec, const Example& example);
std::unique_ptr<CheckBody> CompileJsonSchema(const Json& spec, const Example& example);
std::unique_ptr<CheckBody> CompileToolCalls(const Json& spec, const Example& example);
std::unique_ptr<CheckBody> CompileChoice(const Json& spec, const Example& example);

}  // namespace assay
