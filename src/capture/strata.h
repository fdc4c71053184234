#pragma once
// Chooses examples so that every kind of request is among them: strata by shape, length, tools, schema, script and
// state of the text, of which the rare ones get more than their share.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "capture/example_line.h"

namespace assay {

/// Values of the dimensions, in the order of StratumDimensions().
using StratumKey = std::vector<std::string>;
std::vector<std::string> StratumDimensions();
StratumKey StratumOf(const CapturedExample& example);

struct Stratum {
  StratumKey key;
  int64_t requests = 0, chosen = 0;
};

struct Choice {
  std::vector<size_t> chosen;  // rising
  std::vector<Stratum> strata;
};

/// `count` of the keys' examples, or all. Each stratum gets one, and what is left goes by the square root of its size;
/// where there are more strata than `count`, those are taken whose values are least represented among the ones taken so
/// far. Within a stratum by chance, the same for the same seed.
Choice ChooseStratified(const std::vector<StratumKey>& keys, int64_t count, uint64_t seed);

}  // namespace assay
