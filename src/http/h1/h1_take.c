/*
 * Taking a finished head into an arena: one allocation, one copy, and then NULs
 * over the bytes that ended each piece (a blank, a colon, a CR), which are not needed any more.
 *
 * A path in front of a query or behind an authority is copied again, since "?" must stay in the
 * target as received.  It can fail by running out of memory.
 */
#include <string.h>

#include "http/h1/h1_parse.h"

static inline px_str piece(char *text, struct http_span span)
{
    return px_str_make(text + span.at, span.len);
}

static inline void end_piece(char *text, struct http_span span)
{
    text[(size_t)span.at + span.len] = '\0';
}

static inline void fields_take(const struct h1_parser *parser, char *text, px_field *fields)
{
    for (size_t index = 0; index < parser->field_count; index++) {
        struct http_field_span span = parser->fields[index];

        fields[index].name = piece(text, span.name);
        fields[index].value = piece(text, span.value);
        end_piece(text, span.name);
        end_piece(text, span.value);
    }
}

/* Copies a piece of the target that is not its end. */
static char *piece_copy(char *to, const char *head, struct http_span span, px_str *out_piece)
{
    memcpy(to, head + span.at, span.len);
    to[span.len] = '\0';
    *out_piece = px_str_make(to, span.len);
    return to + span.len + 1;
}

px_err h1_request_take(const struct h1_parser *parser, const char *head, struct arena *arena,
                       struct http_request *out_request)
{
    static const px_str absent = {NULL, 0};
    size_t bytes = parser->head_bytes;
    size_t count = parser->field_count;
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

    char *text = (char *)(fields + count);
    char *spare = text + bytes;

    memcpy(text, head, bytes);
    end_piece(text, parser->method);
    end_piece(text, parser->target);
    fields_take(parser, text, fields);

    out_request->method = piece(text, parser->method);
    out_request->target = piece(text, parser->target);
    out_request->fields = fields;
    out_request->field_count = (uint32_t)count;

    /* RFC 9112 section 3.2.2: the authority of the target wins over Host. */
    if (absolute)
        spare = piece_copy(spare, head, parser->authority, &out_request->authority);
    else if (parser->target_form == H1_TARGET_AUTHORITY)
        out_request->authority = out_request->target;
    else
        out_request->authority = (parser->seen & H1_SEEN_HOST) ? piece(text, parser->host) : absent;

    if (parser->target_form == H1_TARGET_AUTHORITY)
        out_request->raw_path = absent;
    else if (parser->path.len == 0)
        out_request->raw_path = px_str_make("/", 1); /* RFC 9110 section 4.2.3 */
    else if (path_copied)
        (void)piece_copy(spare, head, parser->path, &out_request->raw_path);
    else
        out_request->raw_path = piece(text, parser->path);

    out_request->query = absent;
    if (parser->query_at != 0)
        out_request->query = piece(
            text, (struct http_span){parser->query_at,
                                     parser->target.at + parser->target.len - parser->query_at});
    return PX_OK;
}

px_err h1_response_take(const struct h1_parser *parser, const char *head, struct arena *arena,
                        struct http_response *out_response)
{
    size_t bytes = parser->head_bytes;
    size_t count = parser->field_count;
    px_field *fields = arena_take(arena, count * sizeof(px_field) + bytes);

    if (!fields)
        return PX_ERR_MEMORY;

    char *text = (char *)(fields + count);

    memcpy(text, head, bytes);
    fields_take(parser, text, fields);
    end_piece(text, parser->reason_phrase);
    *out_response = (struct http_response){
        .reason = piece(text, parser->reason_phrase),
        .fields = fields,
        .length = parser->content_length,
        .field_count = (uint32_t)count,
        .status = parser->response_status,
        .kind = (uint8_t)http_response_kind_of(parser->response_status),
        .major = 1,
        .minor = parser->minor_version,
        .has_length = (parser->seen & H1_SEEN_CONTENT_LENGTH),
        .has_upgrade =
            (parser->seen & H1_SEEN_UPGRADE) && (parser->seen & H1_SEEN_CONNECTION_UPGRADE),
    };
    return PX_OK;
}
