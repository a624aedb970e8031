/*
 * Requests of some clients, told of as they come and as they end: `debug`.
 *
 * Happy path: a middleware before all hosts looks at the client's address, and asks to hear of the
 * end.  Lines are for a person: which request it is, what it asked for, what it met, how it ended.
 * A request that is refused before there is one for middleware has its line in the access log.
 */
#include "base/check.h"
#include "base/text.h"
#include "config/site/build.h"
#include "pollux/pollux.h"

enum { LINE_BYTES = 900, TARGET_BYTES = 300, HOST_BYTES = 100 };

struct debug {
    struct config *config; /* borrowed: it lives there */
    px_matcher *clients;   /* borrowed: the configuration's */
};

/* The beginning of what a peer sent, so that nothing in it is taken for another line or another
 * part of this one. */
static void put_sent(struct text *line, px_str sent, size_t most)
{
    size_t room = line->room - line->len;
    struct text part;

    CHECK(line->len <= line->room);
    text_init(&part, line->ptr + line->len, room < most ? room : most);
    text_put_escaped(&part, sent, TEXT_QUOTED);
    line->len += part.len;
}

/* Hands the line out, ended by NUL, for which there is room. */
static void line_tell(const struct debug *debug, struct text *line)
{
    CHECK(line->len < LINE_BYTES);
    line->ptr[line->len] = '\0';
    debug->config->on_debug(line->ptr);
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
    char room[LINE_BYTES];
    struct text line;

    if (!debug->config->on_debug)
        return;
    text_init(&line, room, sizeof(room) - 1);
    text_put_words(&line, "request ");
    put_sent(&line, id, HOST_BYTES);
    text_put_words(&line, ": ");
    text_put_number(&line, status);
    text_put_words(&line, ", ");
    text_put_words(&line, end_word(end));
    text_put_words(&line, ", by route ");
    put_sent(&line, px_str_of(pattern ? pattern : "(none)"), TARGET_BYTES);
    text_put_words(&line, fault ? ", fault: " : "");
    put_sent(&line, px_str_of(fault), TARGET_BYTES);
    line_tell(debug, &line);
}

static void put_asked(struct text *line, px_exchange *exchange)
{
    put_sent(line, px_request_method(exchange), HOST_BYTES);
    text_put_byte(line, ' ');
    put_sent(line, px_request_target(exchange), TARGET_BYTES);
    text_put_words(line, " of ");
    text_put(line, px_request_scheme(exchange));
    text_put_words(line, "://");
    put_sent(line, px_request_authority(exchange), HOST_BYTES);
    text_put_words(line, ", HTTP/");
    text_put_number(line, px_request_version(exchange) / 10);
    text_put_byte(line, '.');
    text_put_number(line, px_request_version(exchange) % 10);
}

static px_verdict on_request(px_exchange *exchange, void *context)
{
    struct debug *debug = context;

    ASSERT(debug->clients && debug->config->hold_count > 0);
    if (!debug->config->on_debug || !px_matcher_matches(debug->clients, exchange))
        return PX_NEXT;
    char room[LINE_BYTES];
    struct text line;

    text_init(&line, room, sizeof(room) - 1);
    text_put_words(&line, "request ");
    put_sent(&line, px_request_id(exchange), HOST_BYTES);
    text_put_words(&line, ": ");
    put_asked(&line, exchange);
    text_put_words(&line, ", client ");
    put_sent(&line, px_request_client(exchange), HOST_BYTES);
    text_put_words(&line, ", trace ");
    put_sent(&line, px_request_trace_id(exchange), HOST_BYTES);
    line_tell(debug, &line);
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
