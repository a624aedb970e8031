# The target `docs`: the reference of the public headers as HTML, in build/docs/html of the source tree.
find_program(PX_DOXYGEN doxygen)
mark_as_advanced(PX_DOXYGEN)
if(PX_DOXYGEN)
    add_custom_target(docs COMMAND ${CMAKE_COMMAND} -E make_directory build/docs COMMAND ${PX_DOXYGEN} -q docs/Doxyfile
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM COMMENT "The reference of the public headers")
endif()
