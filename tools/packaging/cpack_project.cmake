# SPDX-License-Identifier: Apache-2.0
# Read by cpack before it makes packages.
set(SHLIBDEPS_EXECUTABLE ${CMAKE_CURRENT_LIST_DIR}/shlibdeps)
