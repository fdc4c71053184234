# The house, floor by floor (docs/house.md): a room may use the rooms that its row names, which are below it, and base; never a
# sibling on its own floor. tools/check_layers.py holds every include against this table, and the table against the includes.

# F0
assay_room(base fmt::fmt nlohmann_json::nlohmann_json OpenSSL::Crypto PkgConfig::XXHASH PkgConfig::YAML)
# F1
assay_room(system room_base Threads::Threads CURL::libcurl)
assay_room(number room_base)
assay_room(statistics room_base Boost::boost)
# F2
assay_room(jinja room_base PkgConfig::UTF8PROC)
assay_room(schema room_base PkgConfig::PCRE2)
assay_room(text room_base PkgConfig::PCRE2 PkgConfig::UTF8PROC)
assay_room(record room_system room_statistics SQLite::SQLite3)
# F3
assay_room(format room_system room_number)
assay_room(describe room_base room_statistics)
assay_room(dialect room_jinja room_schema room_text PkgConfig::UTF8PROC)
assay_room(evidence room_statistics room_record)
# Vector loops copy lanes by memcpy. With its checked form g++ 12 gave two instruction sets other bytes of q2_k (the test
# GgufTypes.SameBytesOnEveryInstructionSet); sizes here are constants, so nothing is lost without it.
target_compile_options(room_format PRIVATE "SHELL:-U _FORTIFY_SOURCE")
# F4
assay_room(kernel room_system room_number room_format)
target_compile_options(room_kernel PRIVATE "SHELL:-U _FORTIFY_SOURCE")
assay_room(checkpoint room_system room_number room_text room_format room_describe room_dialect)
assay_room(report room_record room_evidence)
# F5
assay_room(model room_system room_describe room_kernel room_checkpoint)
assay_room(quantize room_number room_format room_checkpoint)
assay_room(task room_system room_statistics room_schema room_text room_record room_dialect PkgConfig::PCRE2)
# F6
assay_room(engine room_system room_statistics room_text room_record room_dialect room_kernel room_checkpoint room_model room_task)
assay_room(remote room_system room_statistics room_text room_record room_dialect room_task CURL::libcurl)
assay_room(capture room_text room_dialect room_task PkgConfig::PCRE2)
# F7
assay_room(convert room_system room_number room_statistics room_record room_format room_describe room_checkpoint room_quantize)
assay_room(serve room_system room_text room_record room_dialect room_report room_task room_remote CURL::libcurl ${HTTPLIB_LINK_LIBRARIES})
# Two files include the library, with the switches that it was built with; they are nobody else's.
set_source_files_properties(src/serve/proxy.cc src/serve/page_server.cc PROPERTIES COMPILE_OPTIONS "${HTTPLIB_CFLAGS_OTHER}" SKIP_PRECOMPILE_HEADERS ON)
assay_room(import room_text room_record room_dialect room_task room_capture)
# F8
file(GLOB_RECURSE cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.cc)
if(cli_sources)
  add_executable(assay ${cli_sources})
  target_link_libraries(assay PRIVATE room_engine room_remote room_capture room_import room_convert room_serve room_report CLI11::CLI11)
  target_compile_options(assay PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wconversion>)  # clang counts signs too
  assay_prefix(assay)
  target_compile_definitions(assay PRIVATE ASSAY_VERSION="${PROJECT_VERSION}")
  set_target_properties(assay PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  if(NOT ASSAY_SANITIZE)
    include(cmake/install.cmake)  # nobody installs a checked build
  endif()
endif()
