/*
 * Messages between processes of one program.
 *
 * The happy path: one sendmsg, one recvmsg, whole or not at all, since a sequenced packet keeps its
 * borders.  What can go wrong: the other end is gone, is of another version, or (a worker that was
 * taken over by an attacker) sends nonsense; then nothing of the message is believed.
 */
#include "process/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

enum { DESCRIPTORS_MAX = 4 /* more than one is an error, but must be found to be closed */ };

int control_pair(int out_fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out_fds) == 0
               ? 0
               : errno;
}

int control_open(struct control_ends *out_master, struct control_ends *out_worker)
{
    int words[2], answers[2];
    int failure = control_pair(words);

    if (failure != 0)
        return failure;
    if (shutdown(words[0], SHUT_RD) != 0 || pipe2(answers, O_NONBLOCK | O_CLOEXEC) != 0) {
        failure = errno;
        close(words[0]);
        close(words[1]);
        return failure;
    }
    *out_master = (struct control_ends){words[0], answers[0]};
    *out_worker = (struct control_ends){words[1], answers[1]};
    return 0;
}

int control_answer(int answer_fd, enum control_kind kind, uint32_t slot)
{
    const struct control_answer answer = {CONTROL_VERSION, (uint32_t)kind, slot};

    CHECK(kind >= CONTROL_READY && kind <= CONTROL_REPORTED);
    for (;;) {
        /* So little goes into a pipe whole or not at all. */
        ssize_t bytes = write(answer_fd, &answer, sizeof(answer));

        if (bytes >= 0)
            return 0;
        if (errno != EINTR)
            return errno;
    }
}

enum control_heard control_hear(int answer_fd, struct control_answer *out_answer)
{
    struct control_answer answer = {0};
    ssize_t bytes;

    do
        bytes = read(answer_fd, &answer, sizeof(answer));
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return errno == EAGAIN ? HEARD_NOTHING : HEARD_END;
    if (bytes == 0)
        return HEARD_END;
    if (bytes != (ssize_t)sizeof(answer) || answer.version != CONTROL_VERSION ||
        answer.kind < CONTROL_READY || answer.kind > CONTROL_REPORTED)
        return HEARD_NONSENSE;
    *out_answer = answer;
    return HEARD_ANSWER;
}

struct control_message control_make(enum control_kind kind, uint32_t slot, uint32_t address)
{
    CHECK(kind >= CONTROL_SERVE && kind <= CONTROL_KIND_LAST);
    return (struct control_message){
        .version = CONTROL_VERSION, .kind = (uint32_t)kind, .slot = slot, .address = address};
}

int control_send(int fd, const struct control_message *message, int passed_fd)
{
    CHECK(fd >= 0 && message->version == CONTROL_VERSION);
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};

    if (passed_fd >= 0) {
        head.msg_control = control.bytes;
        head.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&head);

        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &passed_fd, sizeof(int));
    }
    for (;;) {
        ssize_t bytes = sendmsg(fd, &head, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (bytes == (ssize_t)sizeof(*message))
            return 0;
        if (bytes >= 0)
            return EMSGSIZE;
        if (errno != EINTR)
            return errno;
    }
}

int control_send_patiently(int fd, const struct control_message *message, int passed_fd,
                           int patience_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int failure = control_send(fd, message, passed_fd);

    CHECK(patience_ms >= 0);
    while (failure == EAGAIN && poll(&wait, 1, patience_ms) > 0)
        failure = control_send(fd, message, passed_fd);
    return failure;
}

/* Takes the descriptors of a message; *out_fd is the only one, or -1.  How many there were. */
static int descriptors_take(struct msghdr *head, int *out_fd)
{
    int count = 0;

    *out_fd = -1;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(head); part; part = CMSG_NXTHDR(head, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = part->cmsg_len - CMSG_LEN(0);

        for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + at, sizeof(int));
            if (count++ == 0)
                *out_fd = fd;
            else
                close(fd);
        }
    }
    return count;
}

int control_receive(int fd, struct control_message *out_message, int *out_passed_fd)
{
    union {
        char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct control_message message = {0};
    struct iovec part = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes)};
    int passed_fd;
    ssize_t bytes;

    do
        bytes = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return errno == EAGAIN ? 0 : -1;
    int count = descriptors_take(&head, &passed_fd);

    if (bytes != (ssize_t)sizeof(message) || (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        count > 1 || message.version != CONTROL_VERSION || message.kind == 0 ||
        message.kind > CONTROL_KIND_LAST || memchr(message.text, 0, sizeof(message.text)) == NULL) {
        if (passed_fd >= 0)
            close(passed_fd);
        return -1;
    }
    *out_message = message;
    *out_passed_fd = passed_fd;
    return 1;
}
