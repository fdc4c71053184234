#pragma once
// What the sizes of two models' weights say about comparing them.

#include <string>
#include <vector>

#include "record/run_record.h"

namespace assay {

/// A model as it was trained stores 16 bits or more of every weight.
bool IsQuantized(const ModelIdentity& model);
/// That it is no full-precision baseline; empty: it is one, or nothing is known.
std::string BaselineRemark(const ModelIdentity& baseline);
/// BaselineRemark, and that the candidate is the larger of the two.
std::vector<std::string> SizeRemarks(const ModelIdentity& baseline, const ModelIdentity& candidate);

}  // namespace assay
