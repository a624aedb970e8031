/*
 * Files that change: once, when it has been quiet, whatever way they are replaced.
 */
#include "main/file_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/test.h"

static char folder[] = "/tmp/pollux-watch-XXXXXX";
static char certificate[64], key[64], other[64];

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof(certificate), "%s/cert", folder);
    snprintf(key, sizeof(key), "%s/key", folder);
    snprintf(other, sizeof(other), "%s/other", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(certificate);
    unlink(key);
    unlink(other);
    return rmdir(folder);
}

static void a_change_counts_once_it_is_quiet(void **state)
{
    struct secure_options secure = {
        .certificates = {certificate}, .certificate_count = 1, .keys = {key}, .key_count = 1};
    struct file_watch watch;

    (void)state;
    put(certificate, "a");
    put(key, "a");
    file_watch_init(&watch, &secure);
    assert_int_equal(watch.count, 2);
    assert_false(file_watch_look(&watch));
    assert_false(file_watch_look(&watch));
    put(certificate, "longer");
    assert_false(file_watch_look(&watch)); /* seen, and perhaps not done */
    put(key, "longer too");
    assert_false(file_watch_look(&watch));
    assert_true(file_watch_look(&watch));
    assert_false(file_watch_look(&watch));
    /* Replaced by another file, as certbot does; gone; there again. */
    put(other, "longer");
    assert_int_equal(rename(other, certificate), 0);
    assert_false(file_watch_look(&watch));
    assert_true(file_watch_look(&watch));
    assert_int_equal(unlink(key), 0);
    assert_false(file_watch_look(&watch));
    assert_true(file_watch_look(&watch));
    put(key, "b");
    assert_false(file_watch_look(&watch));
    assert_true(file_watch_look(&watch));
    /* What was read meanwhile for another reason is no change. */
    put(key, "b and more");
    file_watch_take(&watch);
    assert_false(file_watch_look(&watch));
    assert_false(file_watch_look(&watch));
}

static void nothing_to_watch(void **state)
{
    struct secure_options secure = {.certificate_count = 0};
    struct file_watch watch;

    (void)state;
    file_watch_init(&watch, &secure);
    assert_int_equal(watch.count, 0);
    assert_false(file_watch_look(&watch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_counts_once_it_is_quiet),
        cmocka_unit_test(nothing_to_watch),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
