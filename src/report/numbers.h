#pragma once
// How the report writes numbers: the same in every view.

#include <optional>
#include <string>
#include <string_view>

#include "evidence/comparison.h"

namespace assay {

inline constexpr const char* kDash = "\xE2\x80\x93";

/// "12.34", "123.4", "12340", "inf", "NaN"; a dash where it was not measured.
std::string PerplexityText(std::optional<double> value);
/// "0.0310", "0.445", "1.20", "inf", "NaN"; a dash where it was not measured.
std::string DivergenceText(std::optional<double> value);
/// "1234", "56.7", "inf"; a dash for 0 and NaN, which was not measured.
std::string SpeedText(double tokens_per_s);
/// A dash for 0.
std::string SizeText(uint64_t bytes);
/// "4.50"; a dash for 0 and NaN.
std::string BitsText(double bits);
/// Share as signed points, "2.0" or "−1.3" (a real minus sign).
std::string PointsText(double share);

/// "50 examples", "400 answers (50 examples × 8)".
std::string ExamplesText(const RunRecord& run);

/// "holds", "cracks", "can't tell", or "not comparable" / "not judged".
std::string VerdictText(const Comparison& comparison);
std::string VerdictText(const Judgement& group, bool comparable);

/// What a slice's cell says: "✓ 10/10", "✗ 4/10 −6", "9/10 −2 +1"; without a mark it has too few examples to tell.
std::string SliceText(const Judgement& slice, bool comparable);
/// "−2 +1": lost and gained; empty: neither.
std::string FlipsText(const PairedCounts& counts);
inline constexpr std::string_view kSliceLegend =
    "Passed of all, then lost (\xE2\x88\x92) and gained (+). \xE2\x9C\x93 holds, \xE2\x9C\x97 cracks, no mark: too few "
    "examples to tell.";

/// "2026-11-22 09:30 UTC" of a time stamp; any other text as it is.
std::string WhenText(std::string_view started);

/// Its summary, and how answers were compared: "400 unlabelled prompts: … (compared as calls 120, text 280)".
std::string UnlabelledText(const Unlabelled& unlabelled);

}  // namespace assay
