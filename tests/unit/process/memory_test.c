/*
 * How much memory a process may use: control groups as folders of a temporary one.
 */
#include "process/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/check.h"
#include "lib/test.h"

static char mount[] = "/tmp/px_memory_XXXXXX";

static void folder_make(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s", mount, name);
    mkdir(path, 0755);
}

static void file_set(const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", mount, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The smallest on the way up counts; what says "max", is not there or is no number sets none. */
static void the_smallest_limit_counts(void **state)
{
    static const struct {
        const char *membership;
        uint64_t bytes;
    } cases[] = {
        {"0::/a/b\n", 1000},
        {"0::/a\n", 2000},
        {"0::/a", 2000},
        {"0::/\n", 9000},
        {"0::/of/the/host\n", 9000},
        {"0::/a/max\n", 2000},
        {"0::/a/bad\n", 2000},
        {"4:memory:/one\n0::/\n", 500},
        {"4:cpu,memory:/one\n", UINT64_MAX},
        {"4:memory:/\n", UINT64_MAX},
        {"", UINT64_MAX},
        {"x\n", UINT64_MAX},
        {":::\n", UINT64_MAX},
        {"\n\n0::/a/b\n", 1000},
    };

    (void)state;
    _Static_assert(ARRAY_COUNT(cases) == 14, "each is here");
    assert_non_null(mkdtemp(mount));
    folder_make("/a");
    folder_make("/a/b");
    folder_make("/a/max");
    folder_make("/a/bad");
    folder_make("/memory");
    folder_make("/memory/one");
    file_set("memory.max", "9000\n");
    file_set("a/memory.max", "2000\n");
    file_set("a/b/memory.max", "1000\n");
    file_set("a/max/memory.max", "max\n");
    file_set("a/bad/memory.max", "12 MiB\n");
    file_set("memory/one/memory.limit_in_bytes", "500\n");
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++)
        if (memory_limit(cases[index].membership, mount) != cases[index].bytes)
            fail_msg("case %zu gave %llu", index,
                     (unsigned long long)memory_limit(cases[index].membership, mount));
}

static void a_machine_has_memory(void **state)
{
    (void)state;
    assert_true(memory_usable() > 1024 * 1024);
    assert_true(memory_usable() < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_limit_counts),
        cmocka_unit_test(a_machine_has_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
