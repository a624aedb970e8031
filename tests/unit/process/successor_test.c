/*
 * What a successor reads from its predecessor: all of it, or an error that says why and leaves
 * nothing open.  The whole way, with two real programs, is in tests/e2e/test_supervise.py.
 */
#include "process/successor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/test.h"
#include "process/supervisor.h"

static int open_count(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The environment of a successor; the predecessor's end. */
static int predecessor_open(void)
{
    char text[24];
    int fds[2];

    assert_int_equal(control_pair(fds), 0);
    snprintf(text, sizeof(text), "%d", fds[1]);
    assert_int_equal(setenv("POLLUX_HANDOVER", text, 1), 0);
    return fds[0];
}

static void give(int fd, enum control_kind kind, uint32_t slot, uint32_t address, const char *text,
                 int passed_fd)
{
    struct control_message message = control_make(kind, slot, address);

    snprintf(message.text, sizeof(message.text), "%s", text);
    assert_int_equal(control_send(fd, &message, passed_fd), 0);
}

static void nobody_went_before(void **state)
{
    struct legacy legacy;
    px_error error;

    (void)state;
    unsetenv("POLLUX_HANDOVER");
    assert_int_equal(legacy_take(&legacy, &error), PX_OK);
    assert_int_equal(legacy.fd, -1);
    assert_int_equal(legacy.count, 0);
    legacy_deinit(&legacy);
}

static void all_is_taken(void **state)
{
    int before = open_count();
    int fd = predecessor_open();
    struct legacy legacy;
    px_error error;

    (void)state;
    give(fd, CONTROL_SOCKET, 0, 0, "127.0.0.1:0", STDIN_FILENO);
    give(fd, CONTROL_SOCKET, 1, 0, "127.0.0.1:0", STDIN_FILENO);
    give(fd, CONTROL_SOCKET, SUPERVISOR_NOBODY, 1, "unix:/run/x", STDIN_FILENO);
    give(fd, CONTROL_SOCKETS, 2, 4711, "", -1);
    assert_int_equal(legacy_take(&legacy, &error), PX_OK);
    assert_null(getenv("POLLUX_HANDOVER")); /* what is executed later must not believe it */
    assert_int_equal(fcntl(legacy.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(legacy.count, 3);
    assert_int_equal(legacy.slot_count, 2);
    assert_int_equal(legacy.pid, 4711);
    assert_int_equal(legacy.sockets[1].slot, 1);
    assert_int_equal(legacy.sockets[2].slot, SUPERVISOR_NOBODY);
    assert_int_equal(legacy.sockets[2].address, 1);
    assert_string_equal(legacy.sockets[2].text, "unix:/run/x");
    legacy_deinit(&legacy);
    close(fd);
    assert_int_equal(open_count(), before);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const numbers[] = {"",  "x", "-1", "999999",
                                          "0", "2", "3x", "99999999999999999999"};
    int before = open_count();
    struct legacy legacy;
    px_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        setenv("POLLUX_HANDOVER", numbers[i], 1);
        assert_int_equal(legacy_take(&legacy, &error), PX_ERR_INVALID);
        assert_non_null(strstr(error.text, "cannot take over"));
        assert_int_equal(legacy.fd, -1);
    }
    for (int what = 0; what < 4; what++) {
        int fd = predecessor_open();

        give(fd, CONTROL_SOCKET, 0, 0, "127.0.0.1:0", STDIN_FILENO);
        if (what == 1)
            give(fd, CONTROL_SOCKET, 0, 0, "127.0.0.1:0", -1); /* without its descriptor */
        if (what == 2)
            give(fd, CONTROL_STOP, 0, 0, "", STDIN_FILENO);
        if (what == 3)
            assert_int_equal(write(fd, "x", 1), 1); /* of a version that we do not know */
        close(fd);
        assert_int_equal(legacy_take(&legacy, &error), PX_ERR_INVALID);
        assert_int_equal(legacy.fd, -1);
        assert_int_equal(legacy.count, 0);
        assert_int_equal(open_count(), before);
    }
}

static void a_program_that_is_not_there_is_not_started(void **state)
{
    char *const argv[] = {(char *)"nothing", NULL};
    struct successor_program program = {.path = NULL, .argv = argv};
    struct successor successor = {.fd = -1};
    const struct board_given nothing = {NULL, 0};
    int before = open_count();

    (void)state;
    assert_int_equal(successor_start(&successor, &program, -1, &nothing), 2); /* ENOENT */
    program.path = "/nonexistent/pollux";
    assert_int_equal(successor_start(&successor, &program, -1, &nothing), 2);
    program.path = "/etc/passwd";
    assert_int_not_equal(successor_start(&successor, &program, -1, &nothing), 0);
    assert_int_equal(successor.fd, -1);
    assert_int_equal(open_count(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_went_before),
        cmocka_unit_test(all_is_taken),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_program_that_is_not_there_is_not_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
