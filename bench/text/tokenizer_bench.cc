// Speed of a model's tokenizer on one processor: megabytes of text a second, encoding and decoding.
//
//   tokenizer_bench MODEL TEXT_FILE [MODEL TEXT_FILE …]
//
// The text is repeated to about 8 MB, cut at its own end; every figure is the median of five runs in processor time.

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "system/file.h"
#include "text/tokenizer.h"

namespace assay {
namespace {

constexpr size_t kBytes = 8 << 20;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename Body>
double MedianSeconds(Body body) {
  std::vector<double> seconds;
  for (int run = 0; run < 5; ++run) {
    const double start = CpuSeconds();
    body();
    seconds.push_back(CpuSeconds() - start);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[2];
}

void Measure(const std::string& model, const std::string& file) {
  auto checkpoint = Checkpoint::Open(model);
  auto tokenizer = Tokenizer::Create(checkpoint->tokenizer(), model);
  const std::string once = ReadFile(file);
  std::string text;
  while (text.size() < kBytes && !once.empty()) text += once;
  std::vector<TokenId> ids;
  const double encode = MedianSeconds([&] { ids = tokenizer->Encode(text, false, false); });
  std::string back;
  const double decode = MedianSeconds([&] { back = tokenizer->Decode(ids, false); });
  const double megabytes = static_cast<double>(text.size()) / 1e6;
  fmt::print("| {} | {:.2f} | {:.1f} | {:.1f} | {} |\n", model.substr(model.find_last_of('/') + 1),
             static_cast<double>(text.size()) / static_cast<double>(ids.size()), megabytes / encode, megabytes / decode,
             back == text ? "yes" : "no");
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  try {
    fmt::print("| model | bytes per token | encode MB/s | decode MB/s | text comes back |\n|---|---|---|---|---|\n");
    for (int i = 1; i + 1 < argc; i += 2) assay::Measure(argv[i], argv[i + 1]);
  } catch (const assay::Error& error) {
    fmt::print(stderr, "tokenizer_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
