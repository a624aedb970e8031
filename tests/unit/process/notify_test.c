/*
 * What a service manager hears, by path and in the abstract namespace.
 */
#include "process/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/test.h"

/* A service manager that listens where `name` says ('@' for the abstract namespace). */
static int manager_open(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    memcpy(address.sun_path, name, strlen(name));
    if (*name == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void heard(int fd, char *out_text, size_t room)
{
    ssize_t bytes = recv(fd, out_text, room - 1, 0);

    out_text[bytes > 0 ? bytes : 0] = '\0';
}

static void it_is_told(void **state)
{
    char name[64];
    char text[256];
    struct notify notify;

    (void)state;
    for (int abstract = 0; abstract < 2; abstract++) {
        snprintf(name, sizeof(name), "%s/pollux-notify-%ld", abstract ? "@" : "/tmp",
                 (long)getpid());
        int fd = manager_open(name);

        notify_init(&notify);
        notify_send(&notify, "READY=1\nSTATUS=serving with %d workers\n", 3);
        heard(fd, text, sizeof(text));
        assert_string_equal(text, "READY=1\nSTATUS=serving with 3 workers\n");
        close(fd);
        notify_send(&notify, "READY=1\n"); /* nobody listens any more: nothing happens */
        notify_deinit(&notify);
        notify_init(&notify);
        assert_int_equal(notify.fd, -1);
        if (!abstract)
            unlink(name);
    }
}

static void a_reload_has_its_time(void **state)
{
    char name[64];
    char text[256];
    struct notify notify;
    struct timespec now;
    unsigned long long usec = 0;

    (void)state;
    snprintf(name, sizeof(name), "@pollux-notify-reload-%ld", (long)getpid());
    int fd = manager_open(name);

    notify_init(&notify);
    notify_reloading(&notify);
    clock_gettime(CLOCK_MONOTONIC, &now);
    heard(fd, text, sizeof(text));
    assert_int_equal(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    usec = strtoull(text + 27, NULL, 10);
    assert_true(usec > 0 && usec / 1000000 <= (unsigned long long)now.tv_sec);
    notify_deinit(&notify);
    close(fd);
}

static void no_address_tells_nobody(void **state)
{
    static const char *const names[] = {"", "@", "/", "relative", "vsock:1:2"};
    char long_name[200];
    struct notify notify;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_init(&notify);
        assert_int_equal(notify.fd, -1);
        notify_send(&notify, "READY=1\n");
    }
    memset(long_name, 'x', sizeof(long_name));
    long_name[0] = '/';
    long_name[sizeof(long_name) - 1] = '\0';
    setenv("NOTIFY_SOCKET", long_name, 1);
    notify_init(&notify);
    assert_int_equal(notify.fd, -1);
    unsetenv("NOTIFY_SOCKET");
    notify_init(&notify);
    assert_int_equal(notify.fd, -1);
}

static void the_watchdog_is_for_one_process(void **state)
{
    struct notify notify;
    char pid[24];

    (void)state;
    int fd = manager_open("@pollux-notify-watchdog");

    setenv("WATCHDOG_USEC", "3000000", 1);
    unsetenv("WATCHDOG_PID");
    notify_init(&notify);
    notify_deinit(&notify);
    assert_int_equal(notify.watchdog_ms, 1500);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    notify_init(&notify);
    notify_deinit(&notify);
    assert_int_equal(notify.watchdog_ms, 1500);
    setenv("WATCHDOG_PID", "1", 1);
    notify_init(&notify);
    notify_deinit(&notify);
    assert_int_equal(notify.watchdog_ms, 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    notify_init(&notify);
    notify_deinit(&notify);
    assert_int_equal(notify.watchdog_ms, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told),
        cmocka_unit_test(a_reload_has_its_time),
        cmocka_unit_test(no_address_tells_nobody),
        cmocka_unit_test(the_watchdog_is_for_one_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
