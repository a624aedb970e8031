# Compiler flags.  px_flags is for everything that is compiled here, px_warnings too.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_SKIP_INSTALL_RPATH ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_library(px_flags INTERFACE)
target_include_directories(px_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(px_flags INTERFACE _GNU_SOURCE)
target_link_libraries(px_flags INTERFACE Threads::Threads)
if(PX_TESTS)
    target_compile_definitions(px_flags INTERFACE PX_ASSERTS) # base/check.h
endif()
target_compile_options(px_flags INTERFACE
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough
    $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> # snprintf is used where cutting is meant
    $<$<C_COMPILER_ID:Clang>:-Wno-missing-field-initializers> # tables leave out what is zero, as gcc takes it
    -fno-strict-aliasing -fno-common
    # Public functions can be replaced from outside only where they are weak, so they may be inlined.
    -fno-semantic-interposition)
target_link_options(px_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

# A target may turn this off for itself (COMPILE_WARNING_AS_ERROR).
set(CMAKE_COMPILE_WARNING_AS_ERROR ${PX_WERROR})
if(PX_SANITIZE)
    target_compile_options(px_flags INTERFACE -fsanitize=${PX_SANITIZE} -fno-sanitize-recover=all)
    string(REPLACE "fuzzer-no-link," "" px_sanitize_link "${PX_SANITIZE}")
    target_link_options(px_flags INTERFACE -fsanitize=${px_sanitize_link})
elseif(px_is_optimised)
    # Clearing or copying a small struct by `rep stos` costs 30 cycles and more before its first byte;
    # wide stores, and above that libc's routines, do not.
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
        target_compile_options(px_flags INTERFACE
            "-mmemset-strategy=vector_loop:256:noalign,libcall:-1:noalign"
            "-mmemcpy-strategy=unrolled_loop:128:noalign,libcall:-1:noalign")
    endif()
endif()
# What the optimiser has to be told again where it works at link time (px_merge too).
set(px_code_flags "")
if(NOT PX_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    # No path of the build folder in what is built: two folders make the same bytes.
    list(APPEND px_code_flags "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=." "-ffile-prefix-map=${PROJECT_BINARY_DIR}=.")
    # Hardening that is free on the hot path.
    foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection)
        string(MAKE_C_IDENTIFIER "px_has${flag}" known)
        check_c_compiler_flag(${flag} ${known})
        if(${known})
            list(APPEND px_code_flags ${flag})
        endif()
    endforeach()
    target_compile_options(px_flags INTERFACE ${px_code_flags})
    target_link_options(px_flags INTERFACE ${px_code_flags})
endif()
# glibc checks nothing without the optimiser, and warns.
if(px_is_optimised)
    check_c_source_compiles("int main(int c, char **v) { return (int)__builtin_dynamic_object_size(v[c], 0); }"
                            px_has_dynamic_object_size)
    set(level 2)
    if(px_has_dynamic_object_size)
        set(level 3)
    endif()
    target_compile_options(px_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level})
endif()
if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(px_flags INTERFACE -fno-omit-frame-pointer)
endif()
if(PX_COVERAGE)
    target_compile_options(px_flags INTERFACE --coverage -fprofile-update=atomic)
    target_link_options(px_flags INTERFACE --coverage)
endif()
