# Foreign libraries.  Each is an option, on by default; missing when asked for is an error that names
# the Debian package, and nothing is downgraded silently.
#
# px_dep_<name> is an interface target; a folder says NEEDS <name>, and everything that is linked of
# the folder (tests, the library, pollux.pc, the CMake package) follows.  Where the option is OFF the
# target does not exist: the folder's CMakeLists.txt chooses another file and does not need it.

# px_dependency(<name> <option> "<what for>" PACKAGE <debian> HEADER <header> LIBS <lib>...)
function(px_dependency name option what)
    cmake_parse_arguments(PARSE_ARGV 3 ARG "" "PACKAGE;HEADER" "LIBS")
    option(${option} "${what} (needs ${ARG_PACKAGE})" ON)
    if(NOT ${option})
        return()
    endif()
    find_path(${option}_INCLUDE ${ARG_HEADER})
    mark_as_advanced(${option}_INCLUDE)
    set(found ${${option}_INCLUDE})
    add_library(px_dep_${name} INTERFACE)
    foreach(lib IN LISTS ARG_LIBS)
        find_library(${option}_LIBRARY_${lib} ${lib})
        mark_as_advanced(${option}_LIBRARY_${lib})
        if(NOT ${option}_LIBRARY_${lib})
            set(found "")
        endif()
        target_link_libraries(px_dep_${name} INTERFACE ${${option}_LIBRARY_${lib}})
    endforeach()
    if(NOT found)
        message(FATAL_ERROR "${option} needs ${ARG_HEADER}: install the Debian package "
                            "${ARG_PACKAGE}, or configure with -D${option}=OFF")
    endif()
    target_include_directories(px_dep_${name} SYSTEM INTERFACE ${${option}_INCLUDE})
    set_property(GLOBAL PROPERTY PX_DEP_LIBS_${name} "${ARG_LIBS}")
    # Where a linker does not look by itself.
    set(dirs "")
    foreach(lib IN LISTS ARG_LIBS)
        get_filename_component(dir "${${option}_LIBRARY_${lib}}" DIRECTORY)
        if(NOT dir IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
            list(APPEND dirs ${dir})
        endif()
    endforeach()
    list(REMOVE_DUPLICATES dirs)
    set_property(GLOBAL PROPERTY PX_DEP_DIRS_${name} "${dirs}")
endfunction()

px_dependency(tls PX_TLS "TLS by OpenSSL 3"
    PACKAGE libssl-dev HEADER openssl/ssl.h LIBS ssl crypto)
option(PX_HTTP2 "HTTP/2" ON)
if(PX_HTTP2 AND (PX_TESTS OR PX_BENCH))
    px_dependency(nghttp2 PX_NGHTTP2 "the peer of HTTP/2 in tests and benchmarks"
        PACKAGE libnghttp2-dev HEADER nghttp2/nghttp2.h LIBS nghttp2)
endif()
px_dependency(zlib PX_ZLIB "gzip by zlib"
    PACKAGE zlib1g-dev HEADER zlib.h LIBS z)
px_dependency(brotli PX_BROTLI "br by the Brotli encoder"
    PACKAGE libbrotli-dev HEADER brotli/encode.h LIBS brotlienc)
px_dependency(zstd PX_ZSTD "zstd by Zstandard"
    PACKAGE libzstd-dev HEADER zstd.h LIBS zstd)
px_dependency(redis PX_REDIS "hubs over Redis by hiredis"
    PACKAGE libhiredis-dev HEADER hiredis/hiredis.h LIBS hiredis)
px_dependency(crypt PX_CRYPT "hashes of passwords by libcrypt"
    PACKAGE libcrypt-dev HEADER crypt.h LIBS crypt)
px_dependency(seccomp PX_SECCOMP "seccomp filters of the program by libseccomp"
    PACKAGE libseccomp-dev HEADER seccomp.h LIBS seccomp)

# px_needs(<out> <folder>...): the dependencies of these folders, each once.
function(px_needs out)
    set(needs "")
    foreach(folder IN LISTS ARGN)
        get_property(more GLOBAL PROPERTY PX_NEEDS_${folder})
        list(APPEND needs ${more})
    endforeach()
    list(REMOVE_DUPLICATES needs)
    set(${out} ${needs} PARENT_SCOPE)
endfunction()

# px_link_needs(<target> <folder>...): links what these folders need, where only their objects are.
function(px_link_needs target)
    px_needs(needs ${ARGN})
    foreach(need IN LISTS needs)
        target_link_libraries(${target} PRIVATE px_dep_${need})
    endforeach()
endfunction()
