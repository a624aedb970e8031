/*
 * Dialling a name with several addresses: they race, a black hole holds nothing up, a dial is
 * cancelled at any moment, and what went wrong is told in words.
 *
 * getaddrinfo is wrapped and gives the addresses of the test.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "pollux/stream.h"
#include "unit/io/pump.h"

enum { FOUND_MAX = 4 };

static struct addrinfo found[FOUND_MAX];
static struct sockaddr_storage sockets[FOUND_MAX];
static int found_count;

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list);
void __wrap_freeaddrinfo(struct addrinfo *list);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list)
{
    (void)host;
    (void)port;
    (void)hints;
    *out_list = found_count > 0 ? found : NULL;
    return found_count > 0 ? 0 : EAI_NONAME;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

/* A socket of a family that listens on a port (0: any), and is an address of the name. */
static int address_add(int family, const char *host, int backlog, uint16_t *port)
{
    struct sockaddr_storage *address = &sockets[found_count];
    struct sockaddr_in *v4 = (void *)address;
    struct sockaddr_in6 *v6 = (void *)address;
    struct addrinfo *info = &found[found_count];
    int on = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(address, 0, sizeof(*address));
    address->ss_family = (sa_family_t)family;
    assert_int_equal(
        inet_pton(family, host, family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr),
        1);
    *(family == AF_INET ? &v4->sin_port : &v6->sin6_port) = htons(*port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    *info = (struct addrinfo){.ai_family = family,
                              .ai_socktype = SOCK_STREAM,
                              .ai_addr = (void *)address,
                              .ai_addrlen = family == AF_INET ? sizeof(*v4) : sizeof(*v6)};
    assert_int_equal(bind(fd, info->ai_addr, info->ai_addrlen), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, info->ai_addr, &info->ai_addrlen), 0);
    *port = ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port);
    if (found_count > 0)
        found[found_count - 1].ai_next = info;
    found_count++;
    return fd;
}

/* Its queue is full: the kernel drops what comes, as a host does that is switched off. */
static void hole_fill(int index, int out_fds[4])
{
    for (int i = 0; i < 4; i++) {
        out_fds[i] = socket(found[index].ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(out_fds[i], found[index].ai_addr, found[index].ai_addrlen);
    }
    usleep(10 * 1000);
}

static void fds_close(int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

struct done {
    uint32_t count;
    uint32_t closed;
    px_error error;
    char peer[64];
};

static void on_closed(px_stream *stream, void *context)
{
    struct done *done = context;

    (void)stream;
    done->closed++;
}

static const px_stream_events events = {.on_closed = on_closed};

static void on_done(px_stream *stream, const px_error *error, void *context)
{
    struct done *done = context;

    done->count++;
    done->error = *error;
    assert_int_equal(stream != NULL, error->code == PX_OK);
    if (!stream)
        return;
    px_stream_peer(stream, done->peer, sizeof(done->peer));
    px_stream_attach(stream, &events, done);
    px_stream_close(stream);
}

static struct done dial(px_dial_options options, uint16_t port, uint64_t *out_ms)
{
    px_loop *loop = px_loop_create(NULL, NULL);
    struct done done = {0};
    char name[32];
    uint64_t since = pump_now_ms();

    snprintf(name, sizeof(name), "many.test:%u", port);
    assert_non_null(px_dial_start(loop, name, &options, on_done, &done, NULL));
    assert_int_equal(done.count, 0);
    pump_until(loop, done.count == 1);
    *out_ms = pump_now_ms() - since;
    pump_until(loop, done.closed == (done.error.code == PX_OK));
    assert_int_equal(px_loop_handle_count(loop), 0);
    px_loop_destroy(loop);
    return done;
}

static void a_black_hole_is_overtaken(void **state)
{
    px_dial_options options = PX_DIAL_OPTIONS_DEFAULT;
    uint16_t port = 0;
    uint64_t ms;
    int hole, live, fds[4];

    (void)state;
    found_count = 0;
    hole = address_add(AF_INET, "127.0.0.2", 0, &port);
    live = address_add(AF_INET, "127.0.0.1", 5, &port);
    hole_fill(0, fds);
    struct done done = dial(options, port, &ms);

    assert_int_equal(done.error.code, PX_OK);
    assert_memory_equal(done.peer, "127.0.0.1:", 10);
    assert_true(ms >= 200 && ms < 5000);
    /* One after the other it is a deadline of its own that ends the first. */
    options.stagger_ms = PX_OFF;
    options.address_timeout_ms = 80;
    done = dial(options, port, &ms);
    assert_int_equal(done.error.code, PX_OK);
    assert_memory_equal(done.peer, "127.0.0.1:", 10);
    assert_true(ms >= 60);
    /* Without one the whole has a limit. */
    options.address_timeout_ms = 0;
    options.timeout_ms = 100;
    done = dial(options, port, &ms);
    assert_int_equal(done.error.code, PX_ERR_TIMEOUT);
    assert_non_null(strstr(done.error.text, "timed out"));
    close(hole);
    close(live);
    fds_close(fds, 4);
}

static void ipv6_comes_first(void **state)
{
    px_dial_options options = PX_DIAL_OPTIONS_DEFAULT;
    uint16_t port = 0;
    uint64_t ms;
    int fds[3];

    (void)state;
    found_count = 0;
    fds[0] = address_add(AF_INET, "127.0.0.2", 5, &port);
    fds[1] = address_add(AF_INET, "127.0.0.1", 5, &port);
    fds[2] = address_add(AF_INET6, "::1", 5, &port);
    struct done done = dial(options, port, &ms);

    assert_int_equal(done.error.code, PX_OK);
    assert_memory_equal(done.peer, "[::1]:", 6);
    fds_close(fds, 3);
}

static void a_refusal_is_told(void **state)
{
    px_dial_options options = PX_DIAL_OPTIONS_DEFAULT;
    uint16_t port = 0;
    uint64_t ms;
    int fds[2];

    (void)state;
    found_count = 0;
    options.stagger_ms = 5000;
    fds[0] = address_add(AF_INET, "127.0.0.2", -1, &port);
    fds[1] = address_add(AF_INET, "127.0.0.1", -1, &port);
    struct done done = dial(options, port, &ms);

    assert_int_equal(done.error.code, PX_ERR_CLOSED);
    assert_int_equal(done.error.sys_errno, ECONNREFUSED);
    assert_non_null(strstr(done.error.text, "127.0.0.1:"));
    assert_non_null(strstr(done.error.text, "Connection refused"));
    assert_true(ms < 4000); /* a failure does not wait for its turn */
    fds_close(fds, 2);
    found_count = 0;
    done = dial(options, 1, &ms);
    assert_int_equal(done.error.code, PX_ERR_NOT_FOUND);
}

/* After each number of ticks, once, also with an attempt under way and with a name that is being
 * looked up. */
static void cancelled_at_any_moment(void **state)
{
    uint16_t port = 0;
    int hole, fds[4];
    char numeric[32];

    (void)state;
    found_count = 0;
    hole = address_add(AF_INET, "127.0.0.2", 0, &port);
    hole_fill(0, fds);
    snprintf(numeric, sizeof(numeric), "127.0.0.2:%u", port);
    for (int ticks = 0; ticks < 12; ticks++) {
        struct fault_alloc fault;
        px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
        struct done done = {0};

        fault_alloc_init(&fault);
        options.allocator = &fault.allocator;
        px_loop *loop = px_loop_create(&options, NULL);
        px_dialing *dialing =
            px_dial_start(loop, ticks % 2 ? numeric : "many.test:1", NULL, on_done, &done, NULL);

        assert_non_null(dialing);
        for (int i = 0; i < ticks / 2; i++)
            pump_once(loop, 1);
        assert_int_equal(done.count, 0);
        px_dial_cancel(dialing);
        px_dial_cancel(dialing);
        assert_int_equal(done.count, 0);
        pump_until(loop, done.count == 1);
        assert_int_equal(done.error.code, PX_ERR_CANCELLED);
        pump_quietly(loop, 5);
        assert_int_equal(done.count, 1);
        assert_int_equal(px_loop_handle_count(loop), 0);
        px_loop_destroy(loop);
        fault_alloc_assert_empty(&fault);
    }
    close(hole);
    fds_close(fds, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_black_hole_is_overtaken),
        cmocka_unit_test(ipv6_comes_first),
        cmocka_unit_test(a_refusal_is_told),
        cmocka_unit_test(cancelled_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
