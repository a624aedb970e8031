/*
 * The help fits a screen of 80 columns and 24 lines with its prompt, and failing to print is told.
 */
#include "main/flags/help.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/test.h"
#include "pollux/pollux.h"

/* Runs `print` with stdout going to `fd`, and returns what it returned. */
static int print_to(int fd, int (*print)(void))
{
    int before = dup(STDOUT_FILENO);

    assert_true(before >= 0 && fflush(stdout) == 0 && dup2(fd, STDOUT_FILENO) >= 0);
    int result = print();
    clearerr(stdout);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    close(before);
    return result;
}

static size_t read_back(int (*print)(void), char *out_text, size_t room)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(print_to(fileno(file), print), 0);
    ssize_t bytes = pread(fileno(file), out_text, room - 1, 0);
    assert_true(bytes > 0);
    out_text[bytes] = '\0';
    fclose(file);
    return (size_t)bytes;
}

static void it_fits_one_screen(void **state)
{
    char text[8192];
    size_t lines = 0;

    (void)state;
    read_back(help_print, text, sizeof(text));
    for (char *line = text; *line; lines++) {
        size_t len = strcspn(line, "\n");

        assert_in_range(len, 1, 80);
        assert_int_equal(line[len], '\n');
        line += len + 1;
    }
    assert_in_range(lines, 10, 23);
}

static void the_version_is_the_header_s(void **state)
{
    char text[64];

    (void)state;
    read_back(help_print_version, text, sizeof(text));
    assert_string_equal(text, "pollux " PX_VERSION_STRING "\n");
}

static void a_full_disk_is_told(void **state)
{
    int full = open("/dev/full", O_WRONLY);

    (void)state;
    assert_true(full >= 0);
    assert_int_equal(print_to(full, help_print), -1);
    assert_int_equal(print_to(full, help_print_version), -1);
    close(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_fits_one_screen),
        cmocka_unit_test(the_version_is_the_header_s),
        cmocka_unit_test(a_full_disk_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
