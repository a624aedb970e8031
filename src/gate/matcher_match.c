/*
 * Asking matchers: lines are looked at until one does not hold.
 *
 * A path is resolved once for a call, on the stack; everything else is compared where it lies.
 */
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/options.h"
#include "gate/glob.h"
#include "gate/matcher.h"
#include "http/fields/cookie.h"
#include "http/fields/field.h"
#include "http/forms/query.h"
#include "http/message/host.h"
#include "pollux/request.h"

struct facts {
    px_match_request request;
    px_exchange *exchange; /* NULL: the request is only written down */
    px_str path;           /* resolved; absent until it was asked for */
    bool failed;           /* there was no memory for the path */
    char buf[MATCHER_PATH_BYTES];
};

/* --- The path --------------------------------------------------------------------------------- */

/* The byte that is encoded at *at, which is moved behind it. */
static char path_byte(px_str raw, size_t *at)
{
    if (raw.ptr[*at] == '%' && raw.len - *at > 2) {
        int high = number_hex_digit(raw.ptr[*at + 1]), low = number_hex_digit(raw.ptr[*at + 2]);

        if (high >= 0 && low >= 0) {
            *at += 3;
            return (char)(high << 4 | low);
        }
    }
    return raw.ptr[(*at)++];
}

/* The last segment, which begins behind `from`, is at its end: "." and ".." are resolved (RFC 3986
 * section 5.2.4).  Returns the length that is left. */
static size_t segment_end(const char *out, size_t from, size_t len)
{
    size_t bytes = len - from;

    if (bytes == 1 && out[from] == '.')
        return from;
    if (bytes != 2 || memcmp(out + from, "..", 2) != 0)
        return len;
    size_t at = from > 1 ? from - 1 : 1;

    while (at > 1 && out[at - 1] != '/')
        at--;
    return at;
}

/* Decodes and resolves a path, which never gets longer: what it is to handlers of files, in one
 * spelling. */
static px_str path_resolve(px_str raw, char *out)
{
    size_t len = 0, segment = 0;

    for (size_t at = 0; at < raw.len;) {
        char byte = path_byte(raw, &at);

        if (byte != '/' || len == 0) {
            out[len++] = byte;
            segment = len == 1 && byte == '/' ? 1 : segment;
            continue;
        }
        len = segment_end(out, segment, len);
        if (len > 0 && out[len - 1] != '/')
            out[len++] = '/';
        segment = len;
    }
    if (segment > 0)
        len = segment_end(out, segment, len);
    ASSERT(len <= raw.len);
    return px_str_make(out, len);
}

static px_str facts_path(struct facts *facts)
{
    px_str raw = facts->request.raw_path;
    char *out = facts->buf;

    if (facts->path.ptr || facts->failed || !raw.ptr)
        return facts->path;
    if (raw.len > sizeof(facts->buf))
        out = facts->exchange ? px_exchange_alloc(facts->exchange, raw.len) : NULL;
    if (out)
        facts->path = path_resolve(raw, out);
    else
        facts->failed = true;
    return facts->path;
}

/* --- Lines ------------------------------------------------------------------------------------ */

static bool host_is(px_str pattern, px_str host)
{
    ASSERT(pattern.len > 0);
    if (px_str_equal(pattern, px_str_make("*", 1)))
        return true;
    if (pattern.ptr[0] != '*')
        return field_text_equal(host_name(pattern), host);
    px_str below = px_str_make(pattern.ptr + 1, pattern.len - 1); /* with its dot */

    return host.len > below.len &&
           field_text_equal(px_str_make(host.ptr + host.len - below.len, below.len), below);
}

static bool header_matches(const struct match_line *line, const px_match_request *request)
{
    ASSERT(line->name && line->count > 0);
    for (size_t index = 0; index < request->field_count; index++) {
        const px_field *field = &request->fields[index];

        if (!field_name_is(field->name, line->name))
            continue;
        if (line->count == 1)
            return true;
        for (size_t value = 1; value < line->count; value++) {
            if (glob_matches(line->values[value].glob, field->value))
                return true;
        }
    }
    return false;
}

static bool query_has(const struct match_value *value, px_str query)
{
    struct query_pair pair;

    /* All of them, so that no number of pairs in front hides one: the target's limit bounds it. */
    while (query_next(&query, &pair)) {
        if (query_text_is(pair.name, value->name) &&
            (!value->glob.ptr || glob_matches_query(value->glob, pair.value)))
            return true;
    }
    return false;
}

static bool cookie_has(const struct match_value *value, const px_match_request *request)
{
    struct cookie_pair pair;

    for (size_t index = 0; index < request->field_count; index++) {
        px_str cookies = request->fields[index].value;

        if (!field_name_is(request->fields[index].name, "cookie"))
            continue;
        while (cookie_next(&cookies, &pair)) {
            if (px_str_equal(pair.name, value->name) &&
                (!value->glob.ptr || glob_matches(value->glob, pair.value)))
                return true;
        }
    }
    return false;
}

static bool value_matches(px_match_kind kind, const struct match_value *value, struct facts *facts)
{
    const px_match_request *request = &facts->request;
    px_str path;

    switch (kind) {
    case PX_MATCH_METHOD:
        return px_str_equal(value->glob, request->method);
    case PX_MATCH_PATH:
        path = facts_path(facts);
        return path.ptr && glob_matches(value->glob, path);
    case PX_MATCH_HOST:
        return request->authority.ptr && host_is(value->glob, host_name(request->authority));
    case PX_MATCH_SCHEME:
        return px_str_equal(value->glob, request->scheme);
    case PX_MATCH_QUERY:
        return request->query.ptr && query_has(value, request->query);
    case PX_MATCH_COOKIE:
        return cookie_has(value, request);
    case PX_MATCH_CLIENT:
        return client_block_has(&value->block, request->client);
    case PX_MATCH_HEADER: /* not by value: header_matches */
        break;
    }
    return false;
}

static bool line_matches(const struct match_line *line, struct facts *facts)
{
    ASSERT(!line->inner && line->count > 0);
    if (line->kind == PX_MATCH_HEADER)
        return header_matches(line, &facts->request);
    for (size_t index = 0; index < line->count; index++) {
        if (value_matches(line->kind, &line->values[index], facts))
            return true;
    }
    return false;
}

/* The recursion is as deep as matchers are nested: MATCHER_DEPTH_MAX. */
static bool matches(const px_matcher *matcher, struct facts *facts)
{
    for (const struct match_line *line = matcher->lines; line; line = line->next) {
        if (line->inner ? matches(line->inner, facts) : !line_matches(line, facts))
            return false;
    }
    return true;
}

int px_matcher_matches(const px_matcher *matcher, px_exchange *exchange)
{
    struct facts facts;

    facts.exchange = exchange;
    facts.path = px_str_make(NULL, 0);
    facts.failed = false;
    facts.request = PX_MATCH_REQUEST_DEFAULT;
    facts.request.method = px_request_method(exchange);
    facts.request.scheme = px_request_scheme(exchange);
    facts.request.authority = px_request_authority(exchange);
    facts.request.raw_path = px_request_raw_path(exchange);
    facts.request.query = px_request_query(exchange);
    if (px_request_client_is_known(exchange))
        facts.request.client = px_request_client(exchange);
    facts.request.fields = px_request_fields(exchange, &facts.request.field_count);
    bool is_match = matches(matcher, &facts);

    if (facts.failed)
        px_exchange_abort(exchange);
    return is_match && !facts.failed;
}

int px_matcher_matches_request(const px_matcher *matcher, const px_match_request *request)
{
    struct facts facts;

    facts.exchange = NULL;
    facts.path = px_str_make(NULL, 0);
    facts.failed = false;
    if (options_read(&facts.request, sizeof(facts.request), request) != PX_OK)
        return 0;
    return matches(matcher, &facts) && !facts.failed;
}
