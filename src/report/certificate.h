#pragma once
// What a check found, small enough to hand on, bound to the record, the task and the weights that it speaks of. It is
// no signature: whoever has the record can make another. It shows that record, task, weights and verdicts belong
// together.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "evidence/comparison.h"

namespace assay {

inline constexpr int kCertificateVersion = 1;

/// `comparisons` as Judge(record) gives them; `record_bytes`: the file of the record. No sentences, so that another
/// build may word them otherwise.
Json MakeCertificate(const CheckRecord& record, std::span<const Comparison> comparisons, std::string_view record_bytes);
/// The file. Throws Error{kCorrupt, kUnsupported} naming `where`.
Json ParseCertificate(std::string_view text, std::string_view where);

enum class CheckState { kOk, kDiffers, kNotChecked };
/// "ok", "differs", "not checked".
std::string_view CheckStateName(CheckState state);

/// One thing that a certificate states, held against what is there.
struct Finding {
  std::string what;  // "record", "q4_k_m: verdict"
  CheckState state = CheckState::kNotChecked;
  std::string detail;  // what was found; expected and found where they differ
};

/// The bytes of a record, and everything that this build finds in it. `where` names the record in errors.
std::vector<Finding> VerifyRecord(const Json& certificate, std::string_view record_bytes, std::string_view where);
/// A task's hash, margin and looks.
Finding VerifyTask(const Json& certificate, std::string_view hash, double margin, std::span<const int64_t> looks);
/// The baseline's weights.
Finding VerifyBaseline(const Json& certificate, std::string_view fingerprint);
/// Weights that should be one of the candidates'; the others are not checked, and are said so.
std::vector<Finding> VerifyCandidates(const Json& certificate, std::span<const std::string> fingerprints);

}  // namespace assay
