/*
 * A proxy from its making to its end, and what it answers by itself.
 *
 * Happy path: px_proxy_create, px_proxy_handle for each exchange, px_proxy_destroy.  It can fail by
 * options that are none, and for want of memory.
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "http/fields/field.h"
#include "pollux/request.h"
#include "proxy/passage.h"
#include "proxy/proxy_status.h"
#include "proxy/request_head.h"

enum {
    TRIES_DEFAULT = 2,
    REPLAY_BYTES_DEFAULT = 64 * 1024,
    REPLAY_BYTES_MIN = 16 * 1024, /* content is held so far in any case */
    REPLAY_BYTES_LIMIT = 16 * 1024 * 1024,
    ANSWER_BYTES_DEFAULT = 16 * 1024, /* of an answer that its client has not taken */
    TRUSTED_MAX = 256,
    PASSAGE_SLAB = 8,
    PASSAGES_MAX = 65536, /* exchanges have bounds of their own */
    NAME_BYTES_MAX = 255,
    UNDERSCORES_KEEP = 1,
    UNDERSCORES_REJECT = 2,
};

/* --- Its end ---------------------------------------------------------------------------------- */

static void proxy_free(px_proxy *proxy)
{
    px_loop *loop = proxy->loop;
    px_upstream *upstream = proxy->upstream;

    CHECK(proxy->passages.taken == 0);
    list_remove(&proxy->checks.node);
    pool_deinit(&proxy->passages);
    alloc_put(&loop->allocator, proxy->trusted);
    alloc_put(&loop->allocator, proxy->host);
    alloc_put(&loop->allocator, proxy->name);
    alloc_put(&loop->allocator, proxy);
    if (!upstream)
        return;
    upstream->proxies--;
    upstream_put(upstream);
}

void proxy_settle(px_proxy *proxy)
{
    if (proxy->closing && proxy->passages.taken == 0)
        proxy_free(proxy);
}

void px_proxy_destroy(void *proxy)
{
    px_proxy *self = proxy;

    if (!self)
        return;
    self->closing = true;
    proxy_settle(self);
}

/* --- Its making ------------------------------------------------------------------------------- */

static px_err options_settle(px_proxy_options *options, px_error *out_error)
{
    if (!options->upstream)
        return error_set(out_error, PX_ERR_INVALID, 0, "a proxy has an upstream");
    if (options->underscores > UNDERSCORES_REJECT)
        return error_set(out_error, PX_ERR_INVALID, 0, "underscores: 0, 1 or 2");
    if (options->trusted_proxy_count > TRUSTED_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "a proxy trusts at most %d blocks",
                         TRUSTED_MAX);
    if (!options->name)
        options->name = "pollux";
    /* RFC 9110 section 7.6.3: a pseudonym is a token. */
    if (!field_name_valid(px_str_of(options->name)) || strlen(options->name) > NAME_BYTES_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "a name in Via is a token");
    if (options->host && !field_value_valid(px_str_of(options->host)))
        return error_set(out_error, PX_ERR_INVALID, 0, "no Host can be made of what was given");
    if (options->tries == 0)
        options->tries = TRIES_DEFAULT;
    if (options->replay_bytes_max == 0)
        options->replay_bytes_max = REPLAY_BYTES_DEFAULT;
    if (options->replay_bytes_max == PX_OFF || options->replay_bytes_max < REPLAY_BYTES_MIN)
        options->replay_bytes_max = REPLAY_BYTES_MIN;
    if (options->answer_bytes_max == 0)
        options->answer_bytes_max = ANSWER_BYTES_DEFAULT;
    if (options->answer_bytes_max > REPLAY_BYTES_LIMIT)
        return error_set(out_error, PX_ERR_INVALID, 0, "at most %d bytes of an answer are kept",
                         REPLAY_BYTES_LIMIT);
    if (options->replay_bytes_max > REPLAY_BYTES_LIMIT)
        return error_set(out_error, PX_ERR_INVALID, 0, "at most %d bytes are kept to be sent again",
                         REPLAY_BYTES_LIMIT);
    return PX_OK;
}

static px_err proxy_init(px_proxy *proxy, px_error *out_error)
{
    const px_proxy_options *options = &proxy->options;
    const px_allocator *allocator = &proxy->loop->allocator;

    proxy->name = alloc_copy_text(&proxy->loop->allocator, options->name);
    proxy->host = options->host ? alloc_copy_text(&proxy->loop->allocator, options->host) : NULL;
    proxy->trusted =
        alloc_take(allocator, (options->trusted_proxy_count + 1) * sizeof(*proxy->trusted));
    if (!proxy->name || (options->host && !proxy->host) || !proxy->trusted)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    for (uint32_t index = 0; index < options->trusted_proxy_count; index++) {
        px_err err = cidr_parse(options->trusted_proxies[index], &proxy->trusted[index], out_error);

        if (err != PX_OK)
            return err;
    }
    return PX_OK;
}

static void checks_run(struct loop_hook *hook)
{
    proxy_check(CONTAINER_OF(hook, px_proxy, checks));
}

px_proxy *px_proxy_create(const px_proxy_options *given, px_error *out_error)
{
    px_proxy_options options;
    px_error error;

    error_clear(out_error);
    if (!given || options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "proxy options: unknown or missing struct_size");
        return NULL;
    }
    if (options_settle(&options, out_error) != PX_OK)
        return NULL;
    px_loop *loop = options.upstream->loop;
    px_proxy *proxy = alloc_take_zeroed(&loop->allocator, sizeof(*proxy));

    if (!proxy) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    proxy->loop = loop;
    proxy->options = options;
    proxy->checks.run = checks_run;
    list_init(&proxy->checks.node);
    pool_init(&proxy->passages, &loop->allocator, sizeof(struct passage), PASSAGE_SLAB,
              PASSAGES_MAX);
    px_err err = proxy_init(proxy, &error);

    proxy->options.trusted_proxies = NULL;
    if (err == PX_OK) {
        proxy->upstream = upstream_take(options.upstream);
        proxy->upstream->proxies++;
        upstream_counts_show(proxy->upstream);
        loop_hook_add(loop, LOOP_CHECKS, &proxy->checks);
        return proxy;
    }
    error_copy(out_error, &error);
    proxy_free(proxy);
    return NULL;
}

/* --- Requests --------------------------------------------------------------------------------- */

/* RFC 9110 section 7.6.2: a request that may not go on is answered here. */
static bool answers_here(px_exchange *exchange, const struct request_head *head)
{
    static const char methods[] = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";

    if (!head->counts_hops || request_head_hops(head) != 0)
        return false;
    px_response_add_field(exchange, px_str_of("Allow"), px_str_of(methods));
    if (px_request_method_is(exchange, "OPTIONS"))
        px_respond(exchange, 204, px_str_make(NULL, 0), px_str_of(""));
    else
        px_respond_error(exchange, 405);
    return true;
}

static void refuse(const px_proxy *proxy, px_exchange *exchange, unsigned status, const char *kind)
{
    proxy_status_add(proxy, exchange, kind);
    px_respond_error(exchange, status);
}

static bool has_underscores(const struct request_head *head)
{
    for (size_t index = 0; index < head->field_count; index++)
        if (memchr(head->fields[index].name.ptr, '_', head->fields[index].name.len))
            return true;
    return false;
}

void px_proxy_handle(px_exchange *exchange, void *context)
{
    px_proxy *proxy = context;
    struct request_head head = {.via_name = px_str_of(proxy->name)};
    px_str upgrade;
    unsigned refusal;

    head.fields = px_request_fields(exchange, &head.field_count);
    head.counts_hops =
        px_request_method_is(exchange, "OPTIONS") || px_request_method_is(exchange, "TRACE");
    if (px_request_method_is(exchange, "CONNECT")) {
        px_response_add_field(exchange, px_str_of("Allow"),
                              px_str_of("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE"));
        refuse(proxy, exchange, 405, "http_request_error");
    } else if (request_head_loops(&head)) {
        refuse(proxy, exchange, 508, "proxy_loop_detected");
    } else if ((refusal = tunnel_asked(exchange, proxy->options.no_upgrade == 0, &upgrade)) != 0) {
        refuse(proxy, exchange, refusal, "http_request_error");
    } else if (proxy->options.underscores == UNDERSCORES_REJECT && has_underscores(&head)) {
        refuse(proxy, exchange, 400, "http_request_error");
    } else if (!answers_here(exchange, &head)) {
        passage_begin(proxy, exchange, &upgrade);
    }
}
