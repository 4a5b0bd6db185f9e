# SPDX-License-Identifier: Apache-2.0
# sluice_proto(TARGET ROOT FILE): generates C++ messages for ROOT/FILE into TARGET; they are included by FILE's path below
# ROOT ("vxlan/vxlan.pb.h"). The generated code carries the file's description with its comments, which Describe serves.
# Files below include/ are exported from libsluice, so that plugins share them.
set(SLUICE_PROTO_EMBED ${CMAKE_CURRENT_LIST_DIR}/embed_descriptor.cmake)

function(sluice_proto target root file)
  cmake_path(REMOVE_EXTENSION file OUTPUT_VARIABLE stem)
  set(out ${CMAKE_BINARY_DIR}/proto)
  set(generated ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
  cmake_path(GET stem PARENT_PATH sub)
  file(MAKE_DIRECTORY ${out}/${sub})
  set(cpp_out ${out})
  set(source_root)
  if(NOT SLUICE_OUT_OF_TREE)
    set(source_root -I ${CMAKE_SOURCE_DIR}/src)
  endif()
  if(root STREQUAL "${SLUICE_INCLUDE_DIR}")
    set(cpp_out dllexport_decl=SLUICE_PROTO_API:${out})
  endif()
  add_custom_command(
    OUTPUT ${generated} ${out}/${stem}.desc
    COMMAND protobuf::protoc -I ${root} -I ${SLUICE_INCLUDE_DIR} ${source_root} --cpp_out=${cpp_out}
            --descriptor_set_out=${out}/${stem}.desc --include_source_info ${root}/${file}
    COMMAND ${CMAKE_COMMAND} -D DESCRIPTOR=${out}/${stem}.desc -D OUTPUT=${out}/${stem}.pb.cc -P ${SLUICE_PROTO_EMBED}
    DEPENDS ${root}/${file} ${SLUICE_INCLUDE_DIR}/sluice/options.proto ${SLUICE_PROTO_EMBED}
    VERBATIM)
  set_source_files_properties(${generated} PROPERTIES GENERATED TRUE SKIP_LINTING ON)
  # A file that is used from another directory than the one that makes it needs a target to order them.
  string(MAKE_C_IDENTIFIER "${stem}" id)
  add_custom_target(sluice_proto_${id} DEPENDS ${generated})
  add_dependencies(${target} sluice_proto_${id})
  if(NOT id STREQUAL "sluice_options" AND NOT SLUICE_OUT_OF_TREE)
    add_dependencies(${target} sluice_proto_sluice_options)
  endif()
  target_sources(${target} PRIVATE ${generated})
endfunction()
