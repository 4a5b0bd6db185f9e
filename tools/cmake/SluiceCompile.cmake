# SPDX-License-Identifier: Apache-2.0
# One interface target, sluice_compile, carries what every translation unit is compiled with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

add_library(sluice_compile INTERFACE)
target_compile_options(sluice_compile INTERFACE -Wall -Wextra -Wno-unknown-pragmas -Wno-missing-field-initializers
                       -fno-strict-aliasing)
if(NOT SLUICE_OUT_OF_TREE)
  target_compile_options(sluice_compile INTERFACE -Werror)
endif()
if(SLUICE_ISA STREQUAL "native")
  target_compile_options(sluice_compile INTERFACE -march=native)
else()
  target_compile_options(sluice_compile INTERFACE -march=${SLUICE_ISA})
endif()
if(SLUICE_ISA STREQUAL "x86-64-v4")
  target_compile_options(sluice_compile INTERFACE -mprefer-vector-width=256)  # some CPUs clock down for 512 bits
endif()
if(SLUICE_SANITIZE)
  target_compile_options(sluice_compile INTERFACE -fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(sluice_compile INTERFACE -fsanitize=${SLUICE_SANITIZE})
endif()
if(SLUICE_FUZZ)
  target_compile_options(sluice_compile INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(sluice_compile INTERFACE SLUICE_DEBUG=1)
endif()
target_compile_definitions(sluice_compile INTERFACE SLUICE_ISA_NAME="${SLUICE_ISA}"
                           SLUICE_VERSION="${PROJECT_VERSION}" ASIO_STANDALONE)
target_include_directories(sluice_compile INTERFACE ${SLUICE_INCLUDE_DIR} ${CMAKE_BINARY_DIR}/proto)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 uses its own deprecated get_temporary_buffer inside std::stable_sort, and clang 19 says so.
  target_compile_options(sluice_compile INTERFACE -Wno-deprecated-declarations)
  find_program(SLUICE_LLD ld.lld-19)
  if(SLUICE_LLD)
    target_link_options(sluice_compile INTERFACE --ld-path=${SLUICE_LLD})
  endif()
endif()
# What protoc writes before the messages that libsluice shares with plugins (SluiceProto.cmake).
target_compile_definitions(sluice_compile INTERFACE [[SLUICE_PROTO_API=__attribute__((visibility("default")))]])
