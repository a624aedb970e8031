# The man page, from scdoc. It belongs to the program; scdoc missing is an error.
option(PX_MAN "Build and install pollux(1) (needs scdoc)" ${PX_PROGRAM})
find_program(PX_SCDOC scdoc)
mark_as_advanced(PX_SCDOC)

if(PX_MAN)
    if(NOT PX_SCDOC)
        message(FATAL_ERROR "PX_MAN needs scdoc: install the Debian package scdoc, "
                            "or configure with -DPX_MAN=OFF")
    endif()
    set(px_man ${PROJECT_BINARY_DIR}/pollux.1)
    add_custom_command(OUTPUT ${px_man}
        COMMAND sh -c "exec \"$1\" <\"$2\" >\"$3\"" man ${PX_SCDOC}
                ${PROJECT_SOURCE_DIR}/docs/man/pollux.1.scd ${px_man}
        DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/pollux.1.scd VERBATIM COMMENT "Formatting pollux(1)")
    add_custom_target(man ALL DEPENDS ${px_man})
    install(FILES ${px_man} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
