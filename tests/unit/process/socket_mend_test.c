/*
 * Sockets that were spoiled in each way that a worker without a filter could, and then mended: the
 * proof is that a peer gets in.
 */
#include "process/socket_mend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/test.h"

enum { BACKLOG = 16 };

static int listener_make(struct sockaddr_in *out_address)
{
    socklen_t bytes = sizeof(*out_address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;

    *out_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)out_address, sizeof(*out_address)), 0);
    assert_int_equal(listen(fd, BACKLOG), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)out_address, &bytes), 0);
    return fd;
}

/* 0, or the errno of a peer's connect; what got in is accepted. */
static int try_peer(int fd, const struct sockaddr_in *address)
{
    int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failure =
        connect(peer, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;

    if (failure == 0) {
        int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        if (accepted < 0)
            failure = errno;
        else
            close(accepted);
    }
    close(peer);
    return failure;
}

static void sound_ones_are_left_alone(void **state)
{
    struct sockaddr_in address;
    int fd = listener_make(&address);
    const struct socket_plan plan = socket_plan_make(fd, BACKLOG, true);

    (void)state;
    assert_int_equal(socket_mend(fd, &plan), SOCKET_SOUND);
    assert_int_equal(try_peer(fd, &address), 0);
    close(fd);
}

static void one_that_was_shut_listens_again(void **state)
{
    struct sockaddr_in address;
    int fd = listener_make(&address);
    const struct socket_plan plan = socket_plan_make(fd, BACKLOG, true);

    (void)state;
    assert_true(socket_refuse(fd));
    assert_int_equal(try_peer(fd, &address), ECONNREFUSED);
    assert_int_equal(socket_mend(fd, &plan), SOCKET_MENDED);
    assert_int_equal(try_peer(fd, &address), 0);
    assert_int_equal(socket_mend(fd, &plan), SOCKET_SOUND);
    close(fd);
}

static void one_that_was_connected_is_dissolved(void **state)
{
    struct sockaddr_in address, elsewhere;
    int fd = listener_make(&address);
    const struct socket_plan plan = socket_plan_make(fd, BACKLOG, true);
    int other = listener_make(&elsewhere);

    (void)state;
    assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
    assert_true(connect(fd, (struct sockaddr *)&elsewhere, sizeof(elsewhere)) == 0 ||
                errno == EINPROGRESS);
    assert_int_equal(socket_mend(fd, &plan), SOCKET_MENDED);
    assert_int_equal(try_peer(fd, &address), 0);
    close(other);
    close(fd);
}

/* Steered to the second of two, which does not accept. */
static void a_filter_of_the_group_is_taken_off(void **state)
{
    struct sock_filter second[] = {BPF_STMT(BPF_RET | BPF_K, 1)};
    const struct sock_fprog program = {1, second};
    const int on = 1;
    struct sockaddr_in address;
    int fd = listener_make(&address);
    const struct socket_plan plan = socket_plan_make(fd, BACKLOG, true);
    const struct socket_plan inherited = socket_plan_make(fd, BACKLOG, false);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int got_in = 0, spare_fd = -1;

    (void)state;
    setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(other, BACKLOG), 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)), 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(try_peer(fd, &address), EAGAIN);
    assert_int_equal(socket_mend(fd, &inherited), SOCKET_SOUND); /* an inherited one's own */
    assert_int_equal(socket_mend(fd, &plan), SOCKET_MENDED);
    for (int i = 0; i < 64; i++) {
        got_in += try_peer(fd, &address) == 0;
        socket_turn_away(other, BACKLOG, &spare_fd); /* a full queue would hold up the next peer */
    }
    assert_true(got_in > 0);
    assert_true(spare_fd >= 0); /* made where there was none */
    close(spare_fd);
    close(other);
    close(fd);
}

static void flags_are_put_back(void **state)
{
    const struct linger on = {1, 30};
    struct sockaddr_in address;
    int fd = listener_make(&address);
    const struct socket_plan inherited = socket_plan_make(fd, BACKLOG, false);

    (void)state;
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    assert_int_equal(socket_mend(fd, &inherited), SOCKET_MENDED);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), 0);
    assert_int_equal(socket_mend(fd, &inherited), SOCKET_MENDED);
    assert_int_equal(socket_mend(fd, &inherited), SOCKET_SOUND);
    close(fd);
}

static void a_unix_socket_that_was_shut_is_lost(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int spare_fd = socket_spare();
    struct rlimit limit, few;

    (void)state;
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/pollux-mend.%ld", (long)getpid());
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, BACKLOG), 0);
    const struct socket_plan plan = socket_plan_make(fd, BACKLOG, true);

    assert_int_equal(socket_mend(fd, &plan), SOCKET_SOUND);
    assert_false(socket_refuse(fd));
    assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = (struct rlimit){(rlim_t)spare_fd + 1, limit.rlim_max}; /* as when all are taken */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    socket_turn_away(fd, 8, &spare_fd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(spare_fd >= 0);
    assert_int_equal(read(peer, &address, 1), 0);
    close(spare_fd);
    assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
    assert_int_equal(socket_mend(fd, &plan), SOCKET_LOST);
    unlink(address.sun_path);
    close(peer);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_ones_are_left_alone),
        cmocka_unit_test(one_that_was_shut_listens_again),
        cmocka_unit_test(one_that_was_connected_is_dissolved),
        cmocka_unit_test(a_filter_of_the_group_is_taken_off),
        cmocka_unit_test(flags_are_put_back),
        cmocka_unit_test(a_unix_socket_that_was_shut_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
