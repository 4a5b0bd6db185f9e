# SPDX-License-Identifier: Apache-2.0
# Where things go: cmake --install, find_package(sluice) for plugins out of the tree, and the two .deb packages.
include(CMakePackageConfigHelpers)

foreach(program sluice_launcher sluicectl sluice-counters)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT sluice)
  endif()
endforeach()
# The daemon itself lies with what is of its CPU level; the launcher finds the levels.
install(TARGETS sluiced RUNTIME DESTINATION ${SLUICE_MODULE_DIR} COMPONENT sluice)
# ninja node: what a running node consists of, without tests and benchmarks.
get_property(leaves GLOBAL PROPERTY SLUICE_LEAVES)
add_custom_target(node DEPENDS sluice ${leaves})
foreach(program sluiced sluice_launcher sluicectl sluice-counters)
  if(TARGET ${program})
    add_dependencies(node ${program})
  endif()
endforeach()
install(TARGETS sluice LIBRARY DESTINATION ${SLUICE_MODULE_DIR} COMPONENT sluice)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT sluice OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT sluice PATTERN man EXCLUDE PATTERN completion EXCLUDE)
install(FILES docs/man/sluicectl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT sluice)
install(FILES docs/man/sluiced.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT sluice)
install(FILES docs/completion/sluicectl DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT sluice)

install(CODE "set(SLUICE_BINARY_DIR ${CMAKE_BINARY_DIR})" COMPONENT sluice)
install(SCRIPT tools/packaging/install_configuration.cmake COMPONENT sluice)

# For authors of plugins.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/sluice)
install(DIRECTORY include/sluice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(FILES ${CMAKE_BINARY_DIR}/proto/sluice/options.pb.h ${CMAKE_BINARY_DIR}/proto/sluice/abi_hash.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice COMPONENT dev)
install(PROGRAMS tools/new-plugin DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME sluice-new-plugin COMPONENT dev)
install(FILES plugins/macswap/macswap.h plugins/macswap/macswap_test.cc plugins/macswap/plugin.cc
        DESTINATION ${CMAKE_INSTALL_DATADIR}/sluice/macswap COMPONENT dev)
configure_package_config_file(tools/cmake/sluiceConfig.cmake.in ${CMAKE_BINARY_DIR}/sluiceConfig.cmake
                              INSTALL_DESTINATION ${package_folder}
                              PATH_VARS CMAKE_INSTALL_INCLUDEDIR SLUICE_LEVELS_DIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/sluiceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/sluiceConfig.cmake ${CMAKE_BINARY_DIR}/sluiceConfigVersion.cmake
              tools/cmake/SluiceCompile.cmake tools/cmake/SluiceDependencies.cmake tools/cmake/SluiceHeaders.cmake
              tools/cmake/SluiceLeaf.cmake tools/cmake/SluiceProto.cmake tools/cmake/embed_descriptor.cmake
        DESTINATION ${package_folder} COMPONENT dev)

# cpack --config build/release/CPackConfig.cmake makes sluice and sluice-dev, of one CPU level; tools/package of all.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_CONTACT "Sluice maintainers <maintainers@sluice.invalid>")
set(CPACK_PACKAGE_HOMEPAGE_URL "")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL sluice dev)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_SLUICE_PACKAGE_NAME sluice)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME sluice-dev)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_COMPONENT_SLUICE_DESCRIPTION "user-space packet dataplane for Linux nodes
 sluiced forwards packets between network cards, pods and the host;
 sluicectl shows every step that a packet takes.")
set(CPACK_COMPONENT_DEV_DESCRIPTION "user-space packet dataplane, for authors of plugins
 Headers and CMake functions for plugins and drivers of sluiced.")
set(CPACK_DEBIAN_SLUICE_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR}/lib/sluice)
set(CPACK_DEBIAN_SLUICE_PACKAGE_RECOMMENDS iproute2)
set(CPACK_DEBIAN_SLUICE_PACKAGE_SUGGESTS "librte-meta-net, librte-meta-bus, librte-meta-mempool")
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/tools/packaging/cpack_project.cmake)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "sluice (= ${PROJECT_VERSION}), libprotobuf-dev, protobuf-compiler, libabsl-dev, \
libasio-dev, libspdlog-dev, liburcu-dev, pkg-config, cmake (>= 3.25)")
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_SLUICE_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/tools/packaging/postinst;${CMAKE_SOURCE_DIR}/tools/packaging/prerm;\
${CMAKE_SOURCE_DIR}/tools/packaging/postrm;${CMAKE_SOURCE_DIR}/tools/packaging/conffiles")
set(CPACK_DEBIAN_SLUICE_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
