/*
 * Dialling: resolve, race the addresses, hand out a stream.
 *
 * Happy path: a numeric address is connected to without blocking, a watch tells when it is there.
 * Names are resolved on a helper thread, unless they were a moment ago, and the last good answer
 * stands in for a resolver that says nothing; their addresses are tried a quarter of a second
 * apart, families by turns and IPv6 first (RFC 8305), and the first that connects ends the others.
 * It can fail by refusal, by a deadline of one address or of all, by being cancelled, or for want
 * of memory or descriptors; the callback comes exactly once, from the loop.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "io/io.h"
#include "net/name_lookup.h"

enum {
    DIAL_TIMEOUT_MS_DEFAULT = 10 * 1000,
    DIAL_STAGGER_MS_DEFAULT = 250, /* RFC 8305 section 5 */
};

/* A connection that is being made to one address. */
struct attempt {
    px_dialing *dial; /* borrowed: holds it */
    px_watch *watch;  /* owned; NULL when it is not under way */
    int fd;           /* owned, or -1 */
    uint64_t due_ms;  /* when it is given up */
};

struct px_dialing {
    px_loop *loop;        /* borrowed: outlives the dial */
    struct names *names;  /* borrowed: outlives the dial; or NULL */
    struct io_timer step; /* what is due first; also takes the first step from the loop */
    uint64_t deadline_ms;
    uint64_t next_ms;            /* when the next address has its turn */
    uint32_t address_timeout_ms; /* 0: none of its own */
    uint32_t stagger_ms;         /* or PX_OFF: one after the other */
    uint32_t live;               /* attempts under way */
    bool cancelled;
    px_error error;            /* of the attempt that failed last */
    struct name_waiter waiter; /* on a list: its name is looked up */
    struct address_text split;
    struct net_address addresses[ADDRESS_COUNT_MAX];
    struct attempt attempts[ADDRESS_COUNT_MAX];
    size_t count;
    size_t next;
    void (*on_dialled)(px_stream *stream, px_err result, void *context); /* or NULL: */
    void (*on_done)(px_stream *stream, const px_error *error, void *context);
    void *context;
    char text[]; /* the address as written */
};

static void attempt_drop(struct attempt *attempt)
{
    CHECK(!attempt->watch || attempt->dial->live > 0);
    if (attempt->watch)
        attempt->dial->live--;
    px_watch_destroy(attempt->watch);
    attempt->watch = NULL;
    if (attempt->fd >= 0)
        close(attempt->fd);
    attempt->fd = -1;
}

/* Ends the dial; its last line of life. */
static void dial_finish(px_dialing *dial, px_stream *stream, px_err result, const char *why)
{
    void (*on_dialled)(px_stream *, px_err, void *) = dial->on_dialled;
    void (*on_done)(px_stream *, const px_error *, void *) = dial->on_done;
    void *context = dial->context;
    px_loop *loop = dial->loop;
    px_error error;

    CHECK((stream != NULL) == (result == PX_OK));
    for (size_t index = 0; index < dial->next; index++)
        attempt_drop(&dial->attempts[index]);
    CHECK(dial->live == 0 && loop->handle_count > 0);
    timer_deinit(&loop->timers, &dial->step);
    loop->handle_count--;
    if (result == PX_OK)
        error_clear(&dial->error);
    else if (why)
        error_set(&dial->error, result, 0, "cannot connect to %s: %s", dial->text, why);
    error = dial->error;
    list_remove(&dial->waiter.node);
    alloc_put(&loop->allocator, dial);
    if (on_dialled)
        on_dialled(stream, result, context);
    else
        on_done(stream, &error, context);
}

static void attempt_failed(struct attempt *attempt, int sys_errno)
{
    px_dialing *dial = attempt->dial;
    char text[ADDRESS_TEXT_BYTES];

    CHECK(sys_errno != 0);
    address_format(&dial->addresses[attempt - dial->attempts], text, sizeof(text));
    error_set(&dial->error, sys_errno == ETIMEDOUT ? PX_ERR_TIMEOUT : error_category(sys_errno),
              sys_errno, "cannot connect to %s: %s", text, strerror(sys_errno));
    attempt_drop(attempt);
}

static void attempt_connected(struct attempt *attempt)
{
    px_dialing *dial = attempt->dial;
    px_stream *stream;

    CHECK(attempt->watch && attempt->fd >= 0 && dial->live > 0);
    px_watch_destroy(attempt->watch);
    attempt->watch = NULL;
    dial->live--;
    stream = stream_create(dial->loop, attempt->fd, false);
    if (stream)
        attempt->fd = -1;
    dial_finish(dial, stream, stream ? PX_OK : PX_ERR_MEMORY, "out of memory");
}

static void dial_go_on(px_dialing *dial);

static void attempt_ready(px_watch *watch, unsigned events, void *context)
{
    struct attempt *attempt = context;
    int sys_errno = 0;
    socklen_t bytes = sizeof(sys_errno);

    (void)watch;
    (void)events;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &sys_errno, &bytes) != 0)
        sys_errno = errno;
    if (sys_errno == 0) {
        attempt_connected(attempt);
        return;
    }
    attempt_failed(attempt, sys_errno);
    /* RFC 8305 section 5: after a failure the next address need not wait for its turn. */
    attempt->dial->next_ms = 0;
    dial_go_on(attempt->dial);
}

/* Begins to connect to the next address; a failure at once is one like any other. */
static void attempt_begin(px_dialing *dial)
{
    const struct net_address *address = &dial->addresses[dial->next];
    struct attempt *attempt = &dial->attempts[dial->next++];
    const int on = 1;

    CHECK(dial->next <= dial->count && dial->count <= ADDRESS_COUNT_MAX);
    attempt->dial = dial;
    attempt->due_ms =
        dial->address_timeout_ms ? dial->loop->now_ms + dial->address_timeout_ms : UINT64_MAX;
    dial->next_ms = dial->stagger_ms == PX_OFF ? UINT64_MAX : dial->loop->now_ms + dial->stagger_ms;
    attempt->fd =
        socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0)
        goto fail;
    if (address->socket.any.sa_family != AF_UNIX) {
        setsockopt(attempt->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(attempt->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    }
    if (connect(attempt->fd, &address->socket.any, address->bytes) != 0 && errno != EINPROGRESS)
        goto fail;
    attempt->watch =
        px_watch_create(dial->loop, attempt->fd, PX_WATCH_WRITE, attempt_ready, attempt, NULL);
    if (attempt->watch) {
        dial->live++;
        return;
    }
    errno = ENOMEM;

fail:
    attempt_failed(attempt, errno);
    dial->next_ms = 0;
}

/* Begins what may begin, and waits for what is due first. */
static void dial_go_on(px_dialing *dial)
{
    px_loop *loop = dial->loop;

    while (dial->next < dial->count && (dial->live == 0 || loop->now_ms >= dial->next_ms))
        attempt_begin(dial);
    if (dial->live == 0) {
        px_err err = (px_err)dial->error.code;

        dial_finish(dial, NULL, err == PX_OK ? PX_ERR_NOT_FOUND : err,
                    err == PX_OK ? "it has no address" : NULL);
        return;
    }
    uint64_t due_ms = dial->deadline_ms;

    if (dial->next < dial->count && dial->next_ms < due_ms)
        due_ms = dial->next_ms;
    for (size_t index = 0; index < dial->next; index++)
        if (dial->attempts[index].watch && dial->attempts[index].due_ms < due_ms)
            due_ms = dial->attempts[index].due_ms;
    CHECK(due_ms != UINT64_MAX);
    timer_start(&loop->timers, &dial->step, due_ms);
}

/* RFC 8305 section 4: families by turns, IPv6 first, each in the order it was found. */
static void addresses_interleave(px_dialing *dial)
{
    struct net_address sorted[ADDRESS_COUNT_MAX];
    size_t places[2] = {0, 0};
    int family = 0; /* 0: IPv6, 1: any other */

    CHECK(dial->count <= ADDRESS_COUNT_MAX && dial->next == 0);
    for (size_t count = 0; count < dial->count; count++, family = !family) {
        for (int turn = 0; turn < 2; turn++, family = !family) {
            size_t *place = &places[family];

            while (*place < dial->count &&
                   (dial->addresses[*place].socket.any.sa_family != AF_INET6) != family)
                ++*place;
            if (*place < dial->count) {
                sorted[count] = dial->addresses[(*place)++];
                break;
            }
        }
    }
    CHECK(places[0] <= dial->count && places[1] <= dial->count);
    memcpy(dial->addresses, sorted, dial->count * sizeof(*sorted));
}

/* The last good answer, for a resolver that fails or says nothing: whether there is one. */
static bool dial_stand_in(px_dialing *dial)
{
    if (dial->names)
        dial->count = names_stand_in(dial->names, px_str_of(dial->text), dial->waiter.since_ms,
                                     dial->addresses);
    return dial->count > 0;
}

static void dial_resolved(px_dialing *dial)
{
    /* The lookup goes on where it was not waited for, and others have what it finds. */
    list_remove(&dial->waiter.node);
    addresses_interleave(dial);
    dial_go_on(dial);
}

static void dial_told(struct name_waiter *waiter, px_err result,
                      const struct net_address *addresses, size_t count)
{
    px_dialing *dial = CONTAINER_OF(waiter, px_dialing, waiter);

    CHECK(!dial->cancelled && dial->count == 0 && count <= ADDRESS_COUNT_MAX);
    if (result == PX_OK) {
        dial->count = count;
        memcpy(dial->addresses, addresses, count * sizeof(*addresses));
    } else if (!dial_stand_in(dial)) {
        dial_finish(dial, NULL, result, "its name cannot be resolved");
        return;
    }
    if (dial->deadline_ms <= dial->loop->now_ms)
        dial_finish(dial, NULL, PX_ERR_TIMEOUT, "timed out");
    else
        dial_resolved(dial);
}

static void dial_step(struct io_timer *timer)
{
    px_dialing *dial = CONTAINER_OF(timer, px_dialing, step);
    px_loop *loop = dial->loop;

    if (dial->cancelled) {
        dial_finish(dial, NULL, PX_ERR_CANCELLED, "cancelled");
        return;
    }
    if (loop->now_ms >= dial->deadline_ms) {
        dial_finish(dial, NULL, PX_ERR_TIMEOUT, "timed out");
        return;
    }
    if (list_linked(&dial->waiter.node)) {
        if (dial_stand_in(dial))
            dial_resolved(dial);
        else
            timer_start(&loop->timers, &dial->step, dial->deadline_ms);
        return;
    }
    for (size_t index = 0; index < dial->next; index++)
        if (dial->attempts[index].watch && dial->attempts[index].due_ms <= loop->now_ms)
            attempt_failed(&dial->attempts[index], ETIMEDOUT);
    dial_go_on(dial);
}

/* Waits for its name, until the deadline or for as long as patience has it. */
static px_err dial_look(px_dialing *dial)
{
    px_str name = px_str_of(dial->text);
    uint64_t due_ms = dial->deadline_ms;

    dial->waiter.told = dial_told;
    px_err err = name_lookup_wait(dial->loop, dial->names, name, &dial->waiter);

    if (err != PX_OK)
        return err;
    if (dial->names) {
        uint64_t patience_ms = names_patience_ms(dial->names, name, dial->waiter.since_ms);

        if (patience_ms < due_ms)
            due_ms = patience_ms;
    }
    timer_start(&dial->loop->timers, &dial->step, due_ms);
    return PX_OK;
}

static px_err dial_start(px_dialing *dial)
{
    bool is_name = address_is_name(&dial->split);

    CHECK(!list_linked(&dial->waiter.node) && dial->count == 0);
    if (is_name && dial->names)
        dial->count = names_known(dial->names, px_str_of(dial->text), dial->addresses);
    if (is_name && dial->count > 0) {
        addresses_interleave(dial);
        timer_start(&dial->loop->timers, &dial->step, dial->loop->now_ms);
        return PX_OK;
    }
    if (is_name)
        return dial_look(dial);
    /* The first attempt is made from the loop, so that no callback ever comes from inside a call.
     */
    px_err err = address_resolve(&dial->split, dial->addresses, &dial->count, NULL);

    if (err == PX_OK)
        timer_start(&dial->loop->timers, &dial->step, dial->loop->now_ms);
    return err;
}

static px_err dial_make(px_loop *loop, const char *address, const px_dial_options *options,
                        struct names *names, px_dialing **out_dial, px_error *out_error)
{
    size_t bytes = strlen(address) + 1;
    px_dialing *dial = alloc_take_zeroed(&loop->allocator, sizeof(*dial) + bytes);

    if (!dial)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    dial->loop = loop;
    dial->names = names;
    list_init(&dial->waiter.node);
    memcpy(dial->text, address, bytes);
    for (size_t index = 0; index < ARRAY_COUNT(dial->attempts); index++)
        dial->attempts[index].fd = -1;
    dial->deadline_ms =
        loop_now_ms(loop) + (options->timeout_ms ? options->timeout_ms : DIAL_TIMEOUT_MS_DEFAULT);
    dial->address_timeout_ms = options->address_timeout_ms;
    dial->stagger_ms = options->stagger_ms ? options->stagger_ms : DIAL_STAGGER_MS_DEFAULT;
    px_err err = address_split(dial->text, &dial->split, out_error);

    if (err == PX_OK && (dial->split.kind == ADDRESS_FD || dial->split.host.len == 0))
        err = error_set(out_error, PX_ERR_INVALID, 0, "'%s' is not an address to connect to",
                        address);
    if (err == PX_OK) {
        err = timer_init(&loop->timers, &dial->step, dial_step);
        if (err != PX_OK)
            error_set(out_error, err, 0, "out of memory");
    }
    if (err != PX_OK) {
        alloc_put(&loop->allocator, dial);
        return err;
    }
    loop->handle_count++;
    err = dial_start(dial);
    if (err == PX_OK) {
        *out_dial = dial;
        return PX_OK;
    }
    loop->handle_count--;
    timer_deinit(&loop->timers, &dial->step);
    error_set(out_error, err, 0, "cannot dial '%s': %s", address, px_err_name(err));
    alloc_put(&loop->allocator, dial);
    return err;
}

px_err px_dial(px_loop *loop, const char *address, uint32_t timeout_ms,
               void (*on_dialled)(px_stream *stream, px_err result, void *context), void *context,
               px_error *out_error)
{
    px_dial_options options = PX_DIAL_OPTIONS_DEFAULT;
    px_dialing *dial;

    CHECK_RULE(on_dialled, "a dial has a function that is told of its end");
    error_clear(out_error);
    options.timeout_ms = timeout_ms;
    px_err err = dial_make(loop, address, &options, NULL, &dial, out_error);

    if (err != PX_OK)
        return err;
    dial->on_dialled = on_dialled;
    dial->context = context;
    return PX_OK;
}

px_dialing *dial_start_named(px_loop *loop, const char *address, const px_dial_options *given,
                             struct names *names,
                             void (*on_done)(px_stream *stream, const px_error *error,
                                             void *context),
                             void *context, px_error *out_error)
{
    px_dial_options options;
    px_dialing *dial = NULL;

    CHECK_RULE(on_done, "a dial has a function that is told of its end");
    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "dial options: unknown or missing struct_size");
        return NULL;
    }
    if (dial_make(loop, address, &options, names, &dial, out_error) != PX_OK)
        return NULL;
    CHECK(dial);
    dial->on_done = on_done;
    dial->context = context;
    return dial;
}

px_dialing *px_dial_start(px_loop *loop, const char *address, const px_dial_options *options,
                          void (*on_done)(px_stream *stream, const px_error *error, void *context),
                          void *context, px_error *out_error)
{
    return dial_start_named(loop, address, options, NULL, on_done, context, out_error);
}

void px_dial_cancel(px_dialing *dial)
{
    dial->cancelled = true;
    list_remove(&dial->waiter.node);
    for (size_t index = 0; index < dial->next; index++)
        attempt_drop(&dial->attempts[index]);
    timer_start(&dial->loop->timers, &dial->step, dial->loop->now_ms);
}
