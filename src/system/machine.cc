#include "system/machine.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"

namespace assay {
namespace {

#if defined(__x86_64__)
// clang 14's __builtin_cpu_supports does not know the name.
bool HasF16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}
#endif

CpuFeatures Probe() {
  CpuFeatures f;
#if defined(__x86_64__)
  __builtin_cpu_init();
  f.avx2_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c();
  f.avx512 = f.avx2_fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  f.avx512_vnni = f.avx512 && __builtin_cpu_supports("avx512vnni");
  f.avx512_bf16 = f.avx512 && __builtin_cpu_supports("avx512bf16");
#endif
  return f;
}

CpuFeatures& Features() {
  static CpuFeatures features = Probe();
  return features;
}

uint64_t StatusField(const std::string& name) {
  std::ifstream in("/proc/self/status");
  std::string line;
  while (std::getline(in, line))
    if (line.rfind(name, 0) == 0) return std::stoull(line.substr(name.size())) * 1024;
  return 0;
}

}  // namespace

const CpuFeatures& Cpu() {
  return Features();
}

void LimitCpu(const std::string& level) {
  CpuFeatures probed = Probe();
  CpuFeatures f;
  if (level == "scalar") {
  } else if (level == "avx2") {
    f.avx2_fma = probed.avx2_fma;
  } else if (level == "avx512") {
    f = probed;
  } else {
    Fail(ErrorKind::kInvalid, "instruction set \"{}\": expected scalar, avx2 or avx512", level);
  }
  Features() = f;
}

std::string CpuName() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line))
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

std::string CpuFeatureText(const CpuFeatures& f) {
  if (!f.avx2_fma) return "scalar";
  if (!f.avx512) return "avx2";
  return fmt::format("avx512{}{}", f.avx512_vnni ? "+vnni" : "", f.avx512_bf16 ? "+bf16" : "");
}

uint64_t PeakMemoryBytes() {
  return StatusField("VmHWM:");
}

bool ResetPeakMemory() {
  std::ofstream out("/proc/self/clear_refs");
  out << "5";
  out.flush();
  return out.good();
}

uint64_t MemoryLimitBytes() {
  uint64_t limit = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
  // Of a group and of all that it is in; a file that says "max" has no number.
  auto consider = [&](const std::filesystem::path& root, const std::filesystem::path& group, const char* file) {
    for (std::filesystem::path at = group.relative_path();; at = at.parent_path()) {
      std::ifstream in(root / at / file);
      if (uint64_t bytes = 0; in >> bytes) limit = std::min(limit, bytes);
      if (at.empty()) return;
    }
  };
  std::ifstream groups("/proc/self/cgroup");  // HIERARCHY:CONTROLLERS:PATH
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) consider("/sys/fs/cgroup", path, "memory.max");
    if (controllers == "memory") consider("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
  }
  return limit;
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string UtcTimestamp() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace assay
