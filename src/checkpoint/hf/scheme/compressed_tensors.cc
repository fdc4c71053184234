// compressed-tensors: quant_method "compressed-tensors" (llm-compressor and many others). Reading.
#include "checkpoint/hf/scheme/compressed_tensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/packing/cache_scales.h"
#include "checkpoint/hf/packing/integers.h"
#include "checkpoint/hf/packing/keys.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"
#include "format/bit_packing.h"

namespace assay {

namespace {

/// What a strategy needs beside its name.
enum class Structure { kNone, kGroup, kBlock };

struct StrategyRow {
  std::string_view name;
  Structure structure;
  bool of_weights, of_activations;
};

constexpr StrategyRow kStrategies[] = {
    {"tensor", Structure::kNone, true, true},  {"channel", Structure::kNone, true, true},
    {"token", Structure::kNone, false, true},  {"group", Structure::kGroup, true, true},
    {"block", Structure::kBlock, true, false}, {"tensor_group", Structure::kGroup, true, true},
};

/// [rows, columns], or "128x128" as old files have it.
std::vector<int64_t> ReadBlock(const Json& json, const std::string& where) {
  auto it = json.find("block_structure");
  if (it == json.end() || it->is_null()) return {};
  if (it->is_string() && it->get<std::string>() == "128x128") return {128, 128};
  if (!it->is_array() || it->size() != 2 || !(*it)[0].is_number_integer() || !(*it)[1].is_number_integer())
    Fail(ErrorKind::kInvalid, "{}: block_structure: expected [rows, columns], found {}", where, DumpJson(*it));
  std::vector<int64_t> out;
  for (const Json& item : *it)
    out.push_back(
        CheckArgument("block_structure",
                      item.is_number_unsigned() && item.get<uint64_t>() > INT64_MAX ? -1 : item.get<int64_t>(), where));
  return out;
}

/// Strategy, group size and block structure have to agree.
void CheckStructure(const QuantizationArgs& args, bool weights, const std::string& where) {
  std::string known;
  for (const StrategyRow& row : kStrategies) {
    if (!(weights ? row.of_weights : row.of_activations)) continue;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
    if (row.name != args.strategy) continue;
    if (row.structure == Structure::kGroup && args.group_size <= 0)
      Fail(ErrorKind::kInvalid, "{}: strategy {}: expected a group_size above 0, found {}", where, args.strategy,
           args.group_size == 0 ? "none" : std::to_string(args.group_size));
    if (row.structure != Structure::kGroup && args.group_size > 0)
      Fail(ErrorKind::kInvalid, "{}: strategy {}: expected no group_size, found {}", where, args.strategy,
           args.group_size);
    if ((row.structure == Structure::kBlock) != !args.block.empty())
      Fail(ErrorKind::kInvalid, "{}: strategy {}: expected {} block_structure, found {}", where, args.strategy,
           args.block.empty() ? "a" : "no", args.block.empty() ? "none" : ShapeText(args.block));
    return;
  }
  Fail(ErrorKind::kInvalid, "{}: strategy: expected one of {}, found \"{}\"", where, known, args.strategy);
}

}  // namespace

QuantizationArgs ReadQuantizationArgs(const Json& json, bool weights, const std::string& where) {
  QuantizationArgs args;
  if (!json.is_object()) Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", where, json.type_name());
  RequireKeys("compressed-tensors args", json, where);
  args.bits = ReadArgument(json, "num_bits", where, 8);
  args.type = JsonString(json, "type", where, "int");
  if (args.type != "int" && args.type != "float")
    Fail(ErrorKind::kInvalid, "{}: type: expected int or float, found \"{}\"", where, args.type);
  args.symmetric = JsonBool(json, "symmetric", where, true);
  args.group_size = ReadArgument(json, "group_size", where, 0);
  args.block = ReadBlock(json, where);
  args.strategy = JsonString(json, "strategy", where,
                             args.group_size > 0   ? "group"
                             : args.group_size < 0 ? "channel"
                             : !args.block.empty() ? "block"
                                                   : "tensor");
  if (args.strategy == "group" && args.group_size < 0) args.strategy = "channel";
  CheckStructure(args, weights, where);
  if (auto it = json.find("dynamic"); it != json.end() && !it->is_null()) {
    if (!it->is_boolean() && !(it->is_string() && *it == "local"))
      Fail(ErrorKind::kInvalid, "{}: dynamic: expected true, false or \"local\", found {}", where, DumpJson(*it));
    args.dynamic = it->is_string() ? "local" : it->get<bool>() ? "true" : "";
  }
  return args;
}

std::string QuantizationArgsText(const QuantizationArgs& args) {
  std::string out = fmt::format("{}{} {}", args.type, args.bits, args.strategy);
  if (args.group_size > 0) out += fmt::format(" {}", args.group_size);
  if (!args.block.empty()) out += fmt::format(" {}x{}", args.block[0], args.block[1]);
  if (!args.symmetric) out += " asymmetric";
  if (!args.dynamic.empty()) out += " dynamic";
  return out;
}

namespace {

using Args = QuantizationArgs;

/// How the tensors of a module lie in the file.
enum class Packing {
  kWhole,    // weight [out, in]
  kPacked,   // weight_packed int32, weight_shape
  kFp4,      // weight_packed uint8, first element in the low bits (FP6 too)
  kMxfp8,    // weight E4M3, weight_scale E8M0
  kRefused,  // known, not read
};

struct FormatRow {
  std::string_view name;  // compressed-tensors' compression format
  Packing packing;
  FormatFamily holds = FormatFamily::kPlain;
  std::string_view number = "";  // of the codes; "": any
};

constexpr FormatRow kFormats[] = {
    {"pack-quantized", Packing::kPacked, FormatFamily::kInteger},
    {"int-quantized", Packing::kWhole, FormatFamily::kInteger},
    {"float-quantized", Packing::kWhole, FormatFamily::kFp8},
    {"float-quantized", Packing::kMxfp8, FormatFamily::kMx, "fp8_e4m3"},  // before the format had its name
    {"naive-quantized", Packing::kWhole, FormatFamily::kInteger},
    {"naive-quantized", Packing::kWhole, FormatFamily::kFp8},
    {"naive-quantized", Packing::kMxfp8, FormatFamily::kMx, "fp8_e4m3"},
    {"nvfp4-pack-quantized", Packing::kFp4, FormatFamily::kNvfp4},
    {"mxfp4-pack-quantized", Packing::kFp4, FormatFamily::kMx, "fp4_e2m1"},
    {"mxfp8-quantized", Packing::kMxfp8, FormatFamily::kMx, "fp8_e4m3"},
    {"mxfp6-pack-quantized", Packing::kFp4, FormatFamily::kMx, "fp6_e2m3"},
    {"marlin-24", Packing::kRefused},
    {"sparse-24-bitmask", Packing::kRefused},
    {"sparse-bitmask", Packing::kRefused},
};

/// A config group.
struct Group {
  std::string name, format;  // "group_0", "pack-quantized"
  Packing packing = Packing::kWhole;
  Args weights;
  std::optional<Args> activations;
  std::vector<ModuleTarget> targets;

  bool integer() const { return weights.type == "int"; }
  std::string Why(std::string_view what) const { return fmt::format("config.json says {}, {}", what, name); }
};

/// What these activations are to us; nothing when we have no arithmetic for them.
std::optional<ActivationKind> ActivationOf(const Group& group) {
  using enum ActivationKind;
  if (!group.activations) return kBF16;
  const Args& a = *group.activations;
  if (!a.symmetric) return std::nullopt;
  if (group.packing == Packing::kFp4 || group.packing == Packing::kMxfp8) {
    const bool same = a.type == "float" && a.bits == group.weights.bits && a.group_size == group.weights.group_size;
    if (!same || a.bits == 6) return std::nullopt;
    return group.packing == Packing::kMxfp8 ? kMxfp8 : a.group_size == 16 ? kNvfp4 : kMxfp4;
  }
  if (a.bits != 8) return std::nullopt;
  const bool floats = a.type == "float", blocks = group.weights.strategy == "block";
  if (!floats && !group.integer()) return std::nullopt;
  // Scales per token serve blocks of weights as those per token and 128 columns.
  if (a.strategy == "token" && a.dynamic == "true")
    return !floats ? kInt8PerToken : blocks && !group.integer() ? kFp8Group128 : kFp8PerToken;
  if (a.strategy == "tensor" && a.dynamic.empty() && floats != group.integer())
    return floats ? kFp8Static : kInt8Static;
  if (floats && a.strategy == "group" && a.group_size == 128 && blocks) return kFp8Group128;
  return std::nullopt;
}

/// The format of the weights, without how activations are treated; integers choose theirs by the tensors. Null where
/// there is none.
const Format* FloatBaseOf(const Args& w) {
  if (!w.symmetric) return nullptr;
  if (w.bits == 4 && w.group_size == 16) return &GetFormat("nvfp4");
  if (w.bits == 4 && w.group_size == 32) return &GetFormat("mxfp4");
  if (w.bits == 6 && w.group_size == 32) return &GetFormat("mxfp6_e2m3");
  if (w.bits != 8) return nullptr;
  if (w.group_size == 32) return &GetFormat("mxfp8_e4m3");
  if (w.strategy == "tensor") return &GetFormat("fp8_tensor");
  if (w.strategy == "channel") return &GetFormat("fp8_channel");
  if (w.strategy == "block" && w.block == std::vector<int64_t>{128, 128}) return &GetFormat("fp8_block128");
  return nullptr;
}

bool Holds(const FormatRow& row, const Args& w) {
  if (row.packing == Packing::kRefused) return false;
  if (w.type == "int") return row.holds == FormatFamily::kInteger && w.bits >= 2 && w.bits <= 8;
  const Format* base = FloatBaseOf(w);
  return base && base->family == row.holds && (row.number.empty() || row.number == base->number);
}

/// Blocks other than the 128 x 128 of the format table are groups of columns whose scales rows repeat.
IntegerKind KindOf(const Group& group) {
  const Args& w = group.weights;
  IntegerKind kind;
  kind.bits = w.bits;
  kind.group = w.strategy == "tensor" ? 0 : w.strategy == "channel" ? -1 : w.group_size;
  if (w.strategy == "block") {
    kind.group = w.block[1];
    if (w.block[0] == 128 && w.block[1] == 128) kind.block_rows = 128;
  }
  kind.asymmetric = !w.symmetric;
  return kind;
}

class CompressedTensors : public HfQuantization {
 public:
  explicit CompressedTensors(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override;
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  void Finish(HfSource& source) const override;
  bool fp8_cache() const override { return fp8_cache_; }
  std::string description() const override;

 private:
  const Group* GroupOf(std::string_view module) const;
  void PlaceInteger(const Group& group, const std::string& module, HfSource& source, Tensor& tensor) const;
  void PlaceFp8(const Group& group, const std::string& module, HfSource& source, Tensor& tensor) const;
  void PlaceFp4(const Group& group, const std::string& module, HfSource& source, Tensor& tensor) const;

  std::vector<Group> groups_;
  std::vector<ModuleTarget> ignore_;
  bool kv_cache_ = false, fp8_cache_ = false;
};

Group ReadGroup(const Json& json, const std::string& name, std::string_view format, const std::string& place) {
  auto present = [&](const char* key) { return json.contains(key) && !json[key].is_null(); };
  RequireKeys("compressed-tensors group", json, place);
  if (!present("weights")) Fail(ErrorKind::kUnsupported, "{}: a group without quantized weights", place);
  Group group;
  group.name = name;
  group.format = format;
  group.weights = ReadQuantizationArgs(json["weights"], true, place + ".weights");
  if (present("input_activations"))
    group.activations = ReadQuantizationArgs(json["input_activations"], false, place + ".input_activations");
  group.targets = ReadTargets(json, "targets", place);
  const FormatRow* row = std::find_if(std::begin(kFormats), std::end(kFormats),
                                      [&](const FormatRow& r) { return r.name == format && Holds(r, group.weights); });
  if (row == std::end(kFormats) || !group.weights.dynamic.empty())
    Fail(ErrorKind::kUnsupported, "{}: weights {} with {} activations in format {} are not supported", place,
         QuantizationArgsText(group.weights), group.activations ? QuantizationArgsText(*group.activations) : "16-bit",
         format);
  group.packing = row->packing;
  return group;
}

void RefuseUnless(const Json& object, const char* key, const std::string& where) {
  auto it = object.find(key);
  if (it != object.end() && !it->is_null() && !it->empty())
    Fail(ErrorKind::kUnsupported, "{}: {} is not supported", where, key);
}

CompressedTensors::CompressedTensors(const HfQuantizationInput& in) {
  const Json& json = in.json;
  const std::string& where = in.where;
  std::string status = JsonString(json, "quantization_status", where, "compressed");
  if (status != "compressed" && status != "frozen")
    Fail(ErrorKind::kUnsupported, "{}: quantization_status {}", where, status);
  std::string top = JsonString(json, "format", where, "dense");
  if (auto sparsity = json.find("sparsity_config");
      sparsity != json.end() && sparsity->is_object() && JsonString(*sparsity, "format", where, "dense") != "dense")
    RefuseUnless(json, "sparsity_config", where);
  RefuseUnless(json, "transform_config", where);
  if (auto cache = json.find("kv_cache_scheme"); cache != json.end() && cache->is_object()) {
    kv_cache_ = true;
    fp8_cache_ = IsFp8CacheScheme(*cache);
  }
  auto groups = json.find("config_groups");
  if (groups == json.end() || !groups->is_object() || groups->empty())
    Fail(ErrorKind::kInvalid, "{}: \"config_groups\" should be an object with at least one group", where);
  for (const auto& [name, group] : groups->items()) {
    std::string place = fmt::format("{}: {}", where, name);
    if (!group.is_object()) Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", place, group.type_name());
    groups_.push_back(ReadGroup(group, name, JsonString(group, "format", place, top), place));
  }
  ignore_ = ReadTargets(json, "ignore", where);
}

/// "W4A16".
std::string SchemeText(const Group& group) {
  const Args& w = group.weights;
  if (w.type == "float" && (w.bits == 4 || w.bits == 6))
    return fmt::format("{}{}{}", w.group_size == 16 ? "NVFP" : "MXFP", w.bits, group.activations ? "" : "A16");
  return fmt::format("W{}A{}{}", w.bits, group.activations ? group.activations->bits : 16,
                     w.symmetric ? "" : " asymmetric");
}

std::string CompressedTensors::description() const {
  std::string out;
  bool wide = false;
  for (const Group& group : groups_) {
    std::string text = fmt::format("compressed-tensors {} {}", group.format, SchemeText(group));
    out = out.empty() || out == text ? text : "compressed-tensors mixed-precision";
    wide |= !ActivationOf(group);
  }
  return out + (wide ? " (activations taken as 16-bit)" : "");
}

const Group* CompressedTensors::GroupOf(std::string_view module) const {
  if (MatchAny(ignore_, module, "Linear") > 0) return nullptr;
  const Group* best = nullptr;
  int best_match = 0;
  for (const Group& group : groups_) {
    int match = MatchAny(group.targets, module, "Linear");
    if (match > best_match) {
      best_match = match;
      best = &group;
    }
  }
  return best;
}

bool CompressedTensors::Quantizes(const std::string& module, const HfSource&) const {
  return GroupOf(module) != nullptr;
}

void CompressedTensors::Finish(HfSource& source) const {
  TakeCacheScales(source, kv_cache_, "kv_cache_scheme");
}

void CheckStatedShape(const Tensor& tensor, std::string_view why, const std::string& module, HfSource& source) {
  const SafetensorsTensor& shape = source.Take(module + ".weight_shape", why);
  if ((shape.dtype != "I64" && shape.dtype != "I32") || shape.shape.size() != 1 || shape.shape[0] > 3)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected I64 [2], found {} {}", source.FileOf(shape), shape.name,
         shape.dtype, ShapeText(shape.shape));
  std::vector<int64_t> stated = source.Integers(shape);
  if (stated != tensor.shape)
    Fail(ErrorKind::kCorrupt, "{}: tensor {} says {}, config.json expects {}", source.FileOf(shape), shape.name,
         ShapeText(stated), ShapeText(tensor.shape));
}

/// weight_packed: dense since 2026, before that 32 / bits codes a word.
PlaneSource PackedCodes(const Group& group, const std::string& module, std::string_view why, HfSource& source,
                        Tensor& tensor) {
  const int bits = static_cast<int>(group.weights.bits);
  const int64_t cols = tensor.cols;
  const SafetensorsTensor& packed = source.Take(module + ".weight_packed", why);
  const int64_t dense = DenseWordBytes(cols, bits) / 4, padded = PaddedBytes(cols, bits) / 4;
  std::vector<int64_t> shape = tensor.shape;
  shape.back() = padded != dense && !packed.shape.empty() && packed.shape.back() == padded ? padded : dense;
  source.Expect(packed, "I32", shape);
  CheckStatedShape(tensor, why, module, source);
  tensor.stored_bytes += packed.data.size();
  const int64_t words = shape.back();
  const std::byte* data = packed.data.data();
  if (bits < 8 && words * 32 == cols * bits) return {data, nullptr};
  const RowReader row_codes = [data, words, dense, bits, cols](int64_t row, uint8_t* codes) {
    std::span<const std::byte> from(data + row * words * 4, static_cast<size_t>(words * 4));
    std::span<uint8_t> to(codes, static_cast<size_t>(cols));
    words == dense ? UnpackDense(from, bits, to) : UnpackPadded(from, bits, to);
  };
  return {nullptr, LayCodes(bits, cols, [row_codes] { return row_codes; })};
}

/// weight: one int8 per code, whatever the bits.
PlaneSource WholeCodes(const Group& group, const std::string& module, std::string_view why, HfSource& source,
                       Tensor& tensor) {
  const int64_t bits = group.weights.bits, cols = tensor.cols;
  const SafetensorsTensor& weight = source.Take(module + ".weight", why);
  source.Expect(weight, "I8", tensor.shape);
  tensor.stored_bytes += weight.data.size();
  if (bits == 8) return {weight.data.data(), nullptr};
  const RowReader row_codes = [&weight, &source, bits, cols](int64_t row, uint8_t* codes) {
    const int half = 1 << (bits - 1);
    for (int64_t c = 0; c < cols; ++c) {
      int q = static_cast<int8_t>(weight.data[static_cast<size_t>(row * cols + c)]);
      if (q < -half || q >= half)
        Fail(ErrorKind::kCorrupt, "{}: tensor {}: row {} column {} is {}, beyond {} bits", source.FileOf(weight),
             weight.name, row, c, q, bits);
      codes[c] = static_cast<uint8_t>(q + half);
    }
  };
  return {nullptr, LayCodes(bits, cols, [row_codes] { return row_codes; })};
}

/// Entries of a row of scales in the file.
int64_t GroupsOf(const Group& group, int64_t cols) {
  const Args& w = group.weights;
  const int64_t width = w.strategy == "block" ? w.block[1] : w.group_size;
  return width > 0 ? (cols + width - 1) / width : 1;
}

/// Refuses another shape than the strategy gives scales, and zeros that are not packed: one, a column of rows, groups
/// of rows or blocks.
void CheckScaleShape(const Group& group, const SafetensorsTensor& found, const Tensor& tensor, const HfSource& source) {
  const int64_t rows = tensor.rows, groups = GroupsOf(group, tensor.cols);
  int64_t n = 1;
  for (int64_t dim : found.shape) n *= dim;
  const std::string& strategy = group.weights.strategy;
  if (strategy == "tensor") {
    if (n != 1) source.ExpectShape(found, {1});
  } else if (strategy == "channel") {
    if (n != rows) source.ExpectShape(found, {rows, 1});
  } else if (strategy == "block") {
    const int64_t height = group.weights.block[0];
    source.ExpectShape(found, {(rows + height - 1) / height, groups});
  } else {
    std::vector<int64_t> shape = tensor.shape;
    shape.back() = groups;
    source.ExpectShape(found, shape);
  }
}

/// Where in the file's scales, or zeros that are not packed, that of a row and group lies.
std::function<int64_t(int64_t row, int64_t at)> EntryOf(const Group& group, const Tensor& tensor) {
  const std::string& strategy = group.weights.strategy;
  if (strategy == "tensor") return [](int64_t, int64_t) { return 0; };
  const int64_t height = strategy == "block" ? group.weights.block[0] : 1, groups = GroupsOf(group, tensor.cols);
  return [height, groups](int64_t row, int64_t at) { return row / height * groups + at; };
}

/// weight_scale.
GroupReader Scales(const Group& group, const std::string& module, std::string_view why, HfSource& source,
                   Tensor& tensor) {
  const SafetensorsTensor& scale = source.Take(module + ".weight_scale", why);
  tensor.stored_bytes += scale.data.size();
  CheckScaleShape(group, scale, tensor, source);
  source.ExpectFloats(scale);
  return [&scale, &source, entry = EntryOf(group, tensor)](int64_t at, int64_t begin, int64_t n, float* out) {
    for (int64_t r = 0; r < n; ++r) source.Floats(scale, entry(begin + r, at), 0, 1, out + r);
  };
}

/// Zeros that are packed along the rows, [words, groups].
GroupReader PackedZeros(const Group& group, const SafetensorsTensor& zero, const Tensor& tensor,
                        const HfSource& source) {
  const int64_t rows = tensor.rows, groups = GroupsOf(group, tensor.cols);
  const int bits = static_cast<int>(group.weights.bits);
  const int64_t words = DenseWordBytes(rows, bits) / 4, padded = PaddedBytes(rows, bits) / 4;
  const bool old = padded != words && !zero.shape.empty() && zero.shape[0] == padded;
  source.Expect(zero, "I32", {old ? padded : words, groups});
  return [data = zero.data.data(), rows, groups, bits, old](int64_t at, int64_t begin, int64_t n, float* out) {
    // Rows that begin at a word, dense or padded.
    const int64_t unit = old ? 32 / bits : 32;
    std::array<std::byte, 32> column;
    std::array<uint8_t, 32> codes;
    for (int64_t first = begin / unit * unit; first < begin + n; first += unit) {
      const int64_t count = std::min(unit, rows - first), word = old ? first / unit : first / unit * bits;
      const int64_t bytes = old ? 4 : DenseWordBytes(count, bits);
      for (int64_t w = 0; w < bytes / 4; ++w)
        std::memcpy(column.data() + 4 * w, data + ((word + w) * groups + at) * 4, 4);
      const std::span<const std::byte> from(column.data(), static_cast<size_t>(bytes));
      const std::span<uint8_t> to(codes.data(), static_cast<size_t>(count));
      old ? UnpackPadded(from, bits, to) : UnpackDense(from, bits, to);
      for (int64_t row = std::max(begin, first); row < std::min(begin + n, first + count); ++row)
        out[row - begin] = static_cast<float>(codes[static_cast<size_t>(row - first)]);
    }
  };
}

/// weight_zero_point as unsigned codes.
GroupReader Zeros(const Group& group, const std::string& module, std::string_view why, HfSource& source,
                  Tensor& tensor) {
  const SafetensorsTensor& zero = source.Take(module + ".weight_zero_point", why);
  tensor.stored_bytes += zero.data.size();
  const std::string& strategy = group.weights.strategy;
  const bool packs = group.packing == Packing::kPacked && (strategy == "group" || strategy == "channel");
  if (zero.dtype == "I32" && packs) return PackedZeros(group, zero, tensor, source);
  if (zero.dtype != "I8")
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected dtype I8{}, found {} {}", source.FileOf(zero), zero.name,
         packs ? " or I32" : "", zero.dtype, ShapeText(zero.shape));
  CheckScaleShape(group, zero, tensor, source);
  return [&zero, &source, bits = group.weights.bits, entry = EntryOf(group, tensor)](int64_t at, int64_t begin,
                                                                                     int64_t n, float* out) {
    const int half = 1 << (bits - 1);
    for (int64_t r = 0; r < n; ++r) {
      const int value = static_cast<int8_t>(zero.data[static_cast<size_t>(entry(begin + r, at))]);
      if (value < -half || value >= half)
        Fail(ErrorKind::kCorrupt, "{}: tensor {}: a zero of {}, beyond {} bits", source.FileOf(zero), zero.name, value,
             bits);
      out[r] = static_cast<float>(value + half);
    }
  };
}

/// weight_g_idx; empty when the groups lie in order. Files that never used it hold -1.
std::vector<int32_t> ColumnGroups(const std::string& module, int64_t groups, HfSource& source, Tensor& tensor) {
  const SafetensorsTensor* index = source.TakeIfThere(module + ".weight_g_idx");
  if (!index) return {};
  source.Expect(*index, "I32", {tensor.cols});
  tensor.stored_bytes += index->data.size();
  std::vector<int64_t> values = source.Integers(*index);
  if (std::all_of(values.begin(), values.end(), [](int64_t v) { return v == -1; })) return {};
  std::vector<int32_t> out;
  bool in_order = true;
  const int64_t width = (tensor.cols + groups - 1) / groups;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] >= groups)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: column {} has group {} of {}", source.FileOf(*index), index->name, i,
           values[i], groups);
    in_order &= values[i] == static_cast<int64_t>(i) / width;
    out.push_back(static_cast<int32_t>(values[i]));
  }
  return in_order ? std::vector<int32_t>() : out;
}

/// input_scale, input_zero_point and input_global_scale of calibrated activations.
void TakeInputScales(const Group& group, const std::string& module, HfSource& source, Tensor& tensor) {
  const bool calibrated = group.activations && group.activations->dynamic != "true";
  for (const char* name : {".input_scale", ".input_zero_point", ".input_global_scale"}) {
    const SafetensorsTensor* found = source.Find(module + name);
    if (!found) continue;
    if (!calibrated)
      Fail(ErrorKind::kCorrupt,
           "{}: tensor {}{} is there, but config.json does not say that activations are calibrated", source.where(),
           module, name);
    source.Take(module + name, "");
    if (found->dtype == "I8") continue;  // zero points of asymmetric activations
    float value = source.Scalar(*found);
    source.side_scales[module + name] = {value};
    if (!(value > 0.0f))
      Fail(ErrorKind::kCorrupt, "{}: tensor {} is {}, expected a positive number", source.FileOf(*found), found->name,
           value);
    tensor.activation_scale = std::string_view(name) == ".input_global_scale" ? 1.0f / value : value;
  }
}

void CompressedTensors::PlaceInteger(const Group& group, const std::string& module, HfSource& source,
                                     Tensor& tensor) const {
  IntegerMatrix matrix;
  matrix.kind = KindOf(group);
  IntegerKind usual = matrix.kind;
  usual.activation = ActivationOf(group).value_or(ActivationKind::kBF16);
  if (IntegerFormat(usual, tensor.cols)) matrix.kind.activation = usual.activation;
  const Format* expected = IntegerFormat(matrix.kind, tensor.cols);
  const std::string why = group.Why(expected ? std::string(expected->name) : IntegerText(matrix.kind));
  if (matrix.kind.group > 0 && matrix.kind.block_rows == 1 && tensor.cols % matrix.kind.group != 0)
    Fail(ErrorKind::kCorrupt, "{}: {}: {} columns are not whole groups of {}", source.where(), module, tensor.cols,
         matrix.kind.group);
  matrix.codes = group.packing == Packing::kPacked ? PackedCodes(group, module, why, source, tensor)
                                                   : WholeCodes(group, module, why, source, tensor);
  matrix.scales = Scales(group, module, why, source, tensor);
  matrix.groups = GroupsOf(group, tensor.cols);
  if (!group.weights.symmetric)
    matrix.zeros = Zeros(group, module, why, source, tensor);
  else if (source.Find(module + ".weight_zero_point"))
    Fail(ErrorKind::kCorrupt, "{}: tensor {}.weight_zero_point is there, but config.json says symmetric",
         source.where(), module);
  matrix.column_group = ColumnGroups(module, matrix.groups, source, tensor);
  PlaceIntegers(std::move(matrix), source, module, tensor);
}

const Format& FloatFormat(const Group& group) {
  const Format* base = FloatBaseOf(group.weights);
  if (auto activation = ActivationOf(group))
    if (const Format* format = WithActivations(*base, *activation)) return *format;
  return *base;
}

void CheckColumns(const Format& format, const std::string& module, const HfSource& source, const Tensor& tensor) {
  if (!FitsColumns(format, tensor.cols))
    Fail(ErrorKind::kCorrupt, "{}: {}: {} columns do not fit format {}", source.where(), module, tensor.cols,
         format.name);
}

void CompressedTensors::PlaceFp8(const Group& group, const std::string& module, HfSource& source,
                                 Tensor& tensor) const {
  const Format& format = FloatFormat(group);
  const std::string why = group.Why(format.name);
  CheckColumns(format, module, source, tensor);
  tensor.format = &format;
  const SafetensorsTensor& weight = source.Take(module + ".weight", why);
  source.Expect(weight, "F8_E4M3", tensor.shape);
  tensor.codes.mapped = weight.data.data();
  tensor.stored_bytes += weight.data.size();
  if (group.packing == Packing::kMxfp8) {
    const SafetensorsTensor& scale = source.Take(module + ".weight_scale", why);
    std::vector<int64_t> shape = tensor.shape;
    shape.back() /= 32;
    source.Expect(scale, scale.dtype == "F8_E8M0" ? "F8_E8M0" : "U8", shape);
    tensor.scales.mapped = scale.data.data();
    tensor.stored_bytes += scale.data.size();
    return;
  }
  const GroupReader scales = Scales(group, module, why, source, tensor);
  if (format.scale_weights == 0) {
    scales(0, 0, 1, &tensor.global_scale);
    return;
  }
  const int64_t groups = ScalesPerRow(format, tensor.cols);
  tensor.scales.make = [scales, groups](int64_t begin, int64_t n, std::byte* out) {
    float* plane = reinterpret_cast<float*>(out);
    for (int64_t r = 0; r < n; ++r)
      for (int64_t g = 0; g < groups; ++g) scales(g, begin + r, 1, plane + r * groups + g);
  };
}

void CompressedTensors::PlaceFp4(const Group& group, const std::string& module, HfSource& source,
                                 Tensor& tensor) const {
  const Format& format = FloatFormat(group);
  const std::string why = group.Why(format.name);
  CheckColumns(format, module, source, tensor);
  tensor.format = &format;
  std::vector<int64_t> code_shape = tensor.shape, scale_shape = tensor.shape;
  code_shape.back() = CodesBytes(format, 1, tensor.cols);
  scale_shape.back() /= format.scale_weights;
  const SafetensorsTensor& packed = source.Take(module + ".weight_packed", why);
  source.Expect(packed, "U8", code_shape);
  const SafetensorsTensor& scale = source.Take(module + ".weight_scale", why);
  if (format.has_global) {
    source.Expect(scale, "F8_E4M3", scale_shape);
    const SafetensorsTensor& global = source.Take(module + ".weight_global_scale", why);
    std::vector<float> value = source.Floats(global);
    if (value.size() != 1 || !(value[0] > 0.0f))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected one positive number, found {} {}", source.FileOf(global),
           global.name, ShapeText(global.shape), value.empty() ? 0.0f : value[0]);
    tensor.global_divisor = value[0];
    tensor.stored_bytes += global.data.size();
  } else {
    source.Expect(scale, scale.dtype == "F8_E8M0" ? "F8_E8M0" : "U8", scale_shape);
  }
  tensor.codes.mapped = packed.data.data();
  tensor.scales.mapped = scale.data.data();
  tensor.stored_bytes += packed.data.size() + scale.data.size();
}

void CompressedTensors::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  const Group& group = *GroupOf(module);
  if (group.integer())
    PlaceInteger(group, module, source, tensor);
  else if (group.packing == Packing::kFp4)
    PlaceFp4(group, module, source, tensor);
  else
    PlaceFp8(group, module, source, tensor);
  TakeInputScales(group, module, source, tensor);
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseCompressedTensors(const HfQuantizationInput& in) {
  return std::make_unique<CompressedTensors>(in);
}

}  // namespace assay
