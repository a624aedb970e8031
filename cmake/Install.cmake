# What `cmake --install` ships: headers, both libraries, pollux.pc and the CMake package.
include(CMakePackageConfigHelpers)

install(TARGETS pollux_static pollux_shared EXPORT polluxTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/pollux DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pollux)
install(EXPORT polluxTargets NAMESPACE pollux:: DESTINATION ${cmake_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/polluxConfig.cmake.in
    ${PROJECT_BINARY_DIR}/polluxConfig.cmake INSTALL_DESTINATION ${cmake_dir})
# While the version is 0.x a new minor version may change anything.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/polluxConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/polluxConfig.cmake
    ${PROJECT_BINARY_DIR}/polluxConfigVersion.cmake DESTINATION ${cmake_dir})

# pollux.pc finds its prefix from its own place, so that an installed tree can be moved.
file(RELATIVE_PATH px_pc_to_prefix
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/pollux.pc.in ${PROJECT_BINARY_DIR}/pollux.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pollux.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
