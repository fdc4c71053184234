#pragma once
// Requests that ask almost the same. Two texts are near-duplicates when the sets of their five-character sequences,
// letters in compatibility form and lower case, white space and marks that only divide words as one space, have a
// Jaccard similarity of at least the threshold. Found exactly, by an index of each set's rarest sequences (Chaudhuri,
// Ganti and Kaushik 2006; Bayardo, Ma and Srikant 2007): two sets that similar share one of them.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

/// What an example asks: its messages but the system's and the developer's, which requests of one product share, or
/// its prompt; prepared as above.
std::string ComparedText(const Json& example);
/// Those that it leaves out, prepared so and without digits, which may be the day's date. Under other instructions the
/// same words ask for something else: only requests with the same are compared.
std::string SystemText(const Json& example);

/// Of each text the earlier one that it almost repeats and that is kept, or kKept. In order: a text is compared with
/// those that are kept alone. `threshold` in (0, 1]; equal texts are duplicates at any.
inline constexpr size_t kKept = static_cast<size_t>(-1);
std::vector<size_t> NearDuplicates(const std::vector<std::string>& texts, double threshold);

/// The same of all sets by their definition, every pair: what the tests hold the index against.
double Jaccard(std::string_view a, std::string_view b);

}  // namespace assay
