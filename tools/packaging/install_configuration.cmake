# SPDX-License-Identifier: Apache-2.0
# Run by cmake --install: the unit and the first configuration, whose places depend on the prefix given then. Below /usr
# configuration is in /etc; elsewhere all is below the prefix. A configuration that is there is left as it is.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(SLUICE_CONFIGURATION /etc/sluice/sluiced.yaml)
else()
  set(SLUICE_CONFIGURATION ${CMAKE_INSTALL_PREFIX}/etc/sluice/sluiced.yaml)
endif()
cmake_path(GET SLUICE_CONFIGURATION PARENT_PATH folder)
configure_file(${CMAKE_CURRENT_LIST_DIR}/sluice.service.in ${SLUICE_BINARY_DIR}/sluice.service @ONLY)
file(INSTALL ${SLUICE_BINARY_DIR}/sluice.service DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
if(NOT EXISTS $ENV{DESTDIR}${SLUICE_CONFIGURATION})
  file(INSTALL ${CMAKE_CURRENT_LIST_DIR}/sluiced.yaml DESTINATION ${folder})
endif()
