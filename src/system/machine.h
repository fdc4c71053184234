#pragma once
// What this machine is, and what this process has used.

#include <cstdint>
#include <string>

namespace assay {

/// Instruction sets that the processor has and the operating system enables. `ASSAY_ISA` is read by cli/ only and
/// passed to LimitCpu.
struct CpuFeatures {
  bool avx2_fma = false;     // AVX2, FMA3 and F16C
  bool avx512 = false;       // F, BW, VL, DQ
  bool avx512_vnni = false;  // with avx512
  bool avx512_bf16 = false;  // with avx512
};
/// The probed features, less what LimitCpu took away.
const CpuFeatures& Cpu();
/// Restricts the features for this process ("scalar", "avx2", "avx512"): for tests and to compare paths. Call before
/// loading a model.
void LimitCpu(const std::string& level);
std::string CpuName();
/// "avx512+vnni+bf16", "avx2" or "scalar".
std::string CpuFeatureText(const CpuFeatures& features);

/// Resident set high-water mark of this process (VmHWM), bytes; ResetPeakMemory() starts it anew where the kernel
/// allows.
uint64_t PeakMemoryBytes();
bool ResetPeakMemory();
/// That this process may have: the machine's memory, or the limit of its control groups (containers) where that is
/// less.
uint64_t MemoryLimitBytes();

/// Seconds on a monotonic clock.
double Now();
/// "2026-11-22T01:02:03Z".
std::string UtcTimestamp();

}  // namespace assay
