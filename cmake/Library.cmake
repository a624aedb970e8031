# How libpollux and the program are made of the folders' objects.
#
# Only px_* symbols are visible.  The shared library has a version script for that,
# which gives them a version as well.  The static one
# is a single object: all folders linked with `-r` (in a release that is where the optimiser sees
# them at once) and every other symbol made local by objcopy.  px_on_fatal stays weak in both.

# One partition: the library is small. "auto" is for what is linked of its objects elsewhere: without a
# number gcc notes that it works alone.
set(px_lto_link "-flto=auto -flto-partition=one")
separate_arguments(px_lto_link_list UNIX_COMMAND "${px_lto_link}")

# px_merge(<output.o> FOLDERS <folder>... OBJCOPY <option>...)
function(px_merge output)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "FOLDERS;OBJCOPY")
    set(objects "")
    foreach(folder IN LISTS ARG_FOLDERS)
        list(APPEND objects $<TARGET_OBJECTS:px_${folder}>)
    endforeach()
    set(optimise "")
    if(PX_LTO)
        separate_arguments(optimise UNIX_COMMAND
            "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${px_type}} ${px_lto_link} -flinker-output=nolto-rel -fPIC")
        list(APPEND optimise ${px_code_flags})
    endif()
    separate_arguments(target UNIX_COMMAND "${CMAKE_C_FLAGS}")
    add_custom_command(OUTPUT ${output}
        COMMAND ${CMAKE_C_COMPILER} ${target} ${optimise} -nostdlib -r -o ${output}.tmp ${objects}
        COMMAND ${CMAKE_OBJCOPY} --wildcard ${ARG_OBJCOPY} ${output}.tmp ${output}
        DEPENDS ${objects} COMMAND_EXPAND_LISTS VERBATIM
        COMMENT "Merging ${ARG_FOLDERS}")
    set_source_files_properties(${output} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
endfunction()

function(px_library)
    string(TOUPPER "${CMAKE_BUILD_TYPE}" px_type)
    px_folders_closure(folders ${ARGN})

    px_merge(${PROJECT_BINARY_DIR}/libpollux.o FOLDERS ${folders}
             OBJCOPY "--keep-global-symbol=px_*")
    add_library(pollux_static STATIC ${PROJECT_BINARY_DIR}/libpollux.o)
    # Makefiles know the objects of other folders as files alone: their targets come first.
    foreach(folder IN LISTS folders)
        add_dependencies(pollux_static px_${folder})
    endforeach()
    # While the version is 0.x a new minor version may change anything, so it is part of the name.
    set(soversion ${PROJECT_VERSION_MAJOR})
    if(soversion EQUAL 0)
        set(soversion 0.${PROJECT_VERSION_MINOR})
    endif()
    # Symbols bear the version too: a process that has two of these libraries by its other libraries calls the right one.
    set(px_version_node LIBPOLLUX_${soversion})
    set(exports ${PROJECT_BINARY_DIR}/pollux.map)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/pollux.map.in ${exports} @ONLY)
    add_library(pollux_shared SHARED)
    foreach(folder IN LISTS folders)
        target_sources(pollux_shared PRIVATE $<TARGET_OBJECTS:px_${folder}>)
    endforeach()
    target_link_libraries(pollux_shared PRIVATE px_flags)
    px_link_needs(pollux_shared ${folders})
    target_link_options(pollux_shared PRIVATE -Wl,--version-script=${exports})
    if(NOT PX_SANITIZE)
        target_link_options(pollux_shared PRIVATE -Wl,-z,defs)
    endif()
    if(PX_LTO)
        target_link_options(pollux_shared PRIVATE ${px_lto_link_list})
    endif()
    set_target_properties(pollux_shared PROPERTIES SOVERSION ${soversion} VERSION ${PROJECT_VERSION}
        LINK_DEPENDS ${exports})
    if(NOT PX_SHARED)
        set_target_properties(pollux_shared PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()

    foreach(kind static shared)
        set_target_properties(pollux_${kind} PROPERTIES OUTPUT_NAME pollux LINKER_LANGUAGE C
            ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
            LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
        target_include_directories(pollux_${kind} INTERFACE
            $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
            $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    endforeach()
    # By name, so that an installed package does not know where they were.
    px_needs(needs ${folders})
    set(pc_links "")
    target_link_libraries(pollux_static INTERFACE Threads::Threads)
    foreach(need IN LISTS needs)
        get_property(libs GLOBAL PROPERTY PX_DEP_LIBS_${need})
        target_link_libraries(pollux_static INTERFACE ${libs})
        get_property(dirs GLOBAL PROPERTY PX_DEP_DIRS_${need})
        foreach(dir IN LISTS dirs)
            list(APPEND pc_links "-L${dir}")
        endforeach()
        foreach(lib IN LISTS libs)
            list(APPEND pc_links "-l${lib}")
        endforeach()
    endforeach()
    list(APPEND pc_links -pthread)
    list(JOIN pc_links " " pc_links)
    set(px_pc_links "${pc_links}" PARENT_SCOPE)
    set_target_properties(pollux_shared PROPERTIES EXPORT_NAME pollux)
    set_target_properties(pollux_static PROPERTIES EXPORT_NAME static)
    add_library(pollux::static ALIAS pollux_static)
    if(PX_SHARED)
        add_library(pollux::pollux ALIAS pollux_shared)
    else()
        add_library(pollux::pollux ALIAS pollux_static)
    endif()

    # The program uses src/base itself.  Its copy gives way to the library's for what is public.
    # It is a target of its own, so that making it does not make the library first.
    px_merge(${PROJECT_BINARY_DIR}/base.o FOLDERS base OBJCOPY "--weaken-symbol=px_*")
    add_custom_target(px_base_object DEPENDS ${PROJECT_BINARY_DIR}/base.o)
    add_dependencies(px_base_object px_base)
endfunction()

# px_program(<name> <folder>...): the program, the library's first embedder.
function(px_program name)
    px_folders_closure(folders ${ARGN})
    list(REMOVE_ITEM folders base)
    if(NOT main IN_LIST folders)
        message(STATUS "src/main has no sources yet: no program")
        return()
    endif()
    add_executable(${name} ${PROJECT_BINARY_DIR}/base.o)
    add_dependencies(${name} px_base_object)
    foreach(folder IN LISTS folders)
        target_sources(${name} PRIVATE $<TARGET_OBJECTS:px_${folder}>)
    endforeach()
    set(library pollux_static)
    if(PX_PROGRAM_SHARED)
        set(library pollux_shared)
    endif()
    target_link_libraries(${name} PRIVATE ${library} px_flags)
    px_link_needs(${name} ${folders})
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE C
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# px_layers(<folder>...): the target `layers` links each folder as a shared object with -z defs against
# the folders it may use, so that a call upwards does not link. Program folders may use the library.
function(px_layers)
    add_custom_target(layers)
    foreach(folder IN LISTS ARGN)
        get_target_property(type px_${folder} TYPE)
        if(NOT type STREQUAL "OBJECT_LIBRARY")
            continue()
        endif()
        add_library(layer_${folder} SHARED EXCLUDE_FROM_ALL $<TARGET_OBJECTS:px_${folder}>)
        set_target_properties(layer_${folder} PROPERTIES LINKER_LANGUAGE C
            LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/layers)
        target_link_options(layer_${folder} PRIVATE -Wl,-z,defs)
        target_link_libraries(layer_${folder} PRIVATE Threads::Threads)
        px_link_needs(layer_${folder} ${folder})
        get_property(uses GLOBAL PROPERTY PX_USES_${folder})
        foreach(lower IN LISTS uses)
            if(TARGET layer_${lower})
                target_link_libraries(layer_${folder} PRIVATE layer_${lower})
            endif()
        endforeach()
        if(folder MATCHES "^(config|process|main)$")
            target_link_libraries(layer_${folder} PRIVATE pollux_shared)
        endif()
        add_dependencies(layers layer_${folder})
    endforeach()
endfunction()
