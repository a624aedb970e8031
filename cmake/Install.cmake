# What `cmake --install` ships: headers, the libraries, pollux.pc and the CMake package; the
# licence, pages and examples; and for the program its units, what makes its folder, and completion
# for bash. Paths may be relative to the prefix, or absolute.
include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/pollux DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/include/pollux.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# Each library with an export of its own, so that a package may hold one of them.
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pollux)
foreach(kind static shared)
    string(TOUPPER ${kind} option)
    if(PX_${option})
        install(TARGETS pollux_${kind} EXPORT pollux_${kind}
            ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
            LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
        install(EXPORT pollux_${kind} NAMESPACE pollux:: DESTINATION ${cmake_dir}
            FILE pollux-${kind}.cmake)
    endif()
endforeach()
set(px_static_path ${CMAKE_INSTALL_LIBDIR}/${CMAKE_STATIC_LIBRARY_PREFIX}pollux${CMAKE_STATIC_LIBRARY_SUFFIX})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/polluxConfig.cmake.in
    ${PROJECT_BINARY_DIR}/polluxConfig.cmake INSTALL_DESTINATION ${cmake_dir}
    PATH_VARS px_static_path)
# While the version is 0.x a new minor version may change anything.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/polluxConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/polluxConfig.cmake
    ${PROJECT_BINARY_DIR}/polluxConfigVersion.cmake DESTINATION ${cmake_dir})

# pollux.pc finds its prefix from its own place, so that an installed tree can be moved; not so where
# a folder was given as an absolute path.
set(px_pc_prefix ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    file(RELATIVE_PATH px_pc_prefix
        ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
    set(px_pc_prefix "\${pcfiledir}/${px_pc_prefix}")
endif()
set(px_pc_libdir "\${prefix}")
set(px_pc_includedir "\${prefix}")
cmake_path(APPEND px_pc_libdir "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND px_pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
# What the library is linked with is the affair of programs that link the static one, by its names: the
# headers need none of it, and to require the packages would ask for all of their headers, and add what
# those are compiled with.
set(px_pc_libs "")
if(NOT PX_SHARED)
    set(px_pc_libs " ${px_pc_links}")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/pollux.pc.in ${PROJECT_BINARY_DIR}/pollux.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pollux.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

foreach(page LICENSE README.md CHANGELOG.md SECURITY.md)
    install(FILES ${PROJECT_SOURCE_DIR}/${page} DESTINATION ${CMAKE_INSTALL_DOCDIR})
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR}
    FILES_MATCHING PATTERN "*.md" PATTERN "*.png" PATTERN "*.svg" PATTERN "man" EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR}
    FILES_MATCHING PATTERN "*.c" PATTERN "*.html")

if(PX_PROGRAM AND PX_SYSTEMD)
    # They name /usr/local/bin, where this installs by default; where it does install is known then.
    set(px_units pollux.service pollux.socket pollux-tls.socket)
    set(px_dropins run.conf tls.conf)
    install(CODE "
        cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_PREFIX NORMALIZE OUTPUT_VARIABLE bindir)
        cmake_path(APPEND bindir \"${CMAKE_INSTALL_BINDIR}\")
        foreach(unit ${px_units} ${px_dropins})
            file(READ \"${PROJECT_SOURCE_DIR}/deploy/systemd/\${unit}\" text)
            string(REPLACE \"/usr/local/bin/pollux\" \"\${bindir}/pollux\" text \"\${text}\")
            file(WRITE \"${PROJECT_BINARY_DIR}/systemd/\${unit}\" \"\${text}\")
        endforeach()")
    foreach(unit ${px_units})
        install(FILES ${PROJECT_BINARY_DIR}/systemd/${unit} DESTINATION lib/systemd/system)
    endforeach()
    foreach(unit ${px_dropins})
        install(FILES ${PROJECT_BINARY_DIR}/systemd/${unit} DESTINATION ${CMAKE_INSTALL_DOCDIR}/systemd)
    endforeach()
    install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/pollux.tmpfiles
        DESTINATION lib/tmpfiles.d RENAME pollux.conf)
    install(FILES ${PROJECT_SOURCE_DIR}/deploy/pollux.conf
        ${PROJECT_SOURCE_DIR}/deploy/systemd/pollux.logrotate
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/systemd)
    install(FILES ${PROJECT_SOURCE_DIR}/deploy/completion/pollux.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME pollux)
    install(FILES ${PROJECT_SOURCE_DIR}/deploy/completion/pollux.zsh
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _pollux)
    install(FILES ${PROJECT_SOURCE_DIR}/deploy/completion/pollux.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
