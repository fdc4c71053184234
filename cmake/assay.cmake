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
  target_link_libraries(room_${name} ${kind} ${ARGN})
endfunction()
