/*
 * Load that verifies every answer, for the chaos suite.
 *
 *   load --to ADDR --expect TEXT [--path PATH] [--kept N] [--new N] [--pause-ms MS] [--seconds S]
 *
 * `kept` connections send one request after the other, with a pause of up to MS between them; `new`
 * ones make a connection for each.  At the end, or on SIGTERM, it says in a JSON object what was
 * answered and what was lost, by class:
 *
 *   retried    a reused connection ended before a byte of the answer: sent again, not lost
 *              (RFC 9110 section 9.2.2; RFC 9112 section 9.3.1)
 *   refused    no connection
 *   dropped    a fresh connection ended before a byte of the answer
 *   cut        any connection ended inside of an answer
 *   wrong      an answer that is none, or another one
 *   told_503   the server said that it is full
 *   late       no answer within 10 s
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "endpoint.h"

enum {
    SLOTS_MAX = 4096,
    ANSWER_BYTES_MAX = 4096,
    LATE_US = 10 * 1000 * 1000,
    LAST_US = 11 * 1000 * 1000, /* for what is under way when the work ends */
    EVENTS = 256,
    COMPLAINTS_MAX = 10
};

enum loss { REFUSED, DROPPED, CUT, WRONG, TOLD_503, LATE, LOSS_COUNT };

static const char *const loss_names[LOSS_COUNT] = {"refused", "dropped",  "cut",
                                                   "wrong",   "told_503", "late"};

enum slot_state { RESTING, CONNECTING, ASKING };

struct slot {
    int fd; /* -1: none */
    enum slot_state state;
    bool kept;
    bool again;        /* the request was sent on another connection before */
    uint32_t answers;  /* on this connection */
    uint64_t since_us; /* of the state; RESTING: until when */
    size_t len;
    char answer[ANSWER_BYTES_MAX];
};

struct load {
    struct endpoint to;
    const char *expect;
    char requests[2][512]; /* kept and new */
    uint32_t slot_count;
    uint64_t pause_us;
    int epoll_fd;
    bool ending;
    uint64_t connections;
    uint64_t answered;
    uint64_t retried;
    uint64_t told_close;
    uint64_t losses[LOSS_COUNT];
    uint64_t slowest_us;
    struct slot *slots;
};

static void rest(struct load *load, struct slot *slot, uint64_t pause_us)
{
    (void)load;
    slot->state = RESTING;
    slot->since_us = clock_us() + pause_us;
}

static void hang_up(struct slot *slot)
{
    if (slot->fd >= 0)
        close(slot->fd);
    slot->fd = -1;
    slot->answers = 0;
}

static void lose(struct load *load, struct slot *slot, enum loss loss, const char *detail)
{
    uint64_t lost = 0;

    for (int each = 0; each < LOSS_COUNT; each++)
        lost += load->losses[each];
    if (lost < COMPLAINTS_MAX)
        fprintf(stderr, "load: %s: %s; %s connection, answer %u, %zu bytes\n", loss_names[loss],
                detail, slot->kept ? "kept" : "new", slot->answers + 1, slot->len);
    load->losses[loss]++;
    slot->again = false;
    hang_up(slot);
    rest(load, slot, 1000);
}

static void ask(struct load *load, struct slot *slot)
{
    const char *request = load->requests[slot->kept ? 0 : 1];
    size_t len = strlen(request);

    slot->state = ASKING;
    slot->since_us = clock_us();
    slot->len = 0;
    /* A connection that has ended is found out by the receive. */
    ssize_t sent = send(slot->fd, request, len, MSG_NOSIGNAL);

    if (sent >= 0 && (size_t)sent < len)
        errx(70, "a request of %zu bytes does not fit", len);
}

static void connect_slot(struct load *load, struct slot *slot)
{
    slot->len = 0;
    slot->fd = endpoint_connect(&load->to, 0);
    if (slot->fd < 0) {
        lose(load, slot, REFUSED, strerror(errno));
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                .data.u32 = (uint32_t)(slot - load->slots)};

    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, slot->fd, &event) != 0)
        err(71, "epoll_ctl");
    load->connections++;
    slot->state = CONNECTING;
    slot->since_us = clock_us();
}

/* The peer has closed or reset. */
static void ended(struct load *load, struct slot *slot, const char *how)
{
    if (slot->state == RESTING) {
        hang_up(slot); /* between two requests: that is its right */
        return;
    }
    if (slot->len > 0) {
        lose(load, slot, CUT, how);
    } else if (slot->answers > 0 && !slot->again) {
        load->retried++;
        slot->again = true;
        hang_up(slot);
        connect_slot(load, slot);
    } else {
        lose(load, slot, DROPPED, how);
    }
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void answered(struct load *load, struct slot *slot, bool closes)
{
    uint64_t took_us = clock_us() - slot->since_us;

    load->answered++;
    slot->answers++;
    slot->again = false;
    if (took_us > load->slowest_us)
        load->slowest_us = took_us;
    if (slot->kept && closes)
        load->told_close++;
    if (!slot->kept || closes)
        hang_up(slot);
    rest(load, slot, slot->kept && load->pause_us ? (uint64_t)random() % load->pause_us : 0);
}

/* Judges what has come so far. */
static void judge(struct load *load, struct slot *slot)
{
    size_t expected = strlen(load->expect);

    slot->answer[slot->len] = '\0';
    char *content = strstr(slot->answer, "\r\n\r\n");

    if (!content) {
        if (slot->len == ANSWER_BYTES_MAX - 1)
            lose(load, slot, WRONG, "a head without end");
        return;
    }
    content += 4;
    bool closes = strstr(slot->answer, "\r\nConnection: close\r\n") != NULL;

    if (strncmp(slot->answer, "HTTP/1.1 503 ", 13) == 0) {
        lose(load, slot, TOLD_503, "full");
        return;
    }
    const char *length = strstr(slot->answer, "\r\nContent-Length: ");

    if (strncmp(slot->answer, "HTTP/1.1 200 ", 13) != 0 || !length || length > content ||
        strtoull(length + 18, NULL, 10) != expected) {
        lose(load, slot, WRONG, slot->answer);
        return;
    }
    size_t came = slot->len - (size_t)(content - slot->answer);

    if (came > expected || memcmp(content, load->expect, came) != 0)
        lose(load, slot, WRONG, content);
    else if (came == expected)
        answered(load, slot, closes);
}

static void receive(struct load *load, struct slot *slot)
{
    while (slot->fd >= 0) {
        ssize_t count =
            recv(slot->fd, slot->answer + slot->len, ANSWER_BYTES_MAX - 1 - slot->len, 0);

        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0) {
            ended(load, slot, count == 0 ? "closed" : strerror(errno));
            return;
        }
        if (slot->state == RESTING) {
            lose(load, slot, WRONG, "bytes that nobody asked for");
            return;
        }
        slot->len += (size_t)count;
        judge(load, slot);
    }
}

static void on_event(struct load *load, struct slot *slot, uint32_t events)
{
    if (slot->fd < 0)
        return;
    if (slot->state == CONNECTING) {
        int failed = endpoint_result(slot->fd);

        if (failed) {
            lose(load, slot, REFUSED, strerror(failed));
            return;
        }
        if (!(events & EPOLLOUT))
            return;
        ask(load, slot);
    }
    receive(load, slot);
}

/* --- Work ------------------------------------------------------------------------------------- */

/* Looks at every slot: who rests long enough goes on, who waits too long has lost. */
static uint32_t look(struct load *load)
{
    uint64_t now_us = clock_us();
    uint32_t busy = 0;

    for (uint32_t index = 0; index < load->slot_count; index++) {
        struct slot *slot = &load->slots[index];

        if (slot->state != RESTING && now_us - slot->since_us > LATE_US)
            lose(load, slot, LATE, slot->state == CONNECTING ? "no connection" : "no answer");
        if (slot->state == RESTING && !load->ending && slot->since_us <= now_us) {
            if (slot->fd >= 0)
                ask(load, slot);
            else
                connect_slot(load, slot);
        }
        busy += slot->state != RESTING;
    }
    return busy;
}

static void run(struct load *load, uint64_t seconds)
{
    uint64_t end_us = seconds ? clock_us() + seconds * 1000000 : UINT64_MAX;
    struct epoll_event events[EVENTS];

    for (;;) {
        uint64_t now_us = clock_us();

        if (!load->ending && (stopping() || now_us >= end_us)) {
            load->ending = true;
            end_us = now_us + LAST_US;
        }
        if (look(load) == 0 && load->ending)
            return;
        int count = epoll_wait(load->epoll_fd, events, EVENTS, 1);

        for (int index = 0; index < count; index++)
            on_event(load, &load->slots[events[index].data.u32], events[index].events);
    }
}

static void report(const struct load *load, uint64_t took_us)
{
    printf("{\"seconds\": %.3f, \"answered\": %llu, \"connections\": %llu, \"retried\": %llu, "
           "\"told_close\": %llu, \"slowest_us\": %llu",
           (double)took_us / 1e6, (unsigned long long)load->answered,
           (unsigned long long)load->connections, (unsigned long long)load->retried,
           (unsigned long long)load->told_close, (unsigned long long)load->slowest_us);
    for (int loss = 0; loss < LOSS_COUNT; loss++)
        printf(", \"%s\": %llu", loss_names[loss], (unsigned long long)load->losses[loss]);
    printf("}\n");
}

int main(int argc, char **argv)
{
    struct load load = {.expect = "Hello, world!"};
    const char *to = NULL, *path = "/";
    uint64_t kept = 0, fresh = 0, seconds = 0;

    for (int at = 1; at < argc; at += 2) {
        const char *flag = argv[at], *value = at + 1 < argc ? argv[at + 1] : NULL;

        if (strcmp(flag, "--to") == 0 && value)
            to = value;
        else if (strcmp(flag, "--expect") == 0 && value)
            load.expect = value;
        else if (strcmp(flag, "--path") == 0 && value)
            path = value;
        else if (strcmp(flag, "--kept") == 0)
            kept = number_of(flag, value);
        else if (strcmp(flag, "--new") == 0)
            fresh = number_of(flag, value);
        else if (strcmp(flag, "--pause-ms") == 0)
            load.pause_us = number_of(flag, value) * 1000;
        else if (strcmp(flag, "--seconds") == 0)
            seconds = number_of(flag, value);
        else
            errx(64, "%s is no flag of this program", flag);
    }
    if (!to || kept + fresh == 0 || kept + fresh > SLOTS_MAX)
        errx(64, "--to ADDR and 1 to %d of --kept and --new are needed", SLOTS_MAX);
    endpoint_parse(&load.to, to);
    snprintf(load.requests[0], sizeof(load.requests[0]), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
             path);
    snprintf(load.requests[1], sizeof(load.requests[1]),
             "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
    raise_limit();
    stop_by_signal();
    load.slot_count = (uint32_t)(kept + fresh);
    load.slots = calloc(load.slot_count, sizeof(load.slots[0]));
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!load.slots || load.epoll_fd < 0)
        err(71, "setting up");
    for (uint32_t index = 0; index < load.slot_count; index++) {
        load.slots[index].fd = -1;
        load.slots[index].kept = index < kept;
    }
    uint64_t begun_us = clock_us();

    run(&load, seconds);
    report(&load, clock_us() - begun_us);
    free(load.slots);
    return 0;
}
