/*
 * The master's channel: whatever a worker that was taken over sends, in packets of any size with
 * any number of descriptors, is one of our messages or ends the conversation, and leaks no
 * descriptor.
 *
 * The input is packets: a byte for the number of descriptors, a byte that says which bytes of a
 * good message are overwritten from where, a byte for the length, the bytes.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "process/control.h"

enum { PASSED_MAX = 5, DESCRIPTORS_LOOKED_AT = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int open_count(void)
{
    int count = 0;

    for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int send_packet(int to, const void *bytes, size_t len, int passed_count)
{
    union {
        char bytes[CMSG_SPACE(PASSED_MAX * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};

    if (passed_count > 0) {
        head.msg_control = control.bytes;
        head.msg_controllen = CMSG_SPACE((size_t)passed_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&head);

        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN((size_t)passed_count * sizeof(int));
        for (int i = 0; i < passed_count; i++)
            memcpy(CMSG_DATA(rights) + (size_t)i * sizeof(int), &to, sizeof(int));
    }
    return sendmsg(to, &head, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void receive(int fd)
{
    struct control_message message = {0};
    int passed_fd = -1;
    int result = control_receive(fd, &message, &passed_fd);

    if (result <= 0)
        return;
    CHECK(message.version == CONTROL_VERSION);
    CHECK(message.kind > 0 && message.kind <= CONTROL_KIND_LAST);
    CHECK(memchr(message.text, 0, sizeof(message.text)));
    if (passed_fd < 0)
        return;
    CHECK(fcntl(passed_fd, F_GETFD) == FD_CLOEXEC);
    close(passed_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int fds[2];
    int before = open_count();

    if (control_pair(fds) != 0)
        return 0;
    while (len >= 3) {
        char packet[sizeof(struct control_message) + 256];
        struct control_message good = control_make(CONTROL_READY, 0, 0);
        int passed_count = data[0] % (PASSED_MAX + 1);
        size_t from = data[1];
        size_t bytes = data[2];

        data += 3;
        len -= 3;
        if (bytes > len)
            bytes = len;
        memcpy(packet, &good, sizeof(good));
        memcpy(packet + from, data, bytes);
        /* Whole unless its last byte says otherwise. */
        size_t size = bytes > 0 && data[bytes - 1] == 0xff ? from + bytes : sizeof(good);

        data += bytes;
        len -= bytes;
        if (send_packet(fds[0], packet, size, passed_count))
            receive(fds[1]);
    }
    close(fds[0]);
    close(fds[1]);
    CHECK(open_count() == before);
    return 0;
}
