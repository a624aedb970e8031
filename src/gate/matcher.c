/*
 * Making matchers: each line is checked and copied into one block of memory.
 *
 * Happy path: px_matcher_add for each line of a configuration.  It can fail by a value that means
 * nothing, and leaves the matcher as it was.
 */
#include "gate/matcher.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/fields/field.h"
#include "http/message/host.h"

enum { BLOCK_BYTES_MAX = 64, SHOWN_MAX = 40 };

px_err client_block_parse(px_str text, struct client_block *out_block, px_error *out_error)
{
    char copy[BLOCK_BYTES_MAX];

    if (px_str_equal(text, px_str_make("all", 3))) {
        *out_block = (struct client_block){.all = true};
        return PX_OK;
    }
    if (text.len >= sizeof(copy))
        return error_set(out_error, PX_ERR_INVALID, 0, "'%.*s' is too long for an address",
                         SHOWN_MAX, text.ptr);
    *text_write_str(copy, text) = '\0';
    *out_block = (struct client_block){.all = false};
    return cidr_parse(copy, &out_block->cidr, out_error);
}

bool client_block_has(const struct client_block *block, px_str client)
{
    struct net_address address = {.bytes = 0};

    if (block->all)
        return true;
    if (client.len >= 5 && memcmp(client.ptr, "unix:", 5) == 0)
        address.socket.any.sa_family = AF_UNIX;
    else if (!client.ptr || !address_numeric(client, 0, &address))
        return false;
    return cidr_any_has(&block->cidr, 1, &address);
}

px_matcher *px_matcher_create(const px_allocator *allocator, px_error *out_error)
{
    const px_allocator *used = allocator ? allocator : &alloc_libc;
    px_matcher *matcher = alloc_take_zeroed(used, sizeof(*matcher));

    if (!matcher) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    matcher->allocator = *used;
    atomic_init(&matcher->holds, 1);
    error_clear(out_error);
    return matcher;
}

px_matcher *matcher_hold(px_matcher *matcher)
{
    if (matcher)
        CHECK(atomic_fetch_add(&matcher->holds, 1) > 0);
    return matcher;
}

/* The recursion is as deep as matchers are nested: MATCHER_DEPTH_MAX. */
void px_matcher_destroy(px_matcher *matcher)
{
    if (!matcher || atomic_fetch_sub(&matcher->holds, 1) != 1)
        return;
    px_allocator allocator = matcher->allocator;

    while (matcher->lines) {
        struct match_line *line = matcher->lines;

        matcher->lines = line->next;
        px_matcher_destroy(line->inner);
        alloc_put(&allocator, line);
    }
    alloc_put(&allocator, matcher);
}

/* --- Values ----------------------------------------------------------------------------------- */

static px_err wrong(px_error *out_error, px_str value, const char *what)
{
    return error_set(out_error, PX_ERR_INVALID, 0, "'%.*s' %s",
                     value.len > SHOWN_MAX ? SHOWN_MAX : (int)value.len,
                     value.len > 0 ? value.ptr : "", what);
}

static px_err check_glob(px_str glob, px_error *out_error)
{
    if (glob.len > GLOB_BYTES_MAX)
        return wrong(out_error, glob, "is longer than 1,024 bytes");
    return PX_OK;
}

static px_err check_path(px_str glob, px_error *out_error)
{
    if (glob.len == 0 || (glob.ptr[0] != '/' && glob.ptr[0] != '*'))
        return wrong(out_error, glob, "is no path: it begins with / or *");
    return check_glob(glob, out_error);
}

static px_err check_host(px_str name, px_error *out_error)
{
    struct host_parts parts;

    if (px_str_equal(name, px_str_make("*", 1)))
        return PX_OK;
    if (name.len > 2 && memcmp(name.ptr, "*.", 2) == 0)
        name = px_str_make(name.ptr + 2, name.len - 2);
    if (memchr(name.ptr, '*', name.len) || !host_split(name, &parts) || parts.port >= 0)
        return wrong(out_error, name, "is no host's name (write example.org, *.example.org or *)");
    return PX_OK;
}

/* NAME or NAME=GLOB. */
static px_err check_pair(struct match_value *value, px_error *out_error)
{
    px_str text = value->glob;
    const char *equals = text.len > 0 ? memchr(text.ptr, '=', text.len) : NULL;

    value->name = equals ? px_str_make(text.ptr, (size_t)(equals - text.ptr)) : text;
    value->glob =
        equals ? px_str_make(equals + 1, text.len - value->name.len - 1) : px_str_make(NULL, 0);
    if (value->name.len == 0)
        return wrong(out_error, text, "names nothing (write NAME or NAME=GLOB)");
    return check_glob(value->glob, out_error);
}

static px_err check_value(px_match_kind kind, struct match_value *value, size_t index,
                          px_error *out_error)
{
    px_str text = value->glob;

    switch (kind) {
    case PX_MATCH_METHOD:
        return field_name_valid(text) ? PX_OK : wrong(out_error, text, "is no method");
    case PX_MATCH_PATH:
        return check_path(text, out_error);
    case PX_MATCH_HOST:
        return check_host(text, out_error);
    case PX_MATCH_SCHEME:
        if (px_str_equal(text, px_str_of("http")) || px_str_equal(text, px_str_of("https")))
            return PX_OK;
        return wrong(out_error, text, "is no scheme (write http or https)");
    case PX_MATCH_HEADER:
        if (index > 0)
            return check_glob(text, out_error);
        return field_name_valid(text) ? PX_OK : wrong(out_error, text, "is no field's name");
    case PX_MATCH_QUERY:
    case PX_MATCH_COOKIE:
        return check_pair(value, out_error);
    case PX_MATCH_CLIENT:
        return client_block_parse(text, &value->block, out_error);
    }
    return error_set(out_error, PX_ERR_INVALID, 0, "there is no such kind of line");
}

/* --- Lines ------------------------------------------------------------------------------------ */

static px_err line_add(px_matcher *matcher, struct match_line *line, px_error *out_error)
{
    CHECK(matcher->line_count <= MATCHER_LINES_MAX);
    if (matcher->line_count == MATCHER_LINES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "a matcher has at most %d lines",
                         MATCHER_LINES_MAX);
    line->next = matcher->lines;
    matcher->lines = line;
    matcher->line_count++;
    return error_clear(out_error);
}

px_err px_matcher_add(px_matcher *matcher, px_match_kind kind, const px_str *values, size_t count,
                      size_t *out_at, px_error *out_error)
{
    size_t bytes = 0;
    px_err err = PX_OK;

    if (count == 0 || count > MATCHER_VALUES_MAX)
        return error_set(out_error, count == 0 ? PX_ERR_INVALID : PX_ERR_LIMIT, 0,
                         "a line has from 1 to %d values", MATCHER_VALUES_MAX);
    for (size_t index = 0; index < count; index++)
        bytes += values[index].len + 1;
    size_t values_bytes = count * sizeof(struct match_value);
    struct match_line *line =
        alloc_take_zeroed(&matcher->allocator, sizeof(*line) + values_bytes + bytes);

    if (!line)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    char *at = (char *)line->values + values_bytes;

    line->kind = kind;
    line->count = count;
    for (size_t index = 0; index < count && err == PX_OK; index++) {
        line->values[index].glob = px_str_make(at, values[index].len);
        at = text_write_str(at, values[index]);
        *at++ = '\0';
        err = check_value(kind, &line->values[index], index, out_error);
        if (err == PX_ERR_INVALID && out_at)
            *out_at = index;
    }
    line->name = line->values[0].glob.ptr;
    if (err == PX_OK)
        err = line_add(matcher, line, out_error);
    if (err != PX_OK)
        alloc_put(&matcher->allocator, line);
    return err;
}

px_err px_matcher_add_not(px_matcher *matcher, px_matcher *inner, px_error *out_error)
{
    CHECK(matcher != inner);
    CHECK(inner->depth <= MATCHER_DEPTH_MAX);
    if (inner->depth + 1 > MATCHER_DEPTH_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "matchers are nested at most %d deep",
                         MATCHER_DEPTH_MAX);
    struct match_line *line = alloc_take_zeroed(&matcher->allocator, sizeof(*line));

    if (!line)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    line->inner = matcher_hold(inner);
    px_err err = line_add(matcher, line, out_error);

    if (err != PX_OK) {
        px_matcher_destroy(inner);
        alloc_put(&matcher->allocator, line);
        return err;
    }
    if (matcher->depth <= inner->depth)
        matcher->depth = inner->depth + 1;
    return PX_OK;
}
