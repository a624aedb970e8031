/*
 * Messages between processes: whole or not at all, with their descriptor, and nothing else.
 */
#include "process/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/test.h"

static int pair_make(void **state)
{
    static int fds[2];

    *state = fds;
    return control_pair(fds);
}

static int pair_end(void **state)
{
    const int *fds = *state;

    if (fds[0] >= 0)
        close(fds[0]);
    if (fds[1] >= 0)
        close(fds[1]);
    return 0;
}

static void a_message_arrives_whole(void **state)
{
    const int *fds = *state;
    struct control_message sent = control_make(CONTROL_SOCKET, 7, 3);
    struct control_message got;
    int fd = 0;

    memset(sent.text, 'x', sizeof(sent.text) - 1);
    assert_int_equal(control_receive(fds[1], &got, &fd), 0);
    assert_int_equal(control_send(fds[0], &sent, -1), 0);
    assert_int_equal(control_receive(fds[1], &got, &fd), 1);
    assert_memory_equal(&got, &sent, sizeof(got));
    assert_int_equal(fd, -1);
    assert_int_equal(control_receive(fds[1], &got, &fd), 0);
}

static void a_descriptor_comes_along(void **state)
{
    const int *fds = *state;
    struct control_message message = control_make(CONTROL_SERVE, 1, 0);
    int ends[2];
    int fd = -1;
    char byte = 0;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(control_send(fds[0], &message, ends[1]), 0);
    close(ends[1]);
    assert_int_equal(control_receive(fds[1], &message, &fd), 1);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "y", 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close(fd);
    close(ends[0]);
}

static void the_end_is_seen(void **state)
{
    int *fds = *state;
    struct control_message message = control_make(CONTROL_READY, 0, 0);
    int fd;

    assert_int_equal(control_send(fds[0], &message, -1), 0);
    close(fds[0]);
    fds[0] = -1;
    assert_int_equal(control_receive(fds[1], &message, &fd), 1);
    assert_int_equal(control_receive(fds[1], &message, &fd), -1);
    assert_int_equal(control_send(fds[1], &message, -1), EPIPE);
}

/* Sends raw bytes with as many descriptors. */
static void send_raw(int to, const void *bytes, size_t len, int count)
{
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};

    if (count > 0) {
        head.msg_control = control.bytes;
        head.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&head);

        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        for (int i = 0; i < count; i++)
            memcpy(CMSG_DATA(rights) + (size_t)i * sizeof(int), &to, sizeof(int));
    }
    assert_int_equal(sendmsg(to, &head, MSG_NOSIGNAL), (ssize_t)len);
}

static int open_count(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* What a worker that was taken over might say. */
static void nonsense_is_refused_and_leaks_nothing(void **state)
{
    const int *fds = *state;
    char bytes[sizeof(struct control_message) + 1] = {0};
    struct control_message good = control_make(CONTROL_READY, 0, 0);
    struct control_message bad;
    int before = open_count();
    int fd;

    for (size_t len = 1; len < sizeof(bytes) + 1; len++) {
        if (len == sizeof(struct control_message))
            continue;
        memcpy(bytes, &good, sizeof(good));
        send_raw(fds[0], bytes, len, 1);
        assert_int_equal(control_receive(fds[1], &bad, &fd), -1);
    }
    for (int count = 2; count <= 8; count++) {
        send_raw(fds[0], &good, sizeof(good), count);
        assert_int_equal(control_receive(fds[1], &bad, &fd), -1);
    }
    bad = good;
    bad.version++;
    send_raw(fds[0], &bad, sizeof(bad), 1);
    assert_int_equal(control_receive(fds[1], &bad, &fd), -1);
    bad = good;
    bad.kind = CONTROL_KIND_LAST + 1;
    send_raw(fds[0], &bad, sizeof(bad), 1);
    assert_int_equal(control_receive(fds[1], &bad, &fd), -1);
    bad = good;
    bad.kind = 0;
    send_raw(fds[0], &bad, sizeof(bad), 1);
    assert_int_equal(control_receive(fds[1], &bad, &fd), -1);
    bad = good;
    memset(bad.text, 'x', sizeof(bad.text));
    send_raw(fds[0], &bad, sizeof(bad), 1);
    assert_int_equal(control_receive(fds[1], &bad, &fd), -1);
    assert_int_equal(open_count(), before);
}

/* A worker's word to its master: numbers over a pipe, and no descriptor by any way. */
static void answers_carry_no_descriptor(void **state)
{
    struct control_answer answer = {CONTROL_VERSION, CONTROL_SERVING, 7};
    const struct control_message good = control_make(CONTROL_READY, 0, 0);
    const struct control_answer bad[] = {{CONTROL_VERSION + 1, CONTROL_READY, 0},
                                         {CONTROL_VERSION, CONTROL_REPORT, 0},
                                         {CONTROL_VERSION, CONTROL_SOCKET, 0}};
    struct control_ends master, worker;

    (void)state;
    assert_int_equal(control_open(&master, &worker), 0);
    assert_int_equal(control_send(worker.word_fd, &good, STDIN_FILENO), EPIPE);
    assert_int_equal(control_hear(master.answer_fd, &answer), HEARD_NOTHING);
    assert_int_equal(control_answer(worker.answer_fd, CONTROL_SERVING, 7), 0);
    assert_int_equal(control_answer(worker.answer_fd, CONTROL_REPORTED, 0), 0);
    answer = (struct control_answer){0};
    assert_int_equal(control_hear(master.answer_fd, &answer), HEARD_ANSWER);
    assert_int_equal(answer.kind, CONTROL_SERVING);
    assert_int_equal(answer.slot, 7);
    assert_int_equal(control_hear(master.answer_fd, &answer), HEARD_ANSWER);
    assert_int_equal(answer.kind, CONTROL_REPORTED);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(write(worker.answer_fd, &bad[i], sizeof(bad[i])), sizeof(bad[i]));
        assert_int_equal(control_hear(master.answer_fd, &answer), HEARD_NONSENSE);
    }
    assert_int_equal(write(worker.answer_fd, &bad[0], sizeof(bad[0]) - 1), sizeof(bad[0]) - 1);
    assert_int_equal(control_hear(master.answer_fd, &answer), HEARD_NONSENSE);
    close(worker.answer_fd);
    assert_int_equal(control_hear(master.answer_fd, &answer), HEARD_END);
    close(worker.word_fd);
    close(master.word_fd);
    close(master.answer_fd);
}

static void a_reader_that_sleeps_does_not_block(void **state)
{
    const int *fds = *state;
    struct control_message message = control_make(CONTROL_STOP, 0, 0);
    int sent = 0;
    int failure;

    while ((failure = control_send(fds[0], &message, -1)) == 0)
        assert_true(sent++ < 100000);
    assert_int_equal(failure, EAGAIN);
    assert_true(sent > 100); /* the sockets of many workers fit */
    assert_int_equal(control_send_patiently(fds[0], &message, -1, 20), EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_arrives_whole, pair_make, pair_end),
        cmocka_unit_test_setup_teardown(a_descriptor_comes_along, pair_make, pair_end),
        cmocka_unit_test_setup_teardown(the_end_is_seen, pair_make, pair_end),
        cmocka_unit_test_setup_teardown(nonsense_is_refused_and_leaks_nothing, pair_make, pair_end),
        cmocka_unit_test(answers_carry_no_descriptor),
        cmocka_unit_test_setup_teardown(a_reader_that_sleeps_does_not_block, pair_make, pair_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
