#pragma once
// Tensors of files against the places that the model's description gives them (describe/slots.h).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "describe/config_check.h"
#include "describe/rope_tables.h"
#include "describe/slots.h"
#include "describe/tensor_order.h"

namespace assay {

/// Whether a matrix [rows, cols] in a packed format can lie there: no block and no scale of it may reach into its
/// neighbours.
bool FitsPlace(const StoredPlace& place, const Format& format, int64_t rows, int64_t cols);

/// Replaces the tensors of a container that hold several of ours (fused projections, all experts of a layer) by their
/// parts; what cannot be mapped (rows in another order, transposed matrices, norms stored less one) is made when it is
/// loaded. Tensors are known by source_name. Throws Error{kCorrupt} for shapes that contradict the configuration.
void SplitStored(const Layout& layout, Container container, std::vector<Tensor>& tensors, std::string_view where);

/// Tensors against the configuration: missing, unknown, wrong shape, a table that holds no integers; a tied output that
/// is there all the same is Error{kCorrupt}.
void CheckTensors(const Layout& layout, const ModelConfig& config, const std::vector<Tensor>& tensors,
                  std::string_view where);
/// Tables name experts that there are, else Error{kCorrupt}.
void CheckTables(const ModelConfig& config, const std::vector<Tensor>& tensors, std::string_view where);

/// What a container keeps tables of ids in: the engines' own type.
const Format& TableFormat(Container container);

/// Row `row` of the target, decoded; out [cols].
void DecodeInOrder(const PackedView& source, const TensorOrder& order, int64_t row, float* out);

}  // namespace assay
