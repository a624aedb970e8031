/*
 * Parsing patterns and comparing them.  See pattern.h for what a pattern is.
 *
 * The comparison is the definition of Go 1.22: segment by segment, each pair is equal, more
 * general, more specific or disjoint, and the pairs are combined as sets of sequences are.
 */
#include "route/pattern.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/number.h"
#include "http/message/host.h"
#include "http/scan/scan.h"

enum { SHOWN_BYTES_MAX = 100 };

static const px_str method_names[ROUTE_METHOD_COUNT] = {
    [METHOD_OTHER] = {NULL, 0},        [METHOD_GET] = {"GET", 3},
    [METHOD_HEAD] = {"HEAD", 4},       [METHOD_POST] = {"POST", 4},
    [METHOD_PUT] = {"PUT", 3},         [METHOD_DELETE] = {"DELETE", 6},
    [METHOD_CONNECT] = {"CONNECT", 7}, [METHOD_OPTIONS] = {"OPTIONS", 7},
    [METHOD_TRACE] = {"TRACE", 5},     [METHOD_PATCH] = {"PATCH", 5},
};

/* A pattern being parsed. */
struct parse {
    px_str text; /* the arena's copy */
    size_t at;
    struct arena *arena;
    px_error *error;
};

uint8_t pattern_method_id(px_str method)
{
    for (uint8_t id = METHOD_GET; id < ROUTE_METHOD_COUNT; id++)
        if (px_str_equal(method, method_names[id]))
            return id;
    return METHOD_OTHER;
}

px_str pattern_method_name(uint8_t method_id)
{
    return method_names[method_id];
}

ptrdiff_t pattern_decode(const char *raw, size_t len, char *buf, size_t buf_bytes)
{
    size_t written = 0;

    for (size_t at = 0; at < len; at++) {
        char c = raw[at];

        if (written == buf_bytes)
            return -1;
        if (c == '%') {
            if (len - at < 3 || number_hex_digit(raw[at + 1]) < 0 ||
                number_hex_digit(raw[at + 2]) < 0)
                return -1;
            c = (char)(number_hex_digit(raw[at + 1]) * 16 + number_hex_digit(raw[at + 2]));
            at += 2;
        }
        buf[written++] = c;
    }
    return (ptrdiff_t)written;
}

/* The text as one line of printable bytes, cut to a length that leaves room for the reason. */
void pattern_show(px_str text, char *buf, size_t buf_bytes)
{
    size_t at = 0;

    for (; at < text.len && at + 4 < buf_bytes; at++)
        buf[at] = (uint8_t)text.ptr[at] < ' ' || text.ptr[at] == 0x7f ? '?' : text.ptr[at];
    if (at < text.len) {
        memcpy(buf + at, "...", 3);
        at += 3;
    }
    buf[at] = '\0';
}

/* `at` is where the reader should look, from 0. */
static px_err refuse(const struct parse *parse, px_err code, size_t at, const char *reason)
{
    char shown[SHOWN_BYTES_MAX];

    pattern_show(parse->text, shown, sizeof(shown));
    return error_set(parse->error, code, 0, "pattern \"%s\": %s, at byte %zu", shown, reason,
                     at + 1);
}

static px_err out_of_memory(const struct parse *parse)
{
    return error_set(parse->error, PX_ERR_MEMORY, 0, "no memory for a route");
}

/* RFC 9110 section 9.1: a token, in exactly this case. */
static px_err parse_method(struct parse *parse, struct pattern *pattern)
{
    size_t len = 0;

    while (len < parse->text.len && parse->text.ptr[len] != ' ' && parse->text.ptr[len] != '\t')
        len++;
    pattern->method = px_str_make(NULL, 0);
    pattern->method_id = METHOD_OTHER;
    if (len == parse->text.len)
        return PX_OK;
    for (size_t at = 0; at < len; at++)
        if (!(char_class[(uint8_t)parse->text.ptr[at]] & CHAR_TOKEN))
            return refuse(parse, PX_ERR_INVALID, at, "the method is not a token");
    if (len == 0)
        return refuse(parse, PX_ERR_INVALID, 0,
                      "a blank where the method or the path should begin");
    if (len > METHOD_BYTES_MAX)
        return refuse(parse, PX_ERR_INVALID, METHOD_BYTES_MAX, "the method is too long");
    pattern->method = px_str_make(parse->text.ptr, len);
    pattern->method_id = pattern_method_id(pattern->method);
    while (len < parse->text.len && (parse->text.ptr[len] == ' ' || parse->text.ptr[len] == '\t'))
        len++;
    parse->at = len;
    return PX_OK;
}

/* Host names compare without regard to case (RFC 3986 section 3.2.2): they are kept in lower case.
 */
static px_err parse_host(struct parse *parse, struct pattern *pattern)
{
    const char *from = parse->text.ptr + parse->at;
    size_t left = parse->text.len - parse->at;
    const char *slash = left > 0 ? memchr(from, '/', left) : NULL;
    struct host_parts parts;

    pattern->host = px_str_make(NULL, 0);
    if (!slash)
        return refuse(parse, PX_ERR_INVALID, parse->at, "there is no path: a \"/\" is missing");
    if (slash == from)
        return PX_OK;
    if (memchr(from, '{', (size_t)(slash - from)))
        return refuse(parse, PX_ERR_INVALID, parse->at,
                      "a wildcard in the host (is the first \"/\" missing?)");
    if (memchr(from, ':', (size_t)(slash - from)) && *from != '[')
        return refuse(parse, PX_ERR_INVALID, parse->at,
                      "the host has a port, which is not compared");
    if (!host_split(px_str_make(from, (size_t)(slash - from)), &parts))
        return refuse(parse, PX_ERR_INVALID, parse->at, "the host is not one");
    if (slash[-1] != ']' && *from == '[')
        return refuse(parse, PX_ERR_INVALID, parse->at,
                      "the host has a port, which is not compared");

    size_t len = parts.host.len;

    if (!parts.ipv6 && len > 1 && parts.host.ptr[len - 1] == '.')
        len--;
    if (len > ROUTE_SEGMENT_BYTES_MAX)
        return refuse(parse, PX_ERR_LIMIT, parse->at, "a host longer than ROUTE_SEGMENT_BYTES_MAX");
    char *copy = arena_take_text(parse->arena, len);

    if (!copy)
        return out_of_memory(parse);
    for (size_t at = 0; at < len; at++) {
        char c = parts.host.ptr[at];

        copy[at] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    pattern->host = px_str_make(copy, len);
    parse->at = (size_t)(slash - parse->text.ptr);
    return PX_OK;
}

static bool name_valid(px_str name)
{
    for (size_t at = 0; at < name.len; at++) {
        char c = name.ptr[at];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && !(at > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 0;
}

/* `{name}`, `{name...}` or `{$}`.  `last`: no slash follows. */
static px_err parse_wild(struct parse *parse, struct pattern *pattern,
                         struct pattern_segment *segment, bool last)
{
    px_str raw = segment->raw;
    size_t at = (size_t)(raw.ptr - parse->text.ptr);

    if (raw.ptr[0] != '{' || memchr(raw.ptr, '}', raw.len) != raw.ptr + raw.len - 1)
        return refuse(parse, PX_ERR_INVALID, at, "a wildcard is a whole segment, as in /{name}/");
    segment->kind = SEGMENT_WILD;
    segment->text = px_str_make(raw.ptr + 1, raw.len - 2);
    if (px_str_equal(segment->text, px_str_make("$", 1))) {
        segment->kind = SEGMENT_SLASH;
        segment->text = px_str_make(NULL, 0);
        return last ? PX_OK : refuse(parse, PX_ERR_INVALID, at, "{$} is not at the end");
    }
    if (segment->text.len >= 3 && memcmp(raw.ptr + raw.len - 4, "...", 3) == 0) {
        segment->kind = SEGMENT_REST;
        segment->text.len -= 3;
        if (!last)
            return refuse(parse, PX_ERR_INVALID, at, "a {name...} is not at the end");
    }
    if (!name_valid(segment->text))
        return refuse(parse, PX_ERR_INVALID, at + 1,
                      "a wildcard's name is letters, digits and \"_\", and does not begin with a "
                      "digit");
    for (const struct pattern_segment *other = pattern->segments; other < segment; other++)
        if (other->kind == SEGMENT_WILD && px_str_equal(other->text, segment->text))
            return refuse(parse, PX_ERR_INVALID, at + 1, "a wildcard's name is there twice");
    if (pattern->param_count == ROUTE_PARAMS_MAX)
        return refuse(parse, PX_ERR_LIMIT, at, "more wildcards than ROUTE_PARAMS_MAX");
    pattern->param_count++;
    return PX_OK;
}

static px_err parse_literal(struct parse *parse, struct pattern_segment *segment)
{
    px_str raw = segment->raw;
    size_t at = (size_t)(raw.ptr - parse->text.ptr);

    segment->kind = SEGMENT_LITERAL;
    if (raw.len == 0)
        return refuse(parse, PX_ERR_INVALID, at, "an empty segment, which no cleaned path has");
    if ((raw.len == 1 && raw.ptr[0] == '.') || (raw.len == 2 && memcmp(raw.ptr, "..", 2) == 0))
        return refuse(parse, PX_ERR_INVALID, at, "a dot segment, which no cleaned path has");
    for (size_t index = 0; index < raw.len; index++) {
        char c = raw.ptr[index];

        if ((uint8_t)c <= ' ' || c == 0x7f || c == '?' || c == '#' || c == '}')
            return refuse(parse, PX_ERR_INVALID, at + index,
                          c == '}' ? "a \"}\" without a \"{\"" : "a byte that no path has");
        if (c == '%' && (raw.len - index < 3 || number_hex_digit(raw.ptr[index + 1]) < 0 ||
                         number_hex_digit(raw.ptr[index + 2]) < 0))
            return refuse(parse, PX_ERR_INVALID, at + index, "a \"%\" without two digits");
    }
    char *decoded = arena_take_text(parse->arena, raw.len);

    if (!decoded)
        return out_of_memory(parse);
    ptrdiff_t len = pattern_decode(raw.ptr, raw.len, decoded, raw.len);

    if (len > ROUTE_SEGMENT_BYTES_MAX)
        return refuse(parse, PX_ERR_LIMIT, at, "a segment longer than ROUTE_SEGMENT_BYTES_MAX");
    segment->text = px_str_make(decoded, (size_t)len);
    return PX_OK;
}

static px_err parse_path(struct parse *parse, struct pattern *pattern)
{
    px_str text = parse->text;
    size_t count = 0;

    for (size_t at = parse->at; at < text.len; at++)
        count += text.ptr[at] == '/';
    if (count > ROUTE_SEGMENTS_MAX)
        return refuse(parse, PX_ERR_LIMIT, parse->at, "more segments than ROUTE_SEGMENTS_MAX");
    pattern->segments = arena_take(parse->arena, count * sizeof(*pattern->segments));
    if (!pattern->segments)
        return out_of_memory(parse);
    pattern->segment_count = 0;
    pattern->param_count = 0;
    while (parse->at < text.len) {
        struct pattern_segment *segment = &pattern->segments[pattern->segment_count++];
        const char *from = text.ptr + parse->at + 1;
        size_t left = text.len - parse->at - 1;
        const char *slash = left > 0 ? memchr(from, '/', left) : NULL;
        px_err err = PX_OK;

        segment->raw = px_str_make(from, slash ? (size_t)(slash - from) : left);
        segment->text = px_str_make(NULL, 0);
        segment->kind = SEGMENT_REST;
        if (left > 0 && memchr(from, '{', segment->raw.len))
            err = parse_wild(parse, pattern, segment, !slash);
        else if (left > 0)
            err = parse_literal(parse, segment);
        if (err != PX_OK)
            return err;
        parse->at += 1 + segment->raw.len;
    }
    return PX_OK;
}

px_err pattern_parse(px_str text, struct arena *arena, struct pattern *out_pattern,
                     px_error *out_error)
{
    struct parse parse = {.text = text, .arena = arena, .error = out_error};
    struct pattern pattern;

    if (text.len == 0)
        return refuse(&parse, PX_ERR_INVALID, 0, "it is empty");
    if (text.len > ROUTE_PATTERN_BYTES_MAX)
        return refuse(&parse, PX_ERR_LIMIT, 0, "longer than ROUTE_PATTERN_BYTES_MAX");
    parse.text = arena_copy(arena, text);
    if (!parse.text.ptr)
        return out_of_memory(&parse);
    pattern.text = parse.text;

    px_err err = parse_method(&parse, &pattern);

    if (err == PX_OK)
        err = parse_host(&parse, &pattern);
    if (err == PX_OK)
        err = parse_path(&parse, &pattern);
    if (err != PX_OK)
        return err;
    *out_pattern = pattern;
    return error_clear(out_error);
}

static enum pattern_relation combine(enum pattern_relation first, enum pattern_relation second)
{
    if (first == PATTERN_DISJOINT || second == PATTERN_DISJOINT)
        return PATTERN_DISJOINT;
    if (first == PATTERN_EQUAL || first == second)
        return second;
    return second == PATTERN_EQUAL ? first : PATTERN_OVERLAP;
}

static enum pattern_relation compare_methods(const struct pattern *left,
                                             const struct pattern *right)
{
    if (px_str_equal(left->method, right->method))
        return PATTERN_EQUAL;
    /* A tunnel is not what a pattern without a method was written for: CONNECT must be named. */
    if (!left->method.ptr)
        return right->method_id == METHOD_CONNECT ? PATTERN_DISJOINT : PATTERN_MORE_GENERAL;
    if (!right->method.ptr)
        return left->method_id == METHOD_CONNECT ? PATTERN_DISJOINT : PATTERN_MORE_SPECIFIC;
    if (left->method_id == METHOD_GET && right->method_id == METHOD_HEAD)
        return PATTERN_MORE_GENERAL;
    if (left->method_id == METHOD_HEAD && right->method_id == METHOD_GET)
        return PATTERN_MORE_SPECIFIC;
    return PATTERN_DISJOINT;
}

static enum pattern_relation compare_segments(const struct pattern_segment *left,
                                              const struct pattern_segment *right)
{
    if (left->kind == right->kind) {
        if (left->kind != SEGMENT_LITERAL || px_str_equal(left->text, right->text))
            return PATTERN_EQUAL;
        return PATTERN_DISJOINT;
    }
    if (left->kind == SEGMENT_REST)
        return PATTERN_MORE_GENERAL;
    if (right->kind == SEGMENT_REST)
        return PATTERN_MORE_SPECIFIC;
    /* A wildcard is a segment that is not empty, and what {$} matches is none. */
    if (left->kind == SEGMENT_SLASH || right->kind == SEGMENT_SLASH)
        return PATTERN_DISJOINT;
    return left->kind == SEGMENT_WILD ? PATTERN_MORE_GENERAL : PATTERN_MORE_SPECIFIC;
}

static bool ends_in_rest(const struct pattern *pattern)
{
    return pattern->segments[pattern->segment_count - 1].kind == SEGMENT_REST;
}

static enum pattern_relation compare_paths(const struct pattern *left, const struct pattern *right)
{
    enum pattern_relation relation = PATTERN_EQUAL;
    uint8_t common =
        left->segment_count < right->segment_count ? left->segment_count : right->segment_count;

    for (uint8_t index = 0; index < common && relation != PATTERN_DISJOINT; index++)
        relation =
            combine(relation, compare_segments(&left->segments[index], &right->segments[index]));
    if (left->segment_count == right->segment_count)
        return relation;
    if (left->segment_count < right->segment_count)
        return ends_in_rest(left) ? combine(relation, PATTERN_MORE_GENERAL) : PATTERN_DISJOINT;
    return ends_in_rest(right) ? combine(relation, PATTERN_MORE_SPECIFIC) : PATTERN_DISJOINT;
}

enum pattern_relation pattern_compare(const struct pattern *left, const struct pattern *right)
{
    if (!px_str_equal(left->host, right->host)) {
        if (left->host.ptr && right->host.ptr)
            return PATTERN_DISJOINT;
        return left->host.ptr ? PATTERN_MORE_SPECIFIC : PATTERN_MORE_GENERAL;
    }
    enum pattern_relation methods = compare_methods(left, right);

    if (methods == PATTERN_DISJOINT)
        return methods;
    return combine(methods, compare_paths(left, right));
}

/* What may stand at `index` of a path that both match: a literal if either has one. */
static px_str example_segment(const struct pattern *left, const struct pattern *right,
                              uint8_t index)
{
    const struct pattern *both[] = {left, right};
    px_str found = px_str_make("", 0);

    for (int side = 0; side < 2; side++) {
        if (index >= both[side]->segment_count)
            continue;
        const struct pattern_segment *segment = &both[side]->segments[index];

        if (segment->kind == SEGMENT_LITERAL)
            return segment->raw;
        if (segment->kind == SEGMENT_WILD)
            found = segment->text;
    }
    return found;
}

void pattern_example(const struct pattern *left, const struct pattern *right, char *buf,
                     size_t buf_bytes)
{
    uint8_t count =
        left->segment_count > right->segment_count ? left->segment_count : right->segment_count;
    size_t at = 0;

    for (uint8_t index = 0; index < count; index++) {
        px_str segment = example_segment(left, right, index);

        for (size_t byte = 0; byte <= segment.len && at + 1 < buf_bytes; byte++)
            buf[at++] = byte == 0 ? '/' : segment.ptr[byte - 1];
    }
    buf[at] = '\0';
}
