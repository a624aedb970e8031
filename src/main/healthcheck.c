/*
 * One request by the public stream API.
 *
 * The happy path: dial, send, read until the status line is there.  It can fail by an address that
 * does not answer, by an answer that is not HTTP, and by time.
 */
#include "main/healthcheck.h"

#include <stdlib.h>
#include <string.h>

#include "main/diagnostics.h"
#include "main/health_tls.h"
#include "main/health_wire.h"
#include "pollux/loop.h"
#include "pollux/stream.h"

struct check {
    const struct options *options; /* borrowed */
    struct health_target target;
    struct health_tls *tls; /* owned; NULL: without TLS */
    px_part part;           /* what is sent, until it is */
    bool is_sending;
    px_loop *loop;     /* owned */
    px_timer *timer;   /* owned */
    px_stream *stream; /* owned; NULL when closed */
    uint64_t deadline_ms;
    unsigned status;       /* 0: no answer */
    const char *complaint; /* static: why there is none */
    bool is_resolving;     /* perhaps: the dial ended by its deadline */
    bool is_decided;
};

/* The first verdict counts. */
static void check_end(struct check *check, unsigned status, const char *complaint)
{
    if (!check->is_decided) {
        check->is_decided = true;
        check->status = status;
        check->complaint = complaint;
    }
    if (check->stream)
        px_stream_close(check->stream);
    px_loop_stop(check->loop);
}

/* One send is in flight at most. */
static void check_send(struct check *check)
{
    if (check->is_decided || check->is_sending)
        return;
    check->part.bytes = health_tls_pending(check->tls);
    if (check->part.bytes.len > 0)
        check->is_sending = px_stream_send(check->stream, &check->part, 1) == PX_SENT_PENDING;
}

/* TLS takes what came; its answer, which may be empty, is looked at as any other. */
static px_err check_unwrap(struct check *check, px_str bytes, px_str *out_answer)
{
    px_err err = health_tls_receive(check->tls, bytes, out_answer);

    if (err != PX_OK)
        check_end(check, 0, health_tls_complaint(check->tls));
    check_send(check);
    return err;
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct check *check = context;
    size_t used = check->tls ? bytes.len : 0; /* what was not enough comes again, with more */
    unsigned status = 0;

    (void)stream;
    if (check->tls && check_unwrap(check, bytes, &bytes) != PX_OK)
        return used;

    px_err err = health_read_status(bytes, &status);
    if (err == PX_OK)
        check_end(check, status, NULL);
    else if (err != PX_AGAIN)
        check_end(check, 0, "the answer is not HTTP/1.1");
    else if (bytes.len >= HEALTH_ANSWER_BYTES_MAX)
        check_end(check, 0, "the answer is too long");
    return used;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    (void)stream;
    (void)reason;
    check_end(context, 0, "the connection was closed before an answer");
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct check *check = context;

    (void)stream;
    check->is_sending = false;
    if (check->tls && result == PX_OK)
        check_send(check);
    /* A peer that answers before it has read everything is still heard. */
    if (result != PX_OK && result != PX_ERR_CLOSED && result != PX_ERR_CANCELLED)
        check_end(context, 0, px_err_name(result));
}

static void on_closed(px_stream *stream, void *context)
{
    struct check *check = context;

    (void)stream;
    check->stream = NULL;
}

static const px_stream_events check_events = {on_recv, on_recv_end, on_sent, on_closed};

static void on_dialled(px_stream *stream, px_err result, void *context)
{
    struct check *check = context;

    check->is_resolving = result == PX_ERR_TIMEOUT;
    if (!stream) {
        check_end(check, 0, result == PX_ERR_CLOSED ? "connection refused" : px_err_name(result));
        return;
    }
    uint64_t now = px_loop_now_ms(check->loop);

    check->stream = stream;
    px_timer_start(check->timer,
                   now < check->deadline_ms ? (uint32_t)(check->deadline_ms - now) : 0);
    px_stream_attach(stream, &check_events, check);
    px_stream_recv_start(stream);
    if (check->tls) {
        px_str answer;

        (void)check_unwrap(check, px_str_make("", 0), &answer);
        return;
    }
    check->part.bytes = px_str_of(check->target.request);
    (void)px_stream_send(stream, &check->part, 1);
}

static void on_timer(px_timer *timer, void *context)
{
    (void)timer;
    check_end(context, 0, "timed out");
}

/* Asks, and runs until there is a verdict. */
static px_err check_run(struct check *check, px_error *out_error)
{
    uint32_t timeout_ms = check->options->healthcheck.timeout_ms;

    check->loop = px_loop_create(NULL, out_error);
    if (!check->loop)
        return out_error->code;
    check->timer = px_timer_create(check->loop, on_timer, check);
    if (!check->timer)
        return out_error->code = PX_ERR_MEMORY;
    check->deadline_ms = px_loop_now_ms(check->loop) + timeout_ms;
    px_err err =
        px_dial(check->loop, check->target.address, timeout_ms, on_dialled, check, out_error);
    if (err != PX_OK)
        return err;
    return px_loop_run(check->loop, out_error);
}

static void check_deinit(struct check *check)
{
    px_error error;

    px_timer_destroy(check->timer);
    while (check->loop && px_loop_handle_count(check->loop) > 0)
        if (px_loop_wait(check->loop, -1, &error) != PX_OK)
            break;
    px_loop_destroy(check->loop);
    health_tls_destroy(check->tls);
}

enum exit_code healthcheck(const struct options *options)
{
    struct check check = {.options = options};
    px_error error = {0};

    if (!health_target_parse(options->healthcheck.url, &check.target)) {
        diagnostics_say("%s is not a URL that can be checked: write http://host:port/path, "
                        "https://host:port/path or unix:/path",
                        options->healthcheck.url);
        return CODE_USAGE;
    }
    if (check.target.is_secure &&
        health_tls_create(&check.tls, &options->healthcheck, check.target.host,
                          check.target.request, &error) != PX_OK) {
        diagnostics_say("%s: %s", options->healthcheck.url, error.text);
        return exit_code_of(error.code);
    }
    if (!check.target.is_secure &&
        (options->healthcheck.ca_file || options->healthcheck.insecure)) {
        diagnostics_say("--%s is for TLS: write https:// in front of the URL",
                        options->healthcheck.insecure ? "insecure" : "ca");
        return CODE_USAGE;
    }
    px_err err = check_run(&check, &error);
    if (err != PX_OK)
        check.complaint = error.text[0] ? error.text : px_err_name(err);
    bool is_healthy = check.status >= 200 && check.status < 400;
    if (!is_healthy && !options->quiet && check.status != 0)
        diagnostics_say("%s answered %u", options->healthcheck.url, check.status);
    else if (!is_healthy && !options->quiet)
        diagnostics_say("%s: %s", options->healthcheck.url, check.complaint);
    enum exit_code code = is_healthy              ? CODE_OK
                          : err == PX_ERR_INVALID ? CODE_USAGE
                                                  : CODE_UNHEALTHY;
    /* A resolver that does not answer cannot be interrupted, and joining it would take its time. */
    if (check.is_resolving)
        exit(code);
    check_deinit(&check);
    return code;
}
