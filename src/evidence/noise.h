#pragma once
// How much the baseline differs from itself: flips of a candidate mean little where it flips as often alone.

#include <string>

#include "evidence/comparison.h"
#include "record/check_record.h"

namespace assay {

/// Adds to `noise` what `again`, answers of the same model to some of the examples, shows beside the first run.
/// Examples with an error in either are left out. `chance`: other seeds were drawn; else the answers should be the
/// same.
void AddNoise(const RunRecord& first, const RunRecord& again, bool chance, NoiseFloor& noise);

/// What it says; empty where it was not measured.
std::string NoiseText(const NoiseFloor& noise);
/// How many flips of a candidate are of examples that the baseline flips alone; empty where there is nothing to say.
std::string SharedNoiseText(const NoiseFloor& noise, const Comparison& comparison);

}  // namespace assay
