#include "system/build_id.h"

#include <elf.h>
#include <fmt/core.h>
#include <link.h>

#include <cstring>

namespace assay {

std::string BuildId() {
  std::string id;
  // The program comes first; its notes are mapped.
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          if (info->dlpi_phdr[i].p_type != PT_NOTE) continue;
          const auto* at = reinterpret_cast<const char*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
          const char* end = at + info->dlpi_phdr[i].p_memsz;
          while (at + sizeof(ElfW(Nhdr)) <= end) {
            const auto* note = reinterpret_cast<const ElfW(Nhdr)*>(at);
            const char* name = at + sizeof *note;
            const char* text = name + (note->n_namesz + 3) / 4 * 4;
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0)
              for (size_t k = 0; k < note->n_descsz; ++k)
                *static_cast<std::string*>(out) += fmt::format("{:02x}", static_cast<unsigned char>(text[k]));
            at = text + (note->n_descsz + 3) / 4 * 4;
          }
        }
        return 1;
      },
      &id);
  return id;
}

}  // namespace assay
