/*
 * Assertions.  They hold for our own bugs only, never for malloc, the kernel or a peer, and they
 * stay in release builds: a server that knows its state is broken must not go on answering.
 *
 * A broken one calls px_on_fatal (a weak symbol that an embedder may define) and aborts.
 */
#ifndef PX_BASE_CHECK_H
#define PX_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "pollux/fatal.h"

#define PX_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define PX_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Whether the program was started with POLLUX_CHECK_RULES=1: what callers do is then looked at in
 * every build, and what is found wrong is said on stderr. */
bool check_rules_wanted(void);

_Noreturn void check_failed(const char *file, int line, const char *condition);

#define CHECK(condition)                                       \
    do {                                                       \
        if (PX_UNLIKELY(!(condition)))                         \
            check_failed(__FILE_NAME__, __LINE__, #condition); \
    } while (0)

/* Whether this build is for tests alone: what is too dear for a server is looked at there. */
#ifdef PX_ASSERTS
enum { ASSERTS = 1 };
#else
enum { ASSERTS = 0 };
#endif

/* A CHECK of builds for tests. */
#define ASSERT(condition)                                      \
    do {                                                       \
        if (ASSERTS && PX_UNLIKELY(!(condition)))              \
            check_failed(__FILE_NAME__, __LINE__, #condition); \
    } while (0)

/* For rules of the public headers that a caller broke: what is wrong, in a sentence. */
#define CHECK_RULE(condition, sentence)                      \
    do {                                                     \
        if (PX_UNLIKELY(!(condition)))                       \
            check_failed(__FILE_NAME__, __LINE__, sentence); \
    } while (0)

/* The object that embeds `member` at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Whether AddressSanitizer watches this build: base/poison.h then hides from it what no code may
 * touch. */
#if defined(__SANITIZE_ADDRESS__)
enum { ASAN_WATCHES = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { ASAN_WATCHES = 1 };
#else
enum { ASAN_WATCHES = 0 };
#endif
#else
enum { ASAN_WATCHES = 0 };
#endif

#endif
