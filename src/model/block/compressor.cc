#include "model/block/compressor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace assay {
namespace {

/// Positions whose keys an open entry keeps.
int64_t RingRows(const LayerConfig& layer) {
  return layer.overlapped ? 2 * layer.compress : layer.compress;
}

int64_t PositionWidth(const LayerConfig& layer, int64_t dim) {
  return layer.overlapped ? 2 * dim : dim;
}

}  // namespace

int64_t OpenEntryFloats(const LayerConfig& layer, int64_t dim) {
  return RingRows(layer) * 2 * PositionWidth(layer, dim);
}

Compressor::Compressor(const BlockContext& context, const WeightReader& reader, const std::string& name, int64_t dim,
                       int plane, int64_t offset)
    : config_(context.config),
      rope_(context.ropes.main()),
      index_(context.index),
      layer_(context.layer),
      dim_(dim),
      width_(PositionWidth(layer_, dim)),
      plane_(plane),
      offset_(offset) {
  kv_ = reader.ReadLinear(name + "_kv", width_, config_.hidden);
  gate_ = reader.ReadLinear(name + "_gate", width_, config_.hidden);
  places_ = reader.ReadTable(name + "_ape.weight", layer_.compress, width_);
  norm_ = reader.ReadVector(name + "_norm.weight", dim);
}

Compressor::Scratch::Scratch(Arena& arena, const Compressor& compressor, const BatchShape& shape)
    : kv(arena.Floats(shape.n * compressor.width_)),
      gate(arena.Floats(shape.n * compressor.width_)),
      entry(arena.Floats(compressor.dim_)) {}

// A position into the ring [RingRows, 2, width]: keys, then their weights.
void Compressor::Take(const float* kv, const float* gate, int64_t position, float* ring) const {
  const int64_t place = position % layer_.compress;
  float* row = ring + position % RingRows(layer_) * 2 * width_;
  std::memcpy(row, kv, static_cast<size_t>(width_) * 4);
  for (int64_t d = 0; d < width_; ++d) row[width_ + d] = gate[d] + places_[static_cast<size_t>(place * width_ + d)];
}

// The entry [dim] of the run that ends at `position`, turned as its first one.
void Compressor::Make(int64_t position, const float* ring, float* entry) const {
  const int64_t first = position + 1 - layer_.compress, rows = RingRows(layer_);
  const int64_t from = layer_.overlapped ? std::max<int64_t>(0, first - layer_.compress) : first;
  auto key = [&](int64_t p, int64_t d) {
    const bool here = p >= first && layer_.overlapped;  // the second half of a row is for the row's own entry
    return ring + p % rows * 2 * width_ + (here ? dim_ : 0) + d;
  };
  for (int64_t d = 0; d < dim_; ++d) {
    float largest = key(from, d)[width_], sum = 0, weighed = 0;
    for (int64_t p = from + 1; p <= position; ++p) largest = std::max(largest, key(p, d)[width_]);
    for (int64_t p = from; p <= position; ++p) {
      const float weight = std::exp(key(p, d)[width_] - largest);
      sum += weight;
      weighed += weight * *key(p, d);
    }
    entry[d] = weighed / sum;
  }
  RmsNorm(entry, norm_.data(), dim_, static_cast<float>(config_.rms_epsilon), entry);
  const int64_t rotary = config_.compressed.rope_dim;
  Vector angles(static_cast<size_t>(rotary));
  rope_.Angles(first, angles.data(), angles.data() + rotary / 2);
  Rope(entry + dim_ - rotary, 1, dim_, rotary, angles.data(), angles.data() + rotary / 2, config_.rope_interleaved);
}

// One token after the other: an entry is of its sequence alone.
void Compressor::Run(const Pass& pass, const Scratch& scratch, const float* x) const {
  Multiply(pass, {x, config_.hidden}, pass.n(), {{kv_, {scratch.kv, width_}}, {gate_, {scratch.gate, width_}}});
  for (int64_t t = 0; t < pass.n(); ++t) {
    Sequence& sequence = pass.sequence(t);
    const int64_t position = pass.position(t);
    float* ring = sequence.State(index_) + offset_;
    Take(scratch.kv + t * width_, scratch.gate + t * width_, position, ring);
    if ((position + 1) % layer_.compress != 0) continue;
    Make(position, ring, scratch.entry);
    sequence.Write(index_, plane_, position / layer_.compress, scratch.entry);
  }
}

void Compressor::VisitLinears(const LinearVisitor& visit) const {
  visit(kv_);
  visit(gate_);
}

}  // namespace assay
