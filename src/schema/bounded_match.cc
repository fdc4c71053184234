#include "schema/bounded_match.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>

#include "base/error.h"

namespace assay {
namespace {

constexpr uint32_t kHeapLimitKib = 65536;
constexpr uint64_t kScanned = 16;     // characters that are passed over in one step
constexpr uint64_t kCompared = 1024;  // characters of a group's repetition (\1) that are compared in one step

struct Free {
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};

struct Count {
  Work& work;
  uint64_t each;  // steps of one item of the pattern
  uint64_t last = 0;
};

// Called before each item of the pattern that is tried.
int Step(pcre2_callout_block* block, void* data) {
  auto& count = *static_cast<Count*>(data);
  uint64_t at = block->current_position, moved = at > count.last ? at - count.last : count.last - at;
  count.last = at;
  return count.work.Take(count.each + moved / kScanned) ? 0 : PCRE2_ERROR_MATCHLIMIT;
}

}  // namespace

uint32_t BoundedMatchOptions() {
  return PCRE2_AUTO_CALLOUT;
}

int BoundedMatch(const void* code, std::string_view text, uint32_t options, Work& work) {
  const auto* compiled = static_cast<const pcre2_code*>(code);
  std::unique_ptr<pcre2_match_context, Free> context(pcre2_match_context_create(nullptr));
  std::unique_ptr<pcre2_match_data, Free> data(pcre2_match_data_create(1, nullptr));
  ASSAY_CHECK(context != nullptr && data != nullptr);
  uint32_t references = 0;
  pcre2_pattern_info(compiled, PCRE2_INFO_BACKREFMAX, &references);
  Count count{work, 1 + (references ? text.size() / kCompared : 0)};
  pcre2_set_callout(context.get(), Step, &count);
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  if (!work.Take(1 + text.size() / kScanned)) return PCRE2_ERROR_MATCHLIMIT;
  return pcre2_match(compiled, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, options, data.get(),
                     context.get());
}

}  // namespace assay
