/*
 * Requests of some clients, told of as they come and as they end: `debug`.
 *
 * Happy path: a middleware before all hosts looks at the client's address, and asks to hear of the
 * end.  Lines are for a person: which request it is, what it asked for, what it met, how it ended.
 * A request that is refused before there is one for middleware has its line in the access log.
 */
#include <stdio.h>

#include "base/check.h"
#include "config/site/build.h"
#include "pollux/pollux.h"

enum { LINE_BYTES = 900, TARGET_BYTES = 300, HOST_BYTES = 100 };

struct debug {
    struct config *config; /* borrowed: it lives there */
    px_matcher *clients;   /* borrowed: the configuration's */
};

static int cut(px_str text, size_t most)
{
    return (int)(text.len < most ? text.len : most);
}

static const char *end_word(px_end end)
{
    static const char *const words[] = {[PX_END_COMPLETE] = "complete",
                                        [PX_END_PEER_GONE] = "the client left",
                                        [PX_END_TIMEOUT] = "timed out",
                                        [PX_END_ABORTED] = "aborted",
                                        [PX_END_REFUSED] = "refused",
                                        [PX_END_NO_MEMORY] = "out of memory",
                                        [PX_END_SERVER_CLOSED] = "the server ended"};

    return (size_t)end < sizeof(words) / sizeof(words[0]) && words[end] ? words[end] : "ended";
}

static void on_end(px_exchange *exchange, px_end end, unsigned status, void *context)
{
    const struct debug *debug = context;
    const char *pattern = px_request_pattern(exchange), *fault = px_exchange_fault(exchange);
    px_str id = px_request_id(exchange);
    char line[LINE_BYTES];

    if (!debug->config->on_debug)
        return;
    snprintf(line, sizeof(line), "request %.*s: %u, %s, by route %s%s%s", cut(id, HOST_BYTES),
             id.ptr, status, end_word(end), pattern ? pattern : "(none)", fault ? ", fault: " : "",
             fault ? fault : "");
    debug->config->on_debug(line);
}

static px_verdict on_request(px_exchange *exchange, void *context)
{
    struct debug *debug = context;

    ASSERT(debug->clients && debug->config->hold_count > 0);
    if (!debug->config->on_debug || !px_matcher_matches(debug->clients, exchange))
        return PX_NEXT;
    px_str id = px_request_id(exchange), client = px_request_client(exchange);
    px_str method = px_request_method(exchange), target = px_request_target(exchange);
    px_str host = px_request_authority(exchange), trace = px_request_trace_id(exchange);
    char line[LINE_BYTES];

    snprintf(line, sizeof(line),
             "request %.*s: %.*s %.*s of %s://%.*s, HTTP/%u.%u, client %.*s, trace %.*s",
             cut(id, HOST_BYTES), id.ptr, cut(method, HOST_BYTES), method.ptr,
             cut(target, TARGET_BYTES), target.ptr, px_request_scheme(exchange).ptr,
             cut(host, HOST_BYTES), host.ptr ? host.ptr : "", px_request_version(exchange) / 10,
             px_request_version(exchange) % 10, cut(client, HOST_BYTES), client.ptr,
             cut(trace, HOST_BYTES), trace.ptr);
    debug->config->on_debug(line);
    /* Without memory the end is not told of; the request is none the worse. */
    px_err err = px_exchange_at_end(exchange, on_end, debug);

    (void)err;
    return PX_NEXT;
}

bool build_debug(struct build *build)
{
    const struct config_node *node = node_find(build->settings->nodes, "debug");
    px_error error;

    CHECK(build->site);
    for (uint32_t i = 1; node && i < node->value_count; i++) {
        if (!node->values[i].is_off)
            continue;
        report_add(&build->load->report, REPORT_MEANING, node->values[i].value->place,
                   "off stands alone");
        return false;
    }

    if (!node || node->value_count == 0 || node->values[0].is_off)
        return true;
    struct debug *debug = load_take(build->load, sizeof(*debug));

    if (!debug)
        return false;
    *debug = (struct debug){.config = build->config};
    if (!build_clients(build, node, &debug->clients))
        return false;
    if (px_site_use(build->site, on_request, debug, NULL, &error) == PX_OK)
        return true;
    build_note(build, node_place(node), &error);
    return false;
}
