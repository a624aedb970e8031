/*
 * px_loop_signal.  One signalfd a loop serves all of its signals.  It can fail without descriptors
 * or memory, or when the same signal was asked for before.
 */
#include "io/signal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "io/io.h"

enum { SIGNAL_LIMIT = 65 };

struct signal_entry {
    void (*on_signal)(int signal_number, void *context);
    void *context;
    bool blocked_here;
    bool was_ignored;
};

struct signal_set {
    int fd; /* owned */
    px_watch *watch;
    sigset_t mask;
    struct signal_entry entries[SIGNAL_LIMIT];
};

static void signal_ready(px_watch *watch, unsigned events, void *context)
{
    px_loop *loop = context;
    struct signalfd_siginfo info;

    (void)watch;
    (void)events;
    while (loop->signals && read(loop->signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        struct signal_entry *entry = &loop->signals->entries[info.ssi_signo];

        if (entry->on_signal)
            entry->on_signal((int)info.ssi_signo, entry->context);
    }
}

/* The kernel drops what is ignored, as a shell leaves INT for what it runs in the background. */
static bool ignored_take(int signal_number)
{
    struct sigaction action;

    if (sigaction(signal_number, NULL, &action) != 0 || (action.sa_flags & SA_SIGINFO) ||
        action.sa_handler != SIG_IGN)
        return false;
    action.sa_handler = SIG_DFL;
    return sigaction(signal_number, &action, NULL) == 0;
}

static void ignored_restore(int signal_number)
{
    struct sigaction action = {.sa_handler = SIG_IGN};

    sigaction(signal_number, &action, NULL);
}

static px_err signals_create(px_loop *loop, px_error *out_error)
{
    px_error error;
    struct signal_set *signals = alloc_take_zeroed(&loop->allocator, sizeof(*signals));

    if (!signals)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    sigemptyset(&signals->mask);
    signals->fd = signalfd(-1, &signals->mask, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals->fd < 0) {
        error_set(&error, error_category(errno), errno, "cannot create a signal descriptor: %s",
                  strerror(errno));
        goto fail;
    }
    signals->watch = px_watch_create(loop, signals->fd, PX_WATCH_READ, signal_ready, loop, &error);
    if (!signals->watch) {
        close(signals->fd);
        goto fail;
    }
    loop->handle_count--; /* it is the loop's own and ends with it */
    loop->signals = signals;
    return PX_OK;

fail:
    alloc_put(&loop->allocator, signals);
    return error_copy(out_error, &error);
}

px_err px_loop_signal(px_loop *loop, int signal_number,
                      void (*on_signal)(int signal_number, void *context), void *context,
                      px_error *out_error)
{
    sigset_t one, before;

    error_clear(out_error);
    if (signal_number <= 0 || signal_number >= SIGNAL_LIMIT || !on_signal)
        return error_set(out_error, PX_ERR_INVALID, 0, "no such signal: %d", signal_number);
    if (!loop->signals) {
        px_err err = signals_create(loop, out_error);

        if (err != PX_OK)
            return err;
    }
    struct signal_set *signals = loop->signals;
    struct signal_entry *entry = &signals->entries[signal_number];

    if (entry->on_signal)
        return error_set(out_error, PX_ERR_CONFLICT, 0, "signal %d is taken", signal_number);
    sigaddset(&signals->mask, signal_number);
    if (signalfd(signals->fd, &signals->mask, 0) < 0) {
        sigdelset(&signals->mask, signal_number);
        return error_set(out_error, error_category(errno), errno, "cannot watch signal %d: %s",
                         signal_number, strerror(errno));
    }
    sigemptyset(&one);
    sigaddset(&one, signal_number);
    pthread_sigmask(SIG_BLOCK, &one, &before);
    entry->blocked_here = !sigismember(&before, signal_number);
    entry->was_ignored = ignored_take(signal_number);
    entry->on_signal = on_signal;
    entry->context = context;
    return PX_OK;
}

void signals_destroy(px_loop *loop)
{
    struct signal_set *signals = loop->signals;
    sigset_t unblock;

    if (!signals)
        return;
    sigemptyset(&unblock);
    for (int number = 1; number < SIGNAL_LIMIT; number++) {
        if (signals->entries[number].on_signal && signals->entries[number].blocked_here)
            sigaddset(&unblock, number);
        if (signals->entries[number].was_ignored)
            ignored_restore(number);
    }
    loop->handle_count++;
    px_watch_destroy(signals->watch);
    close(signals->fd);
    loop->signals = NULL;
    pthread_sigmask(SIG_UNBLOCK, &unblock, NULL);
    alloc_put(&loop->allocator, signals);
}
