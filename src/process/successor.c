/*
 * Handing the listening sockets to another program, and receiving them.
 *
 * The happy path: a socket pair, a fork, an exec with the number of one end in the environment, a
 * message for each socket.  What can go wrong: the program is not there any more (the child ends
 * with 127 and the pair is closed), it is of a version that does not understand us (likewise), or
 * it reads nothing (sending gives up).
 */
#include "process/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "process/board.h"

enum {
    SEND_PATIENCE_MS = 2000,
    RECEIVE_PATIENCE_MS = 10 * 1000,
    EXIT_NOT_EXECUTED = 127,
    GIVEN_BYTES_MAX = 12 * BOARD_PAST_MAX,
};

static void set_number(const char *name, long number)
{
    char text[24];

    snprintf(text, sizeof(text), "%ld", number);
    setenv(name, text, 1);
}

/* The log. */
static void give_log(int fd)
{
    if (fd < 0)
        return;
    set_number(SUCCESSOR_LOG_VARIABLE, fd);
    fcntl(fd, F_SETFD, 0);
}

/* What was counted: as many as there is room for, and the last, which is the sum of the past, in
 * any case. */
static void give_counts(const struct board_given *given)
{
    char text[GIVEN_BYTES_MAX];
    size_t len = 0;

    for (uint32_t i = given->count; i-- > 0 && len + 12 < sizeof(text);) {
        if (given->fds[i] < 0)
            continue;
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, len > 0 ? ",%d" : "%d", given->fds[i]);
        fcntl(given->fds[i], F_SETFD, 0);
    }
    CHECK(len < sizeof(text));
    if (len > 0)
        setenv(BOARD_VARIABLE, text, 1);
}

/* In the child; does not return. */
static void become(const struct successor_program *program, int fd, int log_fd,
                   const struct board_given *given, int failure_fd, pid_t parent)
{
    const char *watchdog_pid = getenv("WATCHDOG_PID");
    char parent_text[24];
    sigset_t none;

    snprintf(parent_text, sizeof(parent_text), "%ld", (long)parent);
    set_number(SUCCESSOR_VARIABLE, fd);
    /* The service manager will expect the signs of life from the process that serves. */
    if (watchdog_pid && strcmp(watchdog_pid, parent_text) == 0)
        set_number("WATCHDOG_PID", (long)getpid());
    fcntl(fd, F_SETFD, 0);
    give_log(log_fd);
    give_counts(given);
    /* Whatever stands there now need not know which signals we read from a descriptor. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(program->path, program->argv);
    int failure = errno;

    (void)!write(failure_fd, &failure, sizeof(failure));
    _exit(EXIT_NOT_EXECUTED);
}

/* 0, or an errno. */
static int send_sockets(int fd, const struct successor_program *program)
{
    int failure = 0;

    for (uint32_t i = 0; i < program->socket_count && failure == 0; i++) {
        const struct master_socket *socket = &program->sockets[i];
        CHECK(socket->fd >= 0 && socket->plan.name_bytes <= sizeof(socket->plan.name));
        struct control_message message =
            control_make(CONTROL_SOCKET, socket->slot, socket->address);

        snprintf(message.text, sizeof(message.text), "%s", program->addresses[socket->address]);
        failure = control_send_patiently(fd, &message, socket->fd, SEND_PATIENCE_MS);
    }
    struct control_message last =
        control_make(CONTROL_SOCKETS, program->slot_count, (uint32_t)getpid());

    return failure == 0 ? control_send_patiently(fd, &last, -1, SEND_PATIENCE_MS) : failure;
}

int successor_start(struct successor *successor, const struct successor_program *program,
                    int log_fd, const struct board_given *given)
{
    int fds[2], failures[2];
    pid_t parent = getpid();

    if (!program->path)
        return ENOENT;
    if (access(program->path, X_OK) != 0)
        return errno;
    int failure = control_pair(fds);

    if (failure != 0)
        return failure;
    if (pipe2(failures, O_NONBLOCK | O_CLOEXEC) != 0) {
        failure = errno;
        close(fds[0]);
        close(fds[1]);
        return failure;
    }
    *successor = (struct successor){.fd = fds[0], .failure_fd = failures[0]};
    successor->pid = fork();
    failure = errno;
    if (successor->pid == 0)
        become(program, fds[1], log_fd, given, failures[1], parent);
    close(fds[1]);
    close(failures[1]);
    if (successor->pid < 0) {
        successor_end(successor, false);
        return failure;
    }
    failure = send_sockets(fds[0], program);
    if (failure == EPIPE || failure == ECONNRESET)
        return 0; /* it has ended already, and its end says why */
    if (failure != 0)
        successor_end(successor, true);
    return failure;
}

int successor_failure(const struct successor *successor)
{
    int failure = 0;

    return read(successor->failure_fd, &failure, sizeof(failure)) == (ssize_t)sizeof(failure)
               ? failure
               : 0;
}

void successor_hang_up(struct successor *successor)
{
    CHECK(successor->pid > 0 && successor->fd >= 0);
    close(successor->fd);
    successor->fd = -1;
    kill(successor->pid, SIGKILL); /* it changes nothing of how one ends that does so already */
}

void successor_end(struct successor *successor, bool is_kill)
{
    if (successor->fd >= 0)
        close(successor->fd);
    successor->fd = -1;
    if (successor->failure_fd >= 0)
        close(successor->failure_fd);
    successor->failure_fd = -1;
    /* Not asked to end: it would clean up after itself, and what it removed would be ours.  Its
     * workers finish by themselves. */
    if (is_kill && successor->pid > 0)
        kill(successor->pid, SIGKILL);
    successor->pid = 0;
}

/* --- In the successor ------------------------------------------------------------------------- */

static px_err legacy_fail(struct legacy *legacy, const char *why, px_error *out_error)
{
    legacy_deinit(legacy);
    return error_set(out_error, PX_ERR_INVALID, 0, "cannot take over from the old program: %s",
                     why);
}

/* The next message, waited for.  1, or 0. */
static int receive(int fd, struct control_message *out_message, int *out_fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    for (;;) {
        int result = control_receive(fd, out_message, out_fd);

        if (result != 0)
            return result > 0;
        if (poll(&wait, 1, RECEIVE_PATIENCE_MS) <= 0)
            return 0;
    }
}

static bool legacy_keep(struct legacy *legacy, const struct control_message *message, int fd)
{
    CHECK(legacy->count <= LEGACY_SOCKETS_MAX);
    if (message->kind != CONTROL_SOCKET || fd < 0 || legacy->count == LEGACY_SOCKETS_MAX)
        return false;
    struct legacy_socket *sockets =
        realloc(legacy->sockets, (legacy->count + 1) * sizeof(legacy->sockets[0]));

    if (!sockets)
        return false;
    legacy->sockets = sockets;
    struct legacy_socket *socket = &sockets[legacy->count++];

    *socket = (struct legacy_socket){.fd = fd, .slot = message->slot, .address = message->address};
    memcpy(socket->text, message->text, sizeof(socket->text));
    return true;
}

/* The descriptor that a variable names, closed on exec from now on; -1.  Workers and whatever they
 * execute must not find it there. */
static int number_take(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;

    if (!text)
        return -1;
    long number = strtol(text, &end, 10);
    bool is_one = *end == '\0' && number > STDERR_FILENO && number <= INT_MAX;

    unsetenv(name);
    return is_one && fcntl((int)number, F_SETFD, FD_CLOEXEC) == 0 ? (int)number : -1;
}

int legacy_log_take(void)
{
    return number_take(SUCCESSOR_LOG_VARIABLE);
}

uint32_t legacy_counts_take(int *out_fds, uint32_t room)
{
    const char *at = getenv(BOARD_VARIABLE);
    uint32_t count = 0;

    while (at && *at && count < room) {
        char *end;
        long number = strtol(at, &end, 10);

        /* What names no descriptor was not written by us. */
        if (number <= STDERR_FILENO || number > INT_MAX || (*end != ',' && *end != '\0') ||
            fcntl((int)number, F_SETFD, FD_CLOEXEC) != 0)
            break;
        out_fds[count++] = (int)number;
        at = *end == ',' ? end + 1 : end;
    }
    unsetenv(BOARD_VARIABLE);
    return count;
}

px_err legacy_take(struct legacy *out_legacy, px_error *out_error)
{
    struct legacy legacy = {.fd = -1};
    struct control_message message;
    int fd;

    *out_legacy = legacy;
    if (!getenv(SUCCESSOR_VARIABLE))
        return error_clear(out_error);
    legacy.fd = number_take(SUCCESSOR_VARIABLE);
    if (legacy.fd < 0)
        return legacy_fail(&legacy, "it named no descriptor", out_error);
    for (;;) {
        if (!receive(legacy.fd, &message, &fd))
            return legacy_fail(&legacy, "it fell silent, or speaks another version", out_error);
        if (message.kind == CONTROL_SOCKETS)
            break;
        if (!legacy_keep(&legacy, &message, fd)) {
            if (fd >= 0)
                close(fd);
            return legacy_fail(&legacy, "it sent what it was not asked for", out_error);
        }
    }
    legacy.slot_count = message.slot;
    legacy.pid = (pid_t)message.address;
    *out_legacy = legacy;
    return error_clear(out_error);
}

void legacy_deinit(struct legacy *legacy)
{
    for (uint32_t i = 0; i < legacy->count; i++)
        if (legacy->sockets[i].fd >= 0)
            close(legacy->sockets[i].fd);
    free(legacy->sockets);
    if (legacy->fd >= 0)
        close(legacy->fd);
    *legacy = (struct legacy){.fd = -1};
}
