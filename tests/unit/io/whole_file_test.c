/*
 * Files that are read whole: their bytes, and each way in which there are none.
 */
#include "io/whole_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"

static char folder[] = "/tmp/whole_file_test.XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/file", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *bytes, size_t count)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void bytes_are_read(void **state)
{
    char *text;
    size_t bytes;
    px_error error;

    (void)state;
    write_file("a\0b\n", 4);
    assert_int_equal(whole_file_read(&alloc_libc, path, 4, &text, &bytes, &error), PX_OK);
    assert_int_equal(bytes, 4);
    assert_memory_equal(text, "a\0b\n", 5);
    alloc_put(&alloc_libc, text);
    assert_int_equal(whole_file_read(&alloc_libc, path, 3, &text, &bytes, &error), PX_ERR_LIMIT);
    assert_non_null(strstr(error.text, path));
    write_file("", 0);
    assert_int_equal(whole_file_read(&alloc_libc, path, 0, &text, &bytes, &error), PX_OK);
    assert_int_equal(bytes, 0);
    alloc_put(&alloc_libc, text);
}

static void what_is_no_file_is_told(void **state)
{
    char *text;
    size_t bytes;
    px_error error;

    (void)state;
    unlink(path);
    assert_int_equal(whole_file_read(&alloc_libc, path, 9, &text, &bytes, &error),
                     PX_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(whole_file_read(&alloc_libc, path, 9, &text, &bytes, &error), PX_ERR_INVALID);
    unlink(path);
    assert_int_equal(whole_file_read(&alloc_libc, folder, 9, &text, &bytes, &error),
                     PX_ERR_INVALID);
}

static void read_once(const px_allocator *allocator, void *context)
{
    char *text;
    size_t bytes;
    px_error error;
    px_err err = whole_file_read(allocator, path, 9, &text, &bytes, &error);

    (void)context;
    assert_true(err == PX_OK || err == PX_ERR_MEMORY);
    if (err == PX_OK)
        alloc_put(allocator, text);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    write_file("abc", 3);
    assert_int_equal(fault_alloc_each("whole file", read_once, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_read),
        cmocka_unit_test(what_is_no_file_is_told),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
