# SPDX-License-Identifier: Apache-2.0
# sluice/abi_hash.h: a hash of all public headers, in the daemon and in each plugin. Whoever was compiled with others is
# refused at start. Made anew at configure time, which every change of a public header brings about.
file(GLOB_RECURSE public_headers CONFIGURE_DEPENDS RELATIVE ${SLUICE_INCLUDE_DIR} ${SLUICE_INCLUDE_DIR}/sluice/*.h
     ${SLUICE_INCLUDE_DIR}/sluice/*.proto)
list(FILTER public_headers EXCLUDE REGEX "^sluice/testing/")
set(hashes)
foreach(header ${public_headers})
  file(SHA256 ${SLUICE_INCLUDE_DIR}/${header} hash)
  list(APPEND hashes "${header} ${hash}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${SLUICE_INCLUDE_DIR}/${header})
endforeach()
string(SHA256 hash "${hashes}")
string(SUBSTRING ${hash} 0 12 hash)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/proto/sluice/abi_hash.h CONTENT
"// SPDX-License-Identifier: Apache-2.0
// Made by the build: a hash of the public headers.
#pragma once
#define SLUICE_ABI_HASH \"${hash}\"
")
