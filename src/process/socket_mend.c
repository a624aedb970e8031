/*
 * Mending listening sockets.
 *
 * The happy path is four questions to the kernel, and nothing to do.  A TCP socket that was shut
 * down is closed and yet bound, so that it can be told to listen again; one that was connected is
 * dissolved first.  A unix socket that was shut stays so, and a filter that was locked stays too.
 */
#include "process/socket_mend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

static int option_get(int fd, int name)
{
    int value = 0;
    socklen_t bytes = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &bytes) == 0 ? value : 0;
}

/* A unix socket that was shut says so by poll alone: it is still one that listens. */
static bool is_shut(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};

    return poll(&look, 1, 0) == 1 && (look.revents & (POLLRDHUP | POLLHUP)) != 0;
}

struct socket_plan socket_plan_make(int fd, int backlog, bool is_ours)
{
    struct socket_plan plan = {
        .backlog = backlog, .is_ours = is_ours, .name_bytes = sizeof(plan.name)};

    if (getsockname(fd, (struct sockaddr *)&plan.name, &plan.name_bytes) != 0)
        plan.name_bytes = 0;
    return plan;
}

static bool listen_again(int fd, const struct socket_plan *plan)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    (void)connect(fd, &nowhere, sizeof(nowhere));
    /* A port that the kernel had picked was given back; one that was asked for is bound still, and
     * this fails. */
    if (plan->name_bytes > 0)
        (void)bind(fd, (const struct sockaddr *)&plan->name, plan->name_bytes);
    return listen(fd, plan->backlog) == 0;
}

static bool is_bound_there(int fd, const struct socket_plan *plan)
{
    const struct socket_plan now = socket_plan_make(fd, 0, true);

    return now.name_bytes == plan->name_bytes &&
           memcmp(&now.name, &plan->name, plan->name_bytes) == 0;
}

/* Filters of packets, of this socket and of its group. */
static enum socket_state filters_take_off(int fd)
{
    static const int names[] = {SO_DETACH_FILTER, SO_DETACH_REUSEPORT_BPF};
    enum socket_state state = SOCKET_SOUND;
    const int nothing = 0;

    if (option_get(fd, SO_LOCK_FILTER) != 0)
        return SOCKET_LOST;
    for (int i = 0; i < 2; i++)
        if (setsockopt(fd, SOL_SOCKET, names[i], &nothing, sizeof(nothing)) == 0)
            state = SOCKET_MENDED;
    return state;
}

/* What accepted sockets inherit, and what a duplicate shares.  Whether something was amiss. */
static bool flags_mend(int fd)
{
    const struct linger off = {0};
    struct linger linger = {0};
    socklen_t bytes = sizeof(linger);
    int flags = fcntl(fd, F_GETFL);
    bool is_amiss = false;

    if (flags >= 0 && (flags & (O_NONBLOCK | O_ASYNC)) != O_NONBLOCK) {
        fcntl(fd, F_SETFL, (flags | O_NONBLOCK) & ~O_ASYNC);
        is_amiss = true;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &bytes) == 0 && linger.l_onoff) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
        is_amiss = true;
    }
    return is_amiss;
}

enum socket_state socket_mend(int fd, const struct socket_plan *plan)
{
    bool is_unix = option_get(fd, SO_DOMAIN) == AF_UNIX;
    enum socket_state state = SOCKET_SOUND;

    CHECK(fd >= 0 && plan->name_bytes <= sizeof(plan->name));
    if (is_unix && is_shut(fd))
        return SOCKET_LOST;
    if (option_get(fd, SO_ACCEPTCONN) == 0) {
        if (!listen_again(fd, plan) || !is_bound_there(fd, plan))
            return SOCKET_LOST;
        state = SOCKET_MENDED;
    }
    if (plan->is_ours && !is_unix) {
        enum socket_state filters = filters_take_off(fd);

        if (filters != SOCKET_SOUND)
            state = filters;
    }
    return flags_mend(fd) && state == SOCKET_SOUND ? SOCKET_MENDED : state;
}

bool socket_refuse(int fd)
{
    return option_get(fd, SO_DOMAIN) != AF_UNIX && shutdown(fd, SHUT_RDWR) == 0;
}

int socket_spare(void)
{
    return open("/", O_PATH | O_CLOEXEC);
}

static int peer_take(int fd)
{
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

void socket_turn_away(int fd, int count, int *spare_fd)
{
    bool is_spent = false;

    for (int i = 0; i < count; i++) {
        int peer = peer_take(fd);

        if (peer < 0 && (errno == EMFILE || errno == ENFILE) && *spare_fd >= 0 && !is_spent) {
            close(*spare_fd);
            is_spent = true;
            peer = peer_take(fd);
        }
        if (peer < 0)
            break;
        close(peer);
    }
    if (is_spent || *spare_fd < 0)
        *spare_fd = socket_spare();
}
