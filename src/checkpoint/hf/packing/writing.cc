#include "checkpoint/hf/packing/writing.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

struct ContainerRow {
  std::string_view name;
  std::unique_ptr<HfContainer> (*make)(const HfContainerOptions&);
};

// In the order in which they are chosen for a format when nobody says.
constexpr ContainerRow kContainers[] = {
    {"compressed-tensors", MakeCompressedTensors},
    {"bitsandbytes", MakeBitsandbytes},
    {"bitsandbytes-nested", MakeBitsandbytesNested},
    {"bitnet", MakeBitNet},
    {"gptq", MakeGptq},
    {"gptq_v2", MakeGptqV2},
    {"gptq_p", MakeGptqPlanar},
    {"awq", MakeAwq},
    {"auto-round", MakeAutoRound},
    {"fp8", MakeFineGrainedFp8},
    {"modelopt", MakeModelOpt},
    {"hqq", MakeHqq},
    {"mxfp4", MakeMxfp4},
};

struct ReadOnlyRow {
  std::string_view name, reason;
};

constexpr ReadOnlyRow kReadOnly[] = {
    {"exl3", "its codes come from a search through 65536 states per weight, for which ExLlamaV3's convert.py has GPUs"},
    {"fbgemm_fp8", "fp8 and compressed-tensors hold the same weights and are read by more"},
};

}  // namespace

std::string_view WhyNotWritten(std::string_view name) {
  for (const ReadOnlyRow& row : kReadOnly)
    if (row.name == name) return row.reason;
  return "";
}

std::span<const std::string_view> HfContainerNames() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const ContainerRow& row : kContainers) all.push_back(row.name);
    return all;
  }();
  return names;
}

std::unique_ptr<HfContainer> CreateHfContainer(std::string_view name, const HfContainerOptions& options) {
  std::vector<std::string> names;
  for (const ContainerRow& row : kContainers) {
    if (row.name == name) return row.make(options);
    names.emplace_back(row.name);
  }
  if (std::string_view reason = WhyNotWritten(name); !reason.empty())
    Fail(ErrorKind::kUnsupported, "{} is read but not written: {}", name, reason);
  Fail(ErrorKind::kInvalid, "\"{}\" is not a container of Hugging Face checkpoints; there are {}", name,
       Join(names, ", "));
}

std::vector<std::string_view> HfContainersOf(const Format& format) {
  std::vector<std::string_view> out;
  for (const ContainerRow& row : kContainers)
    if (row.make({})->Holds(format)) out.push_back(row.name);
  return out;
}

SafetensorsPart MakePart(std::string name, std::string_view dtype, std::vector<int64_t> shape) {
  uint64_t bytes = static_cast<uint64_t>(SafetensorsDtypeBits(dtype)) / 8;
  for (int64_t dim : shape) bytes *= static_cast<uint64_t>(dim);
  return {std::move(name), std::string(dtype), std::move(shape), bytes, 0};
}

const MatrixCollector::Matrix* MatrixCollector::Add(const HfModule& module, int64_t begin, int64_t n,
                                                    std::span<const std::byte> codes,
                                                    std::span<const std::byte> scales) {
  Matrix& matrix = matrices_[module.name];
  if (matrix.rows == 0) {
    matrix.codes.resize(static_cast<size_t>(CodesBytes(*module.format, module.rows, module.cols)));
    matrix.scales.resize(static_cast<size_t>(ScalesBytes(*module.format, module.rows, module.cols)));
  }
  ASSAY_CHECK(begin >= 0 && begin + n <= module.rows);
  std::copy(codes.begin(), codes.end(), matrix.codes.begin() + CodesBytes(*module.format, begin, module.cols));
  if (!scales.empty())
    std::copy(scales.begin(), scales.end(), matrix.scales.begin() + ScalesBytes(*module.format, begin, module.cols));
  matrix.rows += n;
  return matrix.rows == module.rows ? &matrix : nullptr;
}

}  // namespace assay
