// SentencePiece tokenizer.model: a protobuf ModelProto (google/sentencepiece, sentencepiece_model.proto), read field by
// field.

#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "text/files/tokenizer_files.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/unigram.h"

namespace assay {
namespace {

constexpr size_t kMaxPieces = 4'000'000;

// One message on the wire; every field is checked against the end before it is taken.
class Reader {
 public:
  Reader(std::string_view data, std::string name) : data_(data), name_(std::move(name)) {}

  struct Field {
    uint64_t number = 0;
    uint32_t wire = 0;
    uint64_t value = 0;      // wire type 0
    std::string_view bytes;  // wire types 1, 2 and 5
  };

  bool Next(Field& field) {
    if (data_.empty()) return false;
    uint64_t tag = Varint();
    field.number = tag >> 3;
    field.wire = static_cast<uint32_t>(tag & 7);
    if (field.number == 0) Fail(ErrorKind::kCorrupt, "{}: field number 0", name_);
    switch (field.wire) {
      case 0:
        field.value = Varint();
        break;
      case 1:
        field.bytes = Take(8);
        break;
      case 2:
        field.bytes = Take(Varint());
        break;
      case 5:
        field.bytes = Take(4);
        break;
      default:
        Fail(ErrorKind::kCorrupt, "{}: field {}: wire type {} does not exist", name_, field.number, field.wire);
    }
    return true;
  }

  std::string_view Bytes(const Field& field) const { return Expect(field, 2), field.bytes; }
  uint64_t Number(const Field& field) const { return Expect(field, 0), field.value; }
  bool Flag(const Field& field) const { return Number(field) != 0; }
  int32_t Int(const Field& field) const { return static_cast<int32_t>(Number(field)); }
  float Float(const Field& field) const {
    Expect(field, 5);
    uint32_t bits;
    std::memcpy(&bits, field.bytes.data(), 4);
    return std::bit_cast<float>(bits);
  }
  const std::string& name() const { return name_; }

 private:
  void Expect(const Field& field, uint32_t wire) const {
    if (field.wire != wire)
      Fail(ErrorKind::kCorrupt, "{}: field {}: expected wire type {}, found {}", name_, field.number, wire, field.wire);
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (data_.empty()) Fail(ErrorKind::kCorrupt, "{}: ends inside a number", name_);
      auto byte = static_cast<unsigned char>(data_[0]);
      data_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    Fail(ErrorKind::kCorrupt, "{}: a number longer than 64 bits", name_);
  }
  std::string_view Take(uint64_t n) {
    if (n > data_.size())
      Fail(ErrorKind::kCorrupt, "{}: a field of {} bytes where {} are left", name_, n, data_.size());
    std::string_view taken = data_.substr(0, static_cast<size_t>(n));
    data_.remove_prefix(static_cast<size_t>(n));
    return taken;
  }
  std::string_view data_;
  std::string name_;
};

struct Settings {
  int model_type = 1;  // TrainerSpec.model_type: 1 unigram, 2 BPE, 3 word, 4 char
  bool byte_fallback = false, whitespace_as_suffix = false;
  int32_t unk = 0, bos = 1, eos = 2, pad = -1;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  std::string charsmap;
};

void ReadPiece(std::string_view data, TokenizerSpec& spec, std::string_view where) {
  size_t index = spec.tokens.size();
  if (index >= kMaxPieces) Fail(ErrorKind::kCorrupt, "{}: more than {} pieces", where, kMaxPieces);
  Reader reader(data, std::string(where) + ": piece " + std::to_string(index));
  Reader::Field field;
  std::string text;
  float score = 0;
  uint64_t type = 1;
  while (reader.Next(field)) {
    if (field.number == 1) text = reader.Bytes(field);
    if (field.number == 2) score = reader.Float(field);
    if (field.number == 3) type = reader.Number(field);
  }
  if (type < 1 || type > 6) Fail(ErrorKind::kCorrupt, "{}: type {} does not exist", reader.name(), type);
  if (!std::isfinite(score)) Fail(ErrorKind::kCorrupt, "{}: its score is not a finite number", reader.name());
  if (!IsValidUtf8(text)) Fail(ErrorKind::kCorrupt, "{}: not UTF-8", reader.name());
  spec.tokens.push_back(std::move(text));
  spec.scores.push_back(score);
  spec.types.push_back(static_cast<TokenType>(type));
}

void ReadTrainer(std::string_view data, Settings& settings, std::string_view where) {
  Reader reader(data, std::string(where) + ": trainer_spec");
  Reader::Field field;
  while (reader.Next(field)) {
    switch (field.number) {
      case 3:
        settings.model_type = reader.Int(field);
        break;
      case 24:
        settings.whitespace_as_suffix = reader.Flag(field);
        break;
      case 35:
        settings.byte_fallback = reader.Flag(field);
        break;
      case 40:
        settings.unk = reader.Int(field);
        break;
      case 41:
        settings.bos = reader.Int(field);
        break;
      case 42:
        settings.eos = reader.Int(field);
        break;
      case 43:
        settings.pad = reader.Int(field);
        break;
      default:
        break;
    }
  }
}

void ReadNormalizerSpec(std::string_view data, Settings& settings, std::string_view where) {
  Reader reader(data, std::string(where) + ": normalizer_spec");
  Reader::Field field;
  while (reader.Next(field)) {
    switch (field.number) {
      case 2:
        settings.charsmap = reader.Bytes(field);
        break;
      case 3:
        settings.add_dummy_prefix = reader.Flag(field);
        break;
      case 4:
        settings.remove_extra_whitespaces = reader.Flag(field);
        break;
      case 5:
        settings.escape_whitespaces = reader.Flag(field);
        break;
      default:
        break;
    }
  }
}

}  // namespace

TokenizerSpec TokenizerSpecFromSentencePiece(std::span<const std::byte> model_proto, std::string_view where) {
  TokenizerSpec spec;
  Settings settings;
  Reader reader({reinterpret_cast<const char*>(model_proto.data()), model_proto.size()}, std::string(where));
  Reader::Field field;
  while (reader.Next(field)) {
    if (field.number == 1) ReadPiece(reader.Bytes(field), spec, where);
    if (field.number == 2) ReadTrainer(reader.Bytes(field), settings, where);
    if (field.number == 3) ReadNormalizerSpec(reader.Bytes(field), settings, where);
  }
  if (spec.tokens.empty()) Fail(ErrorKind::kCorrupt, "{}: no pieces", where);
  if (settings.model_type != 1 && settings.model_type != 2)
    Fail(ErrorKind::kUnsupported, "{}: SentencePiece model type {} (supported: 1 unigram, 2 BPE)", where,
         settings.model_type);
  if (settings.whitespace_as_suffix) Fail(ErrorKind::kUnsupported, "{}: white space as suffix", where);
  if (!settings.escape_whitespaces) Fail(ErrorKind::kUnsupported, "{}: unescaped white space", where);
  spec.model = settings.model_type == 1 ? TokenizerModel::kUnigram : TokenizerModel::kSentencePieceBpe;
  spec.add_space_prefix = settings.add_dummy_prefix;
  spec.remove_extra_whitespaces = settings.remove_extra_whitespaces;
  spec.precompiled_charsmap = settings.charsmap;
  auto in_range = [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < spec.tokens.size() ? id : -1; };
  spec.unk = in_range(settings.unk);
  spec.bos = in_range(settings.bos);
  spec.eos = in_range(settings.eos);
  spec.pad = in_range(settings.pad);
  spec.drop_unknown = spec.unk < 0;
  spec.pre = "default";
  CompleteSpec(spec, where);
  spec.byte_fallback = settings.byte_fallback;
  return spec;
}

TokenizerSpec TokenizerSpecFromSentencePiece(std::span<const std::byte> model_proto, const TokenizerSettings& settings,
                                             std::string_view where) {
  TokenizerSpec spec = TokenizerSpecFromSentencePiece(model_proto, where);
  TokenAdder adder(spec, spec.tokens.size(), TokenAdder::Ids::kRenaming);
  const Json json = ApplySettings(settings, spec, adder, where);
  const Node config(json, std::string(where) + ": tokenizer_config.json");
  spec.add_bos = spec.bos >= 0;
  ApplyFlags(config, spec);
  const bool prefix = config.Bool("add_prefix_space", spec.add_space_prefix);
  const bool first_only = !config.Bool("legacy", true);
  spec.add_space_prefix = prefix && !first_only;
  spec.normalizer = SentencePieceNormalizer(spec);
  if (!first_only) return spec;
  // A mark in front of the text, where it does not begin with a space, and none after special tokens.
  spec.normalizer.pop_back();
  PreTokenizerStep marks{PreTokenizerStep::Kind::kMetaspace};
  marks.pattern = "\xe2\x96\x81";  // ▁
  marks.split = spec.model == TokenizerModel::kUnigram;
  marks.prepend = prefix ? PrependScheme::kFirst : PrependScheme::kNever;
  spec.pre_steps = {marks};
  spec.add_space_prefix = prefix;
  return spec;
}

}  // namespace assay
