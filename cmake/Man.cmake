# The man pages, from scdoc. It belongs to the program; scdoc missing is an error.
option(PX_MAN "Build and install pollux(1) and pollux.conf(5) (needs scdoc)" ${PX_PROGRAM})
find_program(PX_SCDOC scdoc)
mark_as_advanced(PX_SCDOC)

if(PX_MAN)
    if(NOT PX_SCDOC)
        message(FATAL_ERROR "PX_MAN needs scdoc: install the Debian package scdoc, "
                            "or configure with -DPX_MAN=OFF")
    endif()
    set(px_mans "")
    foreach(px_page pollux.1 pollux.conf.5)
        set(px_man ${PROJECT_BINARY_DIR}/${px_page})
        add_custom_command(OUTPUT ${px_man}
            COMMAND sh -c "exec \"$1\" <\"$2\" >\"$3\"" man ${PX_SCDOC}
                    ${PROJECT_SOURCE_DIR}/docs/man/${px_page}.scd ${px_man}
            DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/${px_page}.scd VERBATIM
            COMMENT "Formatting ${px_page}")
        list(APPEND px_mans ${px_man})
        string(REGEX MATCH "[0-9]$" px_section ${px_page})
        install(FILES ${px_man} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${px_section})
    endforeach()
    add_custom_target(man ALL DEPENDS ${px_mans})
endif()
