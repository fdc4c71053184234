# The house, floor by floor (DESIGN.md section 2): a room may use rooms below it, never a sibling on its own floor.
# tools/check_layers.py holds the includes against this table.

# F0
assay_room(base fmt::fmt nlohmann_json::nlohmann_json OpenSSL::Crypto PkgConfig::XXHASH)
# F1
assay_room(system room_base Threads::Threads CURL::libcurl)
assay_room(number room_base)
assay_room(statistics room_base Boost::boost)
# F2
assay_room(tensor room_system room_number)
assay_room(text room_system PkgConfig::PCRE2 PkgConfig::UTF8PROC)
assay_room(record room_system room_statistics SQLite::SQLite3)
# F3
assay_room(format room_tensor room_number room_system)
assay_room(evidence room_record room_statistics)
# Vector loops copy lanes by memcpy. With its checked form g++ 12 gave two instruction sets other bytes of q2_k (the test
# GgufTypes.SameBytesOnEveryInstructionSet); sizes here are constants, so nothing is lost without it.
target_compile_options(room_format PRIVATE "SHELL:-U _FORTIFY_SOURCE")
# F4
assay_room(kernel room_format)
target_compile_options(room_kernel PRIVATE "SHELL:-U _FORTIFY_SOURCE")
assay_room(checkpoint room_format room_text)
assay_room(report room_record room_evidence)
# F5
assay_room(model room_kernel room_checkpoint room_text)
assay_room(quantize room_format room_checkpoint)
assay_room(task room_record room_text PkgConfig::PCRE2)
# F6
assay_room(engine room_model room_task)
# F7
assay_room(convert room_quantize room_checkpoint room_record)
# F8
file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.cc)
if(cli_sources)
  add_executable(assay ${cli_sources})
  target_link_libraries(assay PRIVATE room_engine room_convert room_report CLI11::CLI11)
  target_compile_definitions(assay PRIVATE ASSAY_VERSION="${PROJECT_VERSION}")
  set_target_properties(assay PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endif()
