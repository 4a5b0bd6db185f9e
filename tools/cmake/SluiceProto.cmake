# SPDX-License-Identifier: Apache-2.0
# sluice_proto(TARGET ROOT FILE): generates C++ messages for ROOT/FILE into TARGET, and FILE.desc, the descriptor set
# with comments, which is embedded as `extern const std::string_view` by sluice_embed.
function(sluice_proto target root file)
  cmake_path(REMOVE_EXTENSION file OUTPUT_VARIABLE stem)
  set(out ${CMAKE_BINARY_DIR}/proto)
  set(generated ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
  cmake_path(GET stem PARENT_PATH sub)
  file(MAKE_DIRECTORY ${out}/${sub})
  add_custom_command(
    OUTPUT ${generated} ${out}/${stem}.desc
    COMMAND protobuf::protoc -I ${root} -I ${CMAKE_SOURCE_DIR}/include -I ${CMAKE_SOURCE_DIR}/src --cpp_out=${out}
            --descriptor_set_out=${out}/${stem}.desc --include_source_info --include_imports ${root}/${file}
    DEPENDS ${root}/${file} ${CMAKE_SOURCE_DIR}/include/sluice/options.proto
    VERBATIM)
  set_source_files_properties(${generated} PROPERTIES GENERATED TRUE SKIP_LINTING ON)
  set_source_files_properties(${out}/${stem}.pb.cc PROPERTIES COMPILE_OPTIONS "-Wno-error")
  target_sources(${target} PRIVATE ${generated})
endfunction()
