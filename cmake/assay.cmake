# The headers that most files include are precompiled once, by room_base, for all that are compiled with its flags.
function(assay_prefix target)
  if(target MATCHES "^room_(base|format|kernel)$")
    target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/prefix.h)
  else()
    target_precompile_headers(${target} REUSE_FROM room_base)
  endif()
endfunction()

# One static library per room of the house: assay_room(<folder> [rooms and libraries it may use]).
# Every .cc file directly in src/<folder> or below it belongs to the room.
function(assay_room name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  if(NOT sources)
    add_library(room_${name} INTERFACE)
    set(kind INTERFACE)
  else()
    add_library(room_${name} STATIC ${sources})
    set(kind PUBLIC)
  endif()
  target_include_directories(room_${name} ${kind} ${CMAKE_SOURCE_DIR}/src)
  if(kind STREQUAL "PUBLIC")
    target_compile_options(room_${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wconversion>)  # clang counts signs too
  endif()
  target_link_libraries(room_${name} ${kind} ${ARGN})
  if(kind STREQUAL "PUBLIC")
    assay_prefix(room_${name})
  endif()
endfunction()
