/*
 * cmocka and what it wants included before it, in one place.
 *
 * A test file is: #include "lib/test.h", static functions `void noun_does_this(void **state)`, and
 * a main that ends in cmocka_run_group_tests.
 */
#ifndef PX_TESTS_LIB_TEST_H
#define PX_TESTS_LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "pollux/str.h"

/* A slice of a literal, NUL bytes inside included. */
#define LITERAL(text) px_str_make((text), sizeof(text) - 1)

/* Fails with both texts when two slices differ; an absent slice equals only an absent one. */
#define assert_str_equal(actual, expected) \
    test_assert_str_equal((actual), (expected), __FILE__, __LINE__)

void test_assert_str_equal(px_str actual, px_str expected, const char *file, int line);

/* Runs `call` in a forked child and returns the signal that ended it, or 0.  Used for code that
 * must abort.  What the child writes on stderr is put in `output` (NUL-terminated). */
int test_signal_of(void (*call)(void), char *output, size_t output_bytes);

#endif
