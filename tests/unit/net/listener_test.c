/*
 * Listeners: every kind of address, what is in the way of one, clones, inherited descriptors, and
 * accepting when there are no descriptors left.
 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

struct accepting {
    uint32_t count;
    uint32_t eager; /* of those, whose first bytes are there */
    char peer[64];
    char local[64];
    bool close_listener; /* in its own callback */
    px_listener *listener;
};

static void on_accept(px_stream *stream, void *context)
{
    struct accepting *accepting = context;

    accepting->count++;
    accepting->eager += (stream->handle.flags & STREAM_EAGER) != 0;
    px_stream_peer(stream, accepting->peer, sizeof(accepting->peer));
    px_stream_local(stream, accepting->local, sizeof(accepting->local));
    px_stream_close(stream);
    if (accepting->close_listener && accepting->listener) {
        px_listener_close(accepting->listener);
        accepting->listener = NULL;
    }
}

static px_listener *open_now(const char *address, uint32_t reuse_port)
{
    px_listen_options options = PX_LISTEN_OPTIONS_DEFAULT;
    px_error error;

    options.defer_accept_s = PX_OFF;
    options.reuse_port = reuse_port;
    px_listener *listener = px_listener_open(address, &options, &error);

    if (!listener)
        fail_msg("%s", error.text);
    assert_int_equal(error.code, PX_OK);
    return listener;
}

/* Connects to a listener's first address and waits until it was accepted. */
static void accept_one(px_listener *listener, const char *address)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct accepting accepting = {0};

    assert_int_equal(px_listener_start(listener, loop, on_accept, &accepting, &error), PX_OK);
    assert_int_equal(px_loop_handle_count(loop), 1);
    int fd = peer_connect(address);

    pump_until(loop, accepting.count == 1 && px_loop_handle_count(loop) == 1);
    assert_string_equal(accepting.local, strncmp(address, "unix:", 5) == 0 ? address : address);
    close(fd);
    px_listener_close(listener);
    assert_int_equal(px_loop_handle_count(loop), 0);
    px_loop_destroy(loop);
}

static void both_families_of_tcp(void **state)
{
    static const char *const texts[] = {"127.0.0.1:0", "[::1]:0"};

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(texts); index++) {
        px_listener *listener = open_now(texts[index], 0);
        char address[64];

        snprintf(address, sizeof(address), "%s", px_listener_address(listener));
        assert_memory_equal(address, texts[index], strlen(texts[index]) - 1);
        assert_null(strstr(address, ":0"));
        assert_true(px_listener_fd(listener, 0) >= 0);
        assert_int_equal(px_listener_fd(listener, 1), -1);
        accept_one(listener, address);
    }
}

/* ":port" is one socket for both; who comes over IPv4 is shown so. */
static void any_address_is_both_families(void **state)
{
    px_listener *listener = open_now(":0", 0);
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct accepting accepting = {0};
    const char *port = strrchr(px_listener_address(listener), ':');
    char address[64];

    (void)state;
    assert_int_equal(px_listener_start(listener, loop, on_accept, &accepting, &error), PX_OK);
    snprintf(address, sizeof(address), "127.0.0.1%s", port);
    int v4 = peer_connect(address);

    pump_until(loop, accepting.count == 1);
    assert_memory_equal(accepting.peer, "127.0.0.1:", 10);
    assert_string_equal(accepting.local, address);
    snprintf(address, sizeof(address), "[::1]%s", port);
    int v6 = peer_connect(address);

    pump_until(loop, accepting.count == 2);
    assert_memory_equal(accepting.peer, "[::1]:", 6);
    close(v4);
    close(v6);
    px_listener_close(listener);
    px_loop_destroy(loop);
}

static void a_name_is_every_address_found(void **state)
{
    px_listener *listener = open_now("localhost:0", 0);
    size_t count = 0;

    (void)state;
    while (px_listener_fd(listener, count) >= 0)
        count++;
    assert_true(count >= 1);
    const char *text = px_listener_address(listener);

    for (size_t index = 1; index < count; index++) {
        text = strstr(text, ", ");
        assert_non_null(text);
        text += 2;
    }
    px_listener_close(listener);
    px_listener_close(NULL);
}

static void deferred_accept_brings_the_request(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    px_listener *listener = px_listener_open("127.0.0.1:0", NULL, &error);
    struct accepting accepting = {0};

    (void)state;
    assert_int_equal(px_listener_start(listener, loop, on_accept, &accepting, &error), PX_OK);
    int fd = peer_connect(px_listener_address(listener));

    pump_quietly(loop, 50);
    assert_int_equal(accepting.count, 0); /* it has said nothing */
    peer_send(fd, LITERAL("x"));
    pump_until(loop, accepting.count == 1);
    assert_int_equal(accepting.eager, 1);
    close(fd);
    px_listener_close(listener);
    px_loop_destroy(loop);
}

/* --- Unix sockets ----------------------------------------------------------------------------- */

struct folder {
    char path[64];
    char socket[96];
    char address[128];
};

static void folder_make(struct folder *folder)
{
    snprintf(folder->path, sizeof(folder->path),
             "/tmp/listener_test_XX"
             "XXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->socket, sizeof(folder->socket), "%s/s", folder->path);
    snprintf(folder->address, sizeof(folder->address), "unix:%s", folder->socket);
}

static void folder_remove(const struct folder *folder)
{
    assert_int_equal(rmdir(folder->path), 0); /* empty: the socket is gone */
}

static void unix_socket_mode_and_removal(void **state)
{
    static const uint32_t modes[] = {0, 0600, 0666, 0777};
    mode_t before = umask(0027);
    struct folder folder;

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(modes); index++) {
        px_listen_options options = PX_LISTEN_OPTIONS_DEFAULT;
        struct stat status;
        px_error error;

        folder_make(&folder);
        options.unix_mode = modes[index];
        px_listener *listener = px_listener_open(folder.address, &options, &error);

        assert_non_null(listener);
        assert_string_equal(px_listener_address(listener), folder.address);
        assert_int_equal(stat(folder.socket, &status), 0);
        assert_int_equal(status.st_mode & 0777, modes[index] ? modes[index] : 0660);
        assert_int_equal(umask(0027), 0027); /* put back */
        accept_one(listener, folder.address);
        folder_remove(&folder);
    }
    umask(before);
}

/* A path is another's once it was bound anew: by a process that started while this one ended. */
static void a_path_that_another_has_bound_is_left_alone(void **state)
{
    struct folder folder;
    struct stat before, after;
    px_error error;

    (void)state;
    for (int owns_later = 0; owns_later < 2; owns_later++) {
        folder_make(&folder);
        px_listener *first = px_listener_open(folder.address, NULL, &error);

        assert_non_null(first);
        if (owns_later) { /* as a program that was replaced, and is not */
            px_listener_own_path(first, 0);
            px_listener_own_path(first, 1);
        }
        assert_int_equal(unlink(folder.socket), 0);
        px_listener *second = px_listener_open(folder.address, NULL, &error);

        assert_non_null(second);
        assert_int_equal(stat(folder.socket, &before), 0);
        px_listener_close(first);
        assert_int_equal(stat(folder.socket, &after), 0);
        assert_int_equal(after.st_ino, before.st_ino);
        px_listener_close(second);
        folder_remove(&folder);
    }
}

/* What bind made is put away in the same moment, and a link to another file put there. */
static const char *swapped_for;

int __real_bind(int fd, const struct sockaddr *address, socklen_t bytes);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t bytes);

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
    int result = __real_bind(fd, address, bytes);
    const char *path = ((const struct sockaddr_un *)address)->sun_path;

    if (swapped_for && result == 0) {
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink(swapped_for, path), 0);
    }
    return result;
}

static void a_mode_is_given_to_no_other_file(void **state)
{
    px_listen_options options = PX_LISTEN_OPTIONS_DEFAULT;
    mode_t before = umask(0077);
    struct folder folder;
    struct stat status;
    px_error error;
    char other[128];

    (void)state;
    folder_make(&folder);
    snprintf(other, sizeof(other), "%s/other", folder.path);
    close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    options.unix_mode = 0666;
    swapped_for = other;
    assert_null(px_listener_open(folder.address, &options, &error));
    swapped_for = NULL;
    assert_int_equal(error.code, PX_ERR_ADDRESS_IN_USE);
    assert_int_equal(stat(other, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(unlink(folder.socket), 0);
    folder_remove(&folder);
    umask(before);
}

static void stale_socket_is_replaced_and_others_are_left_alone(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct folder folder;
    px_error error;

    (void)state;
    folder_make(&folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder.socket);
    int left = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(bind(left, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(left, 1), 0);
    /* Somebody listens. */
    assert_null(px_listener_open(folder.address, NULL, &error));
    assert_int_equal(error.code, PX_ERR_ADDRESS_IN_USE);
    assert_non_null(strstr(error.text, "address in use"));
    close(left);
    /* Left from a crash. */
    px_listener *listener = px_listener_open(folder.address, NULL, &error);

    assert_non_null(listener);
    px_listener_close(listener);
    /* A file that is no socket, and a link to one. */
    int file = open(folder.socket, O_CREAT | O_WRONLY, 0600);

    assert_int_equal(write(file, "precious", 8), 8);
    assert_null(px_listener_open(folder.address, NULL, &error));
    assert_int_equal(error.code, PX_ERR_ADDRESS_IN_USE);
    assert_int_equal(access(folder.socket, F_OK), 0);
    unlink(folder.socket);
    close(file);
    folder_remove(&folder);
    /* No such folder. */
    assert_null(px_listener_open(folder.address, NULL, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, folder.address));
}

/* --- Errors ----------------------------------------------------------------------------------- */

static void addresses_in_use(void **state)
{
    px_listen_options options = PX_LISTEN_OPTIONS_DEFAULT;
    char text[64];
    px_error error;

    (void)state;
    for (uint32_t reuse_port = 0; reuse_port < 2; reuse_port++) {
        px_listener *listener = open_now("127.0.0.1:0", reuse_port);

        /* Although both want to share, the second program fails. */
        options.reuse_port = reuse_port;
        assert_null(px_listener_open(px_listener_address(listener), &options, &error));
        assert_int_equal(error.code, PX_ERR_ADDRESS_IN_USE);
        assert_true(error.sys_errno != 0);
        snprintf(text, sizeof(text), "cannot listen on %s: address in use",
                 px_listener_address(listener));
        assert_memory_equal(error.text, text, strlen(text));
        px_listener_close(listener);
    }
    assert_null(px_listener_open("192.0.2.1:0", NULL, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "does not have that address"));
    assert_null(px_listener_open("8080", NULL, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_null(px_listener_open("8080", NULL, NULL));
    options.struct_size = 1;
    assert_null(px_listener_open("127.0.0.1:0", &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_null(px_listener_adopt(0, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
}

/* --- Clones, adopted and inherited descriptors ------------------------------------------------ */

static void clones_share_the_address(void **state)
{
    struct folder folder;

    (void)state;
    folder_make(&folder);
    for (int kind = 0; kind < 4; kind++) {
        px_error error;
        px_loop *loop = px_loop_create(NULL, &error);
        struct accepting first = {0}, second = {0};
        px_listener *listener = open_now(kind == 3   ? folder.address
                                         : kind == 2 ? ":0"
                                                     : "127.0.0.1:0",
                                         kind == 1 || kind == 2);
        px_listener *clone = px_listener_clone(listener, &error);
        int fds[40];
        char address[128];

        assert_non_null(clone);
        snprintf(address, sizeof(address), "%s", px_listener_address(listener));
        assert_string_equal(px_listener_address(clone), address);
        if (kind == 2)
            snprintf(address, sizeof(address), "127.0.0.1%s",
                     strrchr(px_listener_address(listener), ':'));
        assert_int_equal(px_listener_start(listener, loop, on_accept, &first, &error), PX_OK);
        assert_int_equal(px_listener_start(clone, loop, on_accept, &second, &error), PX_OK);
        for (size_t index = 0; index < ARRAY_COUNT(fds); index++)
            fds[index] = peer_connect(address);
        pump_until(loop, first.count + second.count == ARRAY_COUNT(fds));
        if (kind == 1 || kind == 2)
            assert_true(first.count > 0 && second.count > 0);
        for (size_t index = 0; index < ARRAY_COUNT(fds); index++)
            close(fds[index]);
        /* The clone lives without the first. */
        px_listener_close(listener);
        if (kind != 3) {
            uint32_t before = second.count;
            int fd = peer_connect(address);

            pump_until(loop, second.count == before + 1);
            close(fd);
        }
        px_listener_close(clone);
        pump_quietly(loop, 2);
        px_loop_destroy(loop);
    }
    folder_remove(&folder);
}

/* A unix socket defers nothing: that is so of a clone too, which knows no path. */
static void no_unix_socket_brings_the_request(void **state)
{
    struct folder folder;
    px_error error;

    (void)state;
    folder_make(&folder);
    px_loop *loop = px_loop_create(NULL, &error);
    px_listener *listener = px_listener_open(folder.address, NULL, &error);
    px_listener *clone = px_listener_clone(listener, &error);
    px_listener *starts[] = {listener, clone};

    for (size_t index = 0; index < ARRAY_COUNT(starts); index++) {
        struct accepting accepting = {0};

        assert_int_equal(px_listener_start(starts[index], loop, on_accept, &accepting, &error),
                         PX_OK);
        int fd = peer_connect(folder.address);

        pump_until(loop, accepting.count == 1);
        assert_int_equal(accepting.eager, 0);
        close(fd);
        px_listener_stop(starts[index]);
    }
    px_listener_close(clone);
    px_listener_close(listener);
    pump_quietly(loop, 2);
    px_loop_destroy(loop);
    folder_remove(&folder);
}

static int listening_socket(char *out_address, size_t room)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(v4);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&v4, bytes), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&v4, &bytes), 0);
    snprintf(out_address, room, "127.0.0.1:%u", ntohs(v4.sin_port));
    return fd;
}

static void adopted_descriptor(void **state)
{
    char address[64];
    int fd = listening_socket(address, sizeof(address));
    px_error error;
    px_listener *listener = px_listener_adopt(fd, &error);

    (void)state;
    assert_non_null(listener);
    assert_string_equal(px_listener_address(listener), address);
    assert_int_equal(px_listener_fd(listener, 0), fd);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    accept_one(listener, address);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was the listener's */
}

/* As systemd passes them: LISTEN_FDS of them from 3 on.  Ours is the last, with a name. */
static void inherited_descriptors(void **state)
{
    char address[64], number[16], names[512] = "";
    px_error error;
    int fd = listening_socket(address, sizeof(address));

    (void)state;
    assert_in_range(fd, 3, 100);
    for (int before = 3; before < fd; before++)
        strncat(names, "x:", sizeof(names) - strlen(names) - 1);
    strncat(names, "web", sizeof(names) - strlen(names) - 1);
    setenv("LISTEN_FDNAMES", names, 1);
    /* Not passed: no count, a wrong one, one too few, for somebody else. */
    static const char *const counts[] = {NULL, "", "x", "-1", "0", "99999999", "2x"};

    unsetenv("LISTEN_PID");
    for (size_t index = 0; index < ARRAY_COUNT(counts); index++) {
        if (counts[index])
            setenv("LISTEN_FDS", counts[index], 1);
        else
            unsetenv("LISTEN_FDS");
        assert_null(px_listener_open("fd:web", NULL, &error));
        assert_int_equal(error.code, PX_ERR_NOT_FOUND);
        assert_non_null(strstr(error.text, "fd:web"));
    }
    snprintf(number, sizeof(number), "%d", fd - 3);
    setenv("LISTEN_FDS", number, 1);
    assert_null(px_listener_open("fd:web", NULL, &error));
    snprintf(number, sizeof(number), "%d", fd - 2);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_PID", "1", 1);
    assert_null(px_listener_open("fd:web", NULL, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    snprintf(number, sizeof(number), "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
    assert_null(px_listener_open("fd:other", NULL, &error));
    px_listener *listener = px_listener_open("fd:web", NULL, &error);

    assert_non_null(listener);
    assert_int_equal(px_listener_fd(listener, 0), fd);
    assert_string_equal(px_listener_address(listener), address);
    accept_one(listener, address);
    /* By number, whatever the environment says; it must be open, and listen. */
    unsetenv("LISTEN_FDS");
    fd = listening_socket(address, sizeof(address));
    snprintf(number, sizeof(number), "fd:%d", fd);
    listener = px_listener_open(number, NULL, &error);
    assert_non_null(listener);
    px_listener_close(listener);
    assert_null(px_listener_open(number, NULL, &error)); /* it was closed with its listener */
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    assert_null(px_listener_open("fd:0", NULL, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_null(px_listener_open("fd:99999999999", NULL, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
}

/* --- Accepting -------------------------------------------------------------------------------- */

static void stop_and_start_again(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    px_listener *listener = open_now("127.0.0.1:0", 0);
    struct accepting accepting = {0};

    (void)state;
    px_listener_stop(listener); /* not started: harmless */
    assert_int_equal(px_listener_start(listener, loop, on_accept, &accepting, &error), PX_OK);
    px_listener_stop(listener);
    px_listener_stop(listener);
    assert_int_equal(px_loop_handle_count(loop), 0);
    int fd = peer_connect(px_listener_address(listener));

    pump_quietly(loop, 20);
    assert_int_equal(accepting.count, 0); /* it waits in the backlog */
    assert_int_equal(px_listener_start(listener, loop, on_accept, &accepting, &error), PX_OK);
    pump_until(loop, accepting.count == 1);
    close(fd);
    px_listener_close(listener);
    pump_quietly(loop, 2);
    px_loop_destroy(loop);
}

static void close_in_own_callback(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        px_error error;
        px_loop *loop = px_loop_create(NULL, &error);
        px_listener *listener = open_now("127.0.0.1:0", 0);
        struct accepting accepting = {.close_listener = true, .listener = listener};
        int fds[2];

        assert_int_equal(px_listener_start(listener, loop, on_accept, &accepting, &error), PX_OK);
        fds[0] = peer_connect(px_listener_address(listener));
        fds[1] = more ? peer_connect(px_listener_address(listener)) : -1;
        pump_until(loop, accepting.count == 1);
        pump_quietly(loop, 10);
        assert_int_equal(accepting.count, 1);
        assert_int_equal(px_loop_handle_count(loop), 0);
        close(fds[0]);
        if (more)
            close(fds[1]);
        px_loop_destroy(loop);
    }
}

/* Out of descriptors: it pauses, spends nothing, and goes on by itself. */
static void no_descriptors_left_does_not_spin(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    px_listener *listener = open_now("127.0.0.1:0", 0);
    struct accepting accepting = {0};
    struct rlimit before, low;
    uint32_t ticks = 0;

    (void)state;
    assert_int_equal(px_listener_start(listener, loop, on_accept, &accepting, &error), PX_OK);
    int fd = peer_connect(px_listener_address(listener));
    int next = dup(fd); /* the lowest that is free */

    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    uint64_t cpu = pump_cpu_ms(), end = pump_now_ms() + 400;

    while (pump_now_ms() < end) {
        pump_once(loop, 1000);
        ticks++;
    }
    cpu = pump_cpu_ms() - cpu;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(accepting.count, 0);
    print_message("%u ticks, %u ms of CPU in 400 ms without descriptors\n", ticks, (unsigned)cpu);
    assert_in_range(ticks, 2, 20);
    pump_until(loop, accepting.count == 1);
    close(fd);
    px_listener_close(listener);
    pump_quietly(loop, 2);
    px_loop_destroy(loop);
}

static void many_in_the_backlog(void **state)
{
    enum { COUNT = 300 };
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    px_listener *listener = open_now("127.0.0.1:0", 0);
    struct accepting accepting = {0};
    int fds[COUNT];

    (void)state;
    for (int index = 0; index < COUNT; index++)
        fds[index] = peer_connect(px_listener_address(listener));
    assert_int_equal(px_listener_start(listener, loop, on_accept, &accepting, &error), PX_OK);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_in_range(accepting.count, 1, ACCEPTS_PER_TICK);
    pump_until(loop, accepting.count == COUNT);
    for (int index = 0; index < COUNT; index++)
        close(fds[index]);
    px_listener_close(listener);
    pump_quietly(loop, 2);
    px_loop_destroy(loop);
}

static void accept_and_fail(const px_allocator *allocator, void *context)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct accepting accepting = {0};
    px_error error;

    (void)context;
    options.allocator = allocator;
    px_loop *loop = px_loop_create(&options, &error);

    if (!loop)
        return;
    px_listener *listener = open_now("127.0.0.1:0", 0);

    if (px_listener_start(listener, loop, on_accept, &accepting, &error) == PX_OK) {
        int fd = peer_connect(px_listener_address(listener));
        char byte;

        /* Accepted, or closed for want of memory. */
        for (int count = 0; count < 1000 && peer_recv(fd, &byte, 1, 0) == -1; count++)
            pump_once(loop, 5);
        close(fd);
    } else {
        assert_int_equal(error.code, PX_ERR_MEMORY);
    }
    px_listener_close(listener);
    pump_quietly(loop, 1);
    assert_int_equal(px_loop_handle_count(loop), 0);
    px_loop_destroy(loop);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("accepting", accept_and_fail, NULL) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_of_tcp),
        cmocka_unit_test(any_address_is_both_families),
        cmocka_unit_test(a_name_is_every_address_found),
        cmocka_unit_test(deferred_accept_brings_the_request),
        cmocka_unit_test(unix_socket_mode_and_removal),
        cmocka_unit_test(a_path_that_another_has_bound_is_left_alone),
        cmocka_unit_test(a_mode_is_given_to_no_other_file),
        cmocka_unit_test(stale_socket_is_replaced_and_others_are_left_alone),
        cmocka_unit_test(addresses_in_use),
        cmocka_unit_test(clones_share_the_address),
        cmocka_unit_test(no_unix_socket_brings_the_request),
        cmocka_unit_test(adopted_descriptor),
        cmocka_unit_test(inherited_descriptors),
        cmocka_unit_test(stop_and_start_again),
        cmocka_unit_test(close_in_own_callback),
        cmocka_unit_test(no_descriptors_left_does_not_spin),
        cmocka_unit_test(many_in_the_backlog),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
