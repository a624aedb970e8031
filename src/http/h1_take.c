/*
 * Taking a finished request head into its exchange's arena: one allocation, one copy, and then NULs
 * over the bytes that ended each piece (a blank, a colon, a CR), which nobody needs any more.
 *
 * A path in front of a query or behind an authority is copied again, since "?" must stay in the
 * target as received.  It can fail by running out of memory.
 */
#include <string.h>

#include "http/h1_parse.h"

/* The copy, which begins with the method: empty lines in front of it are left out. */
struct copy {
    char *text;
    uint32_t start; /* offset of the method in the head */
};

static inline px_str piece(struct copy copy, struct h1_span span)
{
    return px_str_make(copy.text + (span.at - copy.start), span.len);
}

static inline void end_piece(struct copy copy, struct h1_span span)
{
    copy.text[span.at - copy.start + span.len] = '\0';
}

/* Copies a piece of the target that is not its end. */
static char *piece_copy(char *to, const char *head, struct h1_span span, px_str *out_piece)
{
    memcpy(to, head + span.at, span.len);
    to[span.len] = '\0';
    *out_piece = px_str_make(to, span.len);
    return to + span.len + 1;
}

px_err h1_request_take(const struct h1_parser *parser, const char *head, struct arena *arena,
                       struct h1_request *out_request)
{
    static const px_str absent = {NULL, 0};
    uint32_t start = parser->method.at;
    uint32_t bytes = parser->head_bytes - start;
    uint32_t count = parser->field_count;
    bool absolute = parser->target_form == H1_TARGET_ABSOLUTE;
    bool path_copied = parser->query_at != 0;
    size_t room = count * sizeof(px_field) + bytes;

    if (absolute)
        room += parser->authority.len + 1;
    if (path_copied)
        room += parser->path.len + 1;

    px_field *fields = arena_take(arena, room);

    if (!fields)
        return PX_ERR_MEMORY;

    struct copy copy = {(char *)(fields + count), start};
    char *spare = copy.text + bytes;

    memcpy(copy.text, head + start, bytes);
    end_piece(copy, parser->method);
    end_piece(copy, parser->target);
    for (uint32_t i = 0; i < count; i++) {
        const struct h1_field_span *span = &parser->fields[i];

        fields[i].name = piece(copy, span->name);
        fields[i].value = piece(copy, span->value);
        end_piece(copy, span->name);
        end_piece(copy, span->value);
    }

    out_request->method = piece(copy, parser->method);
    out_request->target = piece(copy, parser->target);
    out_request->fields = fields;
    out_request->field_count = count;

    /* RFC 9112 section 3.2.2: the authority of the target wins over Host. */
    if (absolute)
        spare = piece_copy(spare, head, parser->authority, &out_request->authority);
    else if (parser->target_form == H1_TARGET_AUTHORITY)
        out_request->authority = out_request->target;
    else
        out_request->authority = parser->has_host ? piece(copy, parser->host) : absent;

    if (parser->target_form == H1_TARGET_AUTHORITY)
        out_request->raw_path = absent;
    else if (parser->path.len == 0)
        out_request->raw_path = px_str_make("/", 1); /* RFC 9110 section 4.2.3 */
    else if (path_copied)
        (void)piece_copy(spare, head, parser->path, &out_request->raw_path);
    else
        out_request->raw_path = piece(copy, parser->path);

    out_request->query = absent;
    if (parser->query_at != 0)
        out_request->query =
            piece(copy, (struct h1_span){parser->query_at, parser->target.at + parser->target.len -
                                                               parser->query_at});
    return PX_OK;
}
