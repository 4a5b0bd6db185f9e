# SPDX-License-Identifier: Apache-2.0
# Headers of the standard library and of other projects, parsed once for the tree: half of a file's time to compile. Our
# own headers are not among them, and whatever a file forgets to include is missed by clang-tidy, which uses none of this.
#
# sluice_precompiled(TARGET LIBRARY|PROGRAM|TEST): position-independent code and programs need one each.
option(SLUICE_PRECOMPILED "precompile the headers of the standard library and of other projects" ON)
set(common <algorithm> <array> <atomic> <chrono> <filesystem> <fstream> <functional> <iostream> <map> <memory> <optional>
           <set> <sstream> <string> <thread> <unordered_map> <variant> <vector>
           <absl/status/statusor.h> <fmt/format.h> <google/protobuf/descriptor.h> <google/protobuf/message.h>)

function(sluice_precompiled_set name kind)
  set(source ${CMAKE_BINARY_DIR}/precompiled/${name}.cc)
  if(kind STREQUAL "LIBRARY")
    file(CONFIGURE OUTPUT ${source} CONTENT "// Carries a precompiled header.\n")
    add_library(${name} OBJECT ${source})
  else()
    file(CONFIGURE OUTPUT ${source} CONTENT "// Carries a precompiled header.\nint main() {}\n")
    add_executable(${name} ${source})
  endif()
  target_link_libraries(${name} PRIVATE sluice_headers)
  target_precompile_headers(${name} PRIVATE ${common})
  if(kind STREQUAL "TEST")
    target_link_libraries(${name} PRIVATE GTest::gtest)
    target_precompile_headers(${name} PRIVATE <gtest/gtest.h>)
  endif()
endfunction()

if(SLUICE_PRECOMPILED)
  sluice_precompiled_set(sluice_precompiled_library LIBRARY)
  sluice_precompiled_set(sluice_precompiled_program PROGRAM)
  if(SLUICE_TESTS)
    sluice_precompiled_set(sluice_precompiled_test TEST)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(sluice_compile INTERFACE -fpch-preprocess)  # ccache wants it
  endif()
endif()

function(sluice_precompiled target kind)
  if(SLUICE_PRECOMPILED)
    string(TOLOWER ${kind} kind)
    target_precompile_headers(${target} REUSE_FROM sluice_precompiled_${kind})
  endif()
endfunction()
