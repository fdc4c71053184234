#include "model/arch/table.h"

#include "model/model.h"

namespace assay {

std::span<const Architecture> Architectures() {
  static constexpr Architecture kTable[] = {
      {"llama", LoadLlama},
  };
  return kTable;
}

}  // namespace assay
