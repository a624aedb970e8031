/*
 * Another server decides whether a request is let in.
 *
 * Happy path: the middleware stops, asks, and goes on once a 2xx has come.  What can go wrong: the
 * server says no (its answer is the client's), or nothing (502, 504), or the client leaves.
 */
#include "pollux/forward_auth.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "gate/matcher.h"
#include "http/fields/field.h"
#include "io/io.h"
#include "pollux/client.h"
#include "pollux/request.h"
#include "proxy/answer_head.h"

enum {
    AUTH_NAMES_MAX = 32,
    AUTH_TIMEOUT_MS = 10 * 1000,
    AUTH_ANSWER_BYTES_MAX = 64 * 1024, /* a page that says no, or a form to log in */
    AUTH_HEAD_BYTES_MAX = 256 * 1024,
    AUTH_FIELDS_ADDED = 2,
};

struct px_forward_auth {
    px_loop *loop;               /* borrowed: outlives it */
    px_client *client;           /* owned */
    char *url;                   /* owned */
    char *names[AUTH_NAMES_MAX]; /* owned */
    uint32_t name_count;
    uint32_t timeout_ms;
    uint32_t inquiries; /* that have not ended */
    px_matcher *when;   /* a hold, or NULL */
    bool closing;
};

/* A request that is asked about, until its exchange and its fetch have ended. */
struct inquiry {
    px_forward_auth *auth; /* borrowed: lives as long as it has inquiries */
    px_exchange *exchange; /* borrowed; NULL: it has ended */
    px_fetch *fetch;       /* borrowed; NULL: it has ended */
    struct buf content;    /* of an answer that says no */
    struct arena arena;
    bool is_let_in;
    bool is_too_long;
};

/* --- The end ---------------------------------------------------------------------------------- */

static void auth_free(px_forward_auth *auth)
{
    const px_allocator *allocator = &auth->loop->allocator;

    CHECK(auth->inquiries == 0);
    px_client_destroy(auth->client);
    for (uint32_t index = 0; index < auth->name_count; index++)
        alloc_put(allocator, auth->names[index]);
    alloc_put(allocator, auth->url);
    px_matcher_destroy(auth->when);
    alloc_put(allocator, auth);
}

void px_forward_auth_destroy(void *context)
{
    px_forward_auth *auth = context;

    if (!auth)
        return;
    auth->closing = true;
    if (auth->inquiries == 0)
        auth_free(auth);
}

static void inquiry_settle(struct inquiry *inquiry)
{
    px_forward_auth *auth = inquiry->auth;

    if (inquiry->exchange || inquiry->fetch)
        return;
    CHECK(auth->inquiries > 0);
    buf_deinit(&inquiry->content);
    arena_reset(&inquiry->arena);
    alloc_put(&auth->loop->allocator, inquiry);
    auth->inquiries--;
    if (auth->closing && auth->inquiries == 0)
        auth_free(auth);
}

static void on_exchange_end(px_exchange *exchange, px_end end, unsigned status, void *context)
{
    struct inquiry *inquiry = context;

    (void)exchange;
    (void)end;
    (void)status;
    inquiry->exchange = NULL;
    if (inquiry->fetch)
        px_fetch_cancel(inquiry->fetch);
    inquiry_settle(inquiry);
}

/* --- The answer ------------------------------------------------------------------------------- */

static bool names_take(struct inquiry *inquiry, px_fetch *fetch)
{
    const px_forward_auth *auth = inquiry->auth;

    for (uint32_t index = 0; index < auth->name_count; index++) {
        px_str name = px_str_of(auth->names[index]);

        if (px_request_set_field(inquiry->exchange, name,
                                 px_fetch_field(fetch, auth->names[index])) != PX_OK)
            return false;
    }
    return true;
}

static void on_head(px_fetch *fetch, void *context)
{
    struct inquiry *inquiry = context;
    unsigned status = px_fetch_status(fetch);

    if (!inquiry->exchange || status < 200 || status > 299)
        return;
    inquiry->is_let_in = names_take(inquiry, fetch);
    px_fetch_cancel(fetch); /* its content is of no interest */
}

static size_t on_content(px_fetch *fetch, px_str bytes, void *context)
{
    struct inquiry *inquiry = context;

    if (buf_append(&inquiry->content, bytes) != PX_OK) {
        inquiry->is_too_long = true;
        px_fetch_cancel(fetch);
    }
    return bytes.len;
}

/* The answer of the server that was asked is the client's. */
static void refuse(struct inquiry *inquiry, px_fetch *fetch)
{
    size_t count;
    const px_field *fields = px_fetch_fields(fetch, &count);
    unsigned status = px_fetch_status(fetch);

    if (status > 599 || answer_head_set(inquiry->exchange, fields, count) != PX_OK)
        px_respond_error(inquiry->exchange, 502);
    else
        px_respond(inquiry->exchange, status, px_str_make(NULL, 0), buf_str(&inquiry->content));
}

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct inquiry *inquiry = context;
    px_exchange *exchange = inquiry->exchange;

    CHECK(inquiry->fetch == fetch);
    inquiry->fetch = NULL;
    if (!exchange)
        inquiry_settle(inquiry);
    else if (inquiry->is_let_in)
        px_exchange_next(exchange);
    else if (error->code == PX_OK)
        refuse(inquiry, fetch);
    else if (error->code == PX_ERR_MEMORY)
        px_respond_error(exchange, 503);
    else
        px_respond_error(exchange, error->code == PX_ERR_TIMEOUT ? 504 : 502);
}

static const px_fetch_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                             .on_head = on_head,
                                             .on_content = on_content,
                                             .on_end = on_end};

/* --- Asking ----------------------------------------------------------------------------------- */

/* What is about content that the server does not get, or would have it answer with less. */
static bool is_dropped(const px_forward_auth *auth, px_str name)
{
    static const char *const names[] = {"content-type",
                                        "content-encoding",
                                        "range",
                                        "if-range",
                                        "if-match",
                                        "if-none-match",
                                        "if-modified-since",
                                        "if-unmodified-since",
                                        "x-forwarded-method",
                                        "x-forwarded-uri"};

    for (size_t index = 0; index < ARRAY_COUNT(names); index++)
        if (field_name_is(name, names[index]))
            return true;
    for (uint32_t index = 0; index < auth->name_count; index++)
        if (field_text_equal(name, px_str_of(auth->names[index])))
            return true;
    return false;
}

static px_err fields_make(struct inquiry *inquiry, px_fetch_options *ask)
{
    px_exchange *exchange = inquiry->exchange;
    struct request_head head = {.version = px_request_version(exchange),
                                .peer = px_request_client(exchange),
                                .scheme = px_request_scheme(exchange),
                                .authority = px_request_authority(exchange),
                                .via_name = px_str_of("pollux")};
    px_field *made, *fields;
    size_t count = 0;

    CHECK(inquiry->exchange && inquiry->auth->name_count <= AUTH_NAMES_MAX);
    request_head_names(&head, exchange);
    head.fields = px_request_fields(exchange, &head.field_count);
    px_err err = request_head_write(&head, &inquiry->arena, &made, &ask->field_count);

    if (err != PX_OK)
        return err;
    fields = arena_take(&inquiry->arena, (ask->field_count + AUTH_FIELDS_ADDED) * sizeof(*fields));
    if (!fields)
        return PX_ERR_MEMORY;
    for (size_t index = 0; index < ask->field_count; index++)
        if (!is_dropped(inquiry->auth, made[index].name))
            fields[count++] = made[index];
    fields[count++] = (px_field){px_str_of("X-Forwarded-Method"), px_request_method(exchange)};
    fields[count++] = (px_field){px_str_of("X-Forwarded-Uri"), px_request_target(exchange)};
    ask->fields = fields;
    ask->field_count = count;
    return PX_OK;
}

static struct inquiry *inquiry_make(px_forward_auth *auth, px_exchange *exchange)
{
    struct inquiry *inquiry = alloc_take_zeroed(&auth->loop->allocator, sizeof(*inquiry));

    if (!inquiry)
        return NULL;
    inquiry->auth = auth;
    buf_init(&inquiry->content, &auth->loop->allocator, AUTH_ANSWER_BYTES_MAX);
    arena_init(&inquiry->arena, &auth->loop->allocator, NULL, 0, AUTH_HEAD_BYTES_MAX);
    auth->inquiries++;
    if (px_exchange_at_end(exchange, on_exchange_end, inquiry) == PX_OK) {
        inquiry->exchange = exchange;
        return inquiry;
    }
    inquiry_settle(inquiry);
    return NULL;
}

px_verdict px_forward_auth_check(px_exchange *exchange, void *context)
{
    px_forward_auth *auth = context;
    px_fetch_options ask = PX_FETCH_OPTIONS_DEFAULT;
    px_error error;

    if (auth->when && !px_matcher_matches(auth->when, exchange))
        return PX_NEXT;
    struct inquiry *inquiry = inquiry_make(auth, exchange);
    px_err err = inquiry ? fields_make(inquiry, &ask) : PX_ERR_MEMORY;

    if (err != PX_OK) {
        px_respond_error(exchange, err == PX_ERR_LIMIT ? 400 : 503);
        return PX_STOP;
    }
    ask.url = px_str_of(auth->url);
    ask.total_timeout_ms = auth->timeout_ms;
    inquiry->fetch = px_fetch_start(auth->client, &ask, &callbacks, inquiry, &error);
    if (!inquiry->fetch)
        px_respond_error(exchange, 503);
    return PX_STOP;
}

/* --- Its making ------------------------------------------------------------------------------- */

static px_err auth_init(px_forward_auth *auth, const px_forward_auth_options *options,
                        px_error *out_error)
{
    const px_allocator *allocator = &auth->loop->allocator;
    px_client_options client = PX_CLIENT_OPTIONS_DEFAULT;

    auth->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : AUTH_TIMEOUT_MS;
    auth->when = options->when ? matcher_hold(options->when) : NULL;
    auth->url = alloc_copy_text(allocator, options->url);
    if (!auth->url)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    for (uint32_t index = 0; index < options->name_count; index++) {
        auth->names[index] = alloc_copy_text(allocator, options->names[index]);
        if (!auth->names[index])
            return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        auth->name_count++;
    }
    client.trust = options->trust;
    auth->client = px_client_create(auth->loop, &client, out_error);
    return auth->client ? PX_OK : out_error->code;
}

px_forward_auth *px_forward_auth_create(const px_forward_auth_options *given, px_error *out_error)
{
    px_forward_auth_options options;
    px_error error;

    error_clear(out_error);
    if (options_take(&options, sizeof(options), given, "forward auth options", out_error) != PX_OK)
        return NULL;
    if (!options.loop || !options.url || options.name_count > AUTH_NAMES_MAX) {
        error_set(out_error, PX_ERR_INVALID, 0,
                  "a server that is asked has a loop, a URL and at most %d names", AUTH_NAMES_MAX);
        return NULL;
    }
    px_forward_auth *auth = alloc_take_zeroed(&options.loop->allocator, sizeof(*auth));

    if (!auth) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    auth->loop = options.loop;
    if (auth_init(auth, &options, &error) == PX_OK)
        return auth;
    error_copy(out_error, &error);
    auth_free(auth);
    return NULL;
}
