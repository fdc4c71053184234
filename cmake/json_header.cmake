# A copy of <nlohmann/json.hpp> without its literals ("..."_json). Each is an ordinary inline function, so every file that
# includes the header instantiates a parser of the library's other kind of object, which nobody here uses: a sixth of the
# time that a typical file takes. Where the header looks otherwise, it is used as it is.
get_target_property(json_folder nlohmann_json::nlohmann_json INTERFACE_INCLUDE_DIRECTORIES)
find_file(JSON_HEADER nlohmann/json.hpp HINTS ${json_folder} REQUIRED)
file(READ ${JSON_HEADER} json_text)

# Takes out of json_text what lies from `begin` to the end of the first `end` behind it.
function(assay_without begin end)
  string(FIND "${json_text}" "${begin}" from)
  if(from LESS 0)
    message(STATUS "${JSON_HEADER}: no \"${begin}\" in it; used as it is, and slower to compile")
    return()
  endif()
  string(SUBSTRING "${json_text}" 0 ${from} before)
  string(SUBSTRING "${json_text}" ${from} -1 rest)
  string(FIND "${rest}" "${end}" to)
  string(LENGTH "${end}" length)
  math(EXPR to "${to} + ${length}")
  string(SUBSTRING "${rest}" ${to} -1 after)
  set(json_text "${before}${after}" PARENT_SCOPE)
endfunction()
assay_without("inline namespace literals" "}  // namespace literals")
assay_without("#if JSON_USE_GLOBAL_UDLS" "#endif")

set(json_copy ${CMAKE_BINARY_DIR}/include/nlohmann/json.hpp)
if(EXISTS ${json_copy})
  file(READ ${json_copy} json_old)
endif()
if(NOT json_text STREQUAL json_old)
  file(WRITE ${json_copy} "${json_text}")
endif()
include_directories(BEFORE SYSTEM ${CMAKE_BINARY_DIR}/include)
