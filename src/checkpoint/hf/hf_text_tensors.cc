#include "checkpoint/hf/hf_text_tensors.h"

#include <optional>
#include <utility>

namespace assay {

TextTensors KeepTextTensors(const HfWrapper& wrapper, std::vector<SafetensorsFile>& files) {
  TextTensors out;
  for (SafetensorsFile& file : files) {
    std::vector<SafetensorsTensor> kept;
    for (SafetensorsTensor& tensor : file.tensors) {
      std::optional<std::string> name = TextTensorName(wrapper, tensor.name);
      if (!name) {
        ++out.unread;
        out.unread_bytes += tensor.data.size();
        continue;
      }
      out.has_head = out.has_head || name->starts_with("lm_head.");
      if (*name != tensor.name) {
        out.stored_names[*name] = tensor.name;
        tensor.name = std::move(*name);
      }
      kept.push_back(std::move(tensor));
    }
    file.tensors = std::move(kept);
  }
  return out;
}

}  // namespace assay
