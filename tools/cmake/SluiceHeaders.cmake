# SPDX-License-Identifier: Apache-2.0
# sluice_headers: what a translation unit needs that includes <sluice/...>, in the tree and out of it.
add_library(sluice_headers INTERFACE)
target_link_libraries(sluice_headers INTERFACE sluice_compile PkgConfig::URCU PkgConfig::SPDLOG PkgConfig::ABSL
                      protobuf::libprotobuf)
