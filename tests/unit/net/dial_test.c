/*
 * Dialling: TCP, unix, names, refusals, deadlines; each dial reports once, from the loop.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/io.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"
#include "unit/io/recorder.h"

struct dialled {
    uint32_t count;
    px_err result;
    struct recorder rec;
    bool close_it;
};

static void on_dialled(px_stream *stream, px_err result, void *context)
{
    struct dialled *dialled = context;

    dialled->count++;
    dialled->result = result;
    assert_int_equal(stream != NULL, result == PX_OK);
    if (stream && dialled->close_it)
        px_stream_close(stream);
    else if (stream)
        recorder_attach(&dialled->rec, stream);
}

static int listening(int family, char *out_address, size_t room)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    socklen_t bytes = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    int fd = socket(family, SOCK_STREAM, 0);

    if (family == AF_INET6)
        v6->sin6_addr = in6addr_loopback;
    else
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    snprintf(out_address, room, family == AF_INET6 ? "[::1]:%u" : "127.0.0.1:%u",
             ntohs(family == AF_INET6 ? v6->sin6_port : v4->sin_port));
    return fd;
}

static void talk(px_loop *loop, int listener, const char *address)
{
    struct dialled dialled = {0};
    const px_part part = {.bytes = LITERAL("hello")};
    char text[8];
    px_error error;

    assert_int_equal(px_dial(loop, address, 0, on_dialled, &dialled, &error), PX_OK);
    assert_int_equal(dialled.count, 0); /* from the loop */
    assert_int_equal(px_loop_handle_count(loop), 1);
    pump_until(loop, dialled.count == 1);
    if (dialled.result != PX_OK)
        fail_msg("%s: %s", address, px_err_name(dialled.result));
    int fd = accept(listener, NULL, NULL);

    assert_true(fd >= 0);
    px_stream_recv_start(dialled.rec.stream);
    assert_int_equal(px_stream_send(dialled.rec.stream, &part, 1), PX_SENT_DONE);
    assert_int_equal(peer_recv(fd, text, sizeof(text), 1000), 5);
    peer_send(fd, LITERAL("world"));
    pump_until(loop, dialled.rec.len == 5);
    recorder_close(&dialled.rec);
    close(fd);
    pump_quietly(loop, 2);
    assert_int_equal(dialled.count, 1);
    assert_int_equal(px_loop_handle_count(loop), 0);
}

static void tcp_unix_and_names(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    char address[128], name[64],
        path[] = "/tmp/dial_test_XX"
                 "XXXX";

    (void)state;
    for (int family = 0; family < 2; family++) {
        int fd = listening(family ? AF_INET6 : AF_INET, address, sizeof(address));

        talk(loop, fd, address);
        /* A name has several addresses: the ones that refuse are passed over. */
        snprintf(name, sizeof(name), "localhost%s", strrchr(address, ':'));
        if (!family)
            talk(loop, fd, name);
        close(fd);
    }
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    assert_non_null(mkdtemp(path));
    snprintf(local.sun_path, sizeof(local.sun_path), "%s/s", path);
    snprintf(address, sizeof(address), "unix:%s", local.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
    assert_int_equal(listen(fd, 5), 0);
    talk(loop, fd, address);
    close(fd);
    unlink(local.sun_path);
    rmdir(path);
    px_loop_destroy(loop);
}

static px_err dial_result(px_loop *loop, const char *address, uint32_t timeout_ms)
{
    struct dialled dialled = {.close_it = true};
    px_error error;

    assert_int_equal(px_dial(loop, address, timeout_ms, on_dialled, &dialled, &error), PX_OK);
    pump_until(loop, dialled.count == 1);
    pump_quietly(loop, 3);
    assert_int_equal(dialled.count, 1);
    assert_int_equal(px_loop_handle_count(loop), 0);
    return dialled.result;
}

static void refusals(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    char address[64], name[64];
    int fd = listening(AF_INET, address, sizeof(address));

    (void)state;
    close(fd); /* nobody listens there now */
    assert_int_equal(dial_result(loop, address, 0), PX_ERR_CLOSED);
    snprintf(name, sizeof(name), "localhost%s", strrchr(address, ':'));
    assert_int_equal(dial_result(loop, name, 0), PX_ERR_CLOSED);
    assert_int_equal(dial_result(loop, "unix:/nonexistent/socket", 0), PX_ERR_NOT_FOUND);
    assert_int_equal(dial_result(loop, "no such host:80", 0), PX_ERR_NOT_FOUND);
    px_loop_destroy(loop);
}

static void bad_addresses_are_refused_at_once(void **state)
{
    static const char *const bad[] = {"", "80", ":80", "fd:3", "::1:80", "unix:", "a:99999"};
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct dialled dialled = {0};

    (void)state;
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++) {
        if (px_dial(loop, bad[index], 0, on_dialled, &dialled, &error) != PX_ERR_INVALID)
            fail_msg("%s was dialled", bad[index]);
        assert_true(error.text[0] != '\0');
    }
    pump_quietly(loop, 3);
    assert_int_equal(dialled.count, 0);
    assert_int_equal(px_loop_handle_count(loop), 0);
    px_loop_destroy(loop);
}

/* A listener whose backlog is full does not answer: the deadline ends it. */
static void deadline(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct dialled dialled = {.close_it = true};
    char address[64];
    int fd = listening(AF_INET, address, sizeof(address));
    int fillers[64], count = 0;

    (void)state;
    assert_int_equal(listen(fd, 0), 0);
    for (; count < 64; count++) {
        struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

        target.sin_port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10));
        fillers[count] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[count], (struct sockaddr *)&target, sizeof(target));
    }
    uint64_t before = pump_now_ms();

    assert_int_equal(px_dial(loop, address, 80, on_dialled, &dialled, &error), PX_OK);
    pump_until(loop, dialled.count == 1);
    assert_int_equal(dialled.result, PX_ERR_TIMEOUT);
    assert_in_range(pump_now_ms() - before, 75, 3000);
    assert_int_equal(px_loop_handle_count(loop), 0);
    while (count > 0)
        close(fillers[--count]);
    close(fd);
    px_loop_destroy(loop);
}

/* A dial in progress is one of the handles that must be gone before the loop. */
static void destroy_while_dialling(void)
{
    struct dialled dialled = {.close_it = true};
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);

    if (px_dial(loop, "127.0.0.1:1", 0, on_dialled, &dialled, &error) == PX_OK)
        px_loop_destroy(loop);
}

static void destroy_while_dialling_aborts(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(destroy_while_dialling, output, sizeof(output)), SIGABRT);
}

static void dial_and_fail(const px_allocator *allocator, void *context)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    const char *address = context;
    px_error error;

    options.allocator = allocator;
    px_loop *loop = px_loop_create(&options, &error);

    if (!loop)
        return;
    struct dialled dialled = {.close_it = true};
    px_err err = px_dial(loop, address, 0, on_dialled, &dialled, &error);

    if (err == PX_OK) {
        pump_until(loop, dialled.count == 1);
        assert_true(dialled.result == PX_OK || dialled.result == PX_ERR_MEMORY);
    } else {
        assert_int_equal(err, PX_ERR_MEMORY);
        assert_int_equal(error.code, PX_ERR_MEMORY);
    }
    pump_quietly(loop, 1);
    assert_int_equal(px_loop_handle_count(loop), 0);
    px_loop_destroy(loop);
}

static void every_allocation_may_fail(void **state)
{
    char address[64], name[64];
    int fd = listening(AF_INET, address, sizeof(address));

    (void)state;
    assert_int_equal(listen(fd, 1000), 0);
    assert_true(fault_alloc_each("dialling", dial_and_fail, address) >= 9);
    snprintf(name, sizeof(name), "localhost%s", strrchr(address, ':'));
    assert_true(fault_alloc_each("dialling a name", dial_and_fail, name) >= 11);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_unix_and_names),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bad_addresses_are_refused_at_once),
        cmocka_unit_test(deadline),
        cmocka_unit_test(destroy_while_dialling_aborts),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
