#pragma once
// Filters by file; the table is in filters.cc.

#include "jinja/runtime.h"

namespace assay::jinja {

Value FilterAttr(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterBatch(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterDictSort(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterFirst(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterGroupBy(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterItems(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterJoin(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterLast(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterLength(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterList(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterMap(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterMax(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterMin(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterReject(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterRejectAttr(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterReverse(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterSelect(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterSelectAttr(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterSlice(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterSort(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterSum(Runtime& runtime, const Value& input, Arguments& arguments);
Value FilterUnique(Runtime& runtime, const Value& input, Arguments& arguments);

/// str.replace with its result's size checked beforehand; limit < 0: all.
Value ReplaceIn(Runtime& runtime, std::string_view text, std::string_view from, std::string_view to, int64_t limit,
                bool markup);

}  // namespace assay::jinja
