#pragma once
// How an answer ends beside "stop", "length" and "error" (Answer::finish).

namespace assay {

/// The model's predictions are NaN or infinite: no token can be chosen from them. Also the class of the failure.
inline constexpr char kFinishNotNumbers[] = "not numbers";

}  // namespace assay
