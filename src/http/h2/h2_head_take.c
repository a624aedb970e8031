/*
 * A good head, copied once into an arena, as the HTTP/1 parser brings it.
 *
 * Happy path: one piece of memory for the fields and their text.  It can fail for want of memory.
 */
#include <string.h>

#include "http/h2/h2_head.h"
#include "http/message/trailer.h"

static px_str piece(const char *text, struct http_span span)
{
    return px_str_make(text + span.at, span.len);
}

/* "a=1; b=2" of the crumbs (RFC 9113 section 8.2.3). */
static char *crumbs_join(const struct h2_head *head, char *out, px_field *out_field)
{
    char *from = out;

    for (uint16_t index = 0; index < head->crumb_count; index++) {
        if (index > 0) {
            *out++ = ';';
            *out++ = ' ';
        }
        memcpy(out, head->text + head->crumbs[index].at, head->crumbs[index].len);
        out += head->crumbs[index].len;
    }
    *out = '\0';
    *out_field = (px_field){px_str_make("cookie", 6), px_str_make(from, (size_t)(out - from))};
    return out + 1;
}

static size_t crumbs_bytes(const struct h2_head *head)
{
    size_t bytes = 0;

    for (uint16_t index = 0; index < head->crumb_count; index++)
        bytes += head->crumbs[index].len + 2;
    return bytes;
}

/* The parts of the target, all in `text`; a path in front of a query is copied to `spare`. */
static void target_take(const struct h2_head *head, const char *text, char *spare,
                        struct http_request *request)
{
    static const px_str absent = {NULL, 0};
    px_str path = piece(text, head->pseudo[H2_PSEUDO_PATH]);

    request->authority = h2_head_has(head, H2_PSEUDO_AUTHORITY)
                             ? piece(text, head->pseudo[H2_PSEUDO_AUTHORITY])
                             : piece(text, head->host);
    request->query = absent;
    if (!h2_head_has(head, H2_PSEUDO_PATH)) {
        request->target = request->authority;
        request->raw_path = absent;
        return;
    }
    request->target = path;
    request->raw_path = path;
    if (head->path_bytes == path.len)
        return;
    memcpy(spare, path.ptr, head->path_bytes);
    spare[head->path_bytes] = '\0';
    request->raw_path = px_str_make(spare, head->path_bytes);
    request->query = px_str_make(path.ptr + head->path_bytes + 1, path.len - head->path_bytes - 1);
}

/* Fields that a request has at most: those that came, Host, Cookie, Upgrade. */
static uint32_t fields_max(const struct h2_head *head)
{
    return head->field_count + 3U;
}

size_t h2_head_bytes(const struct h2_head *head)
{
    return fields_max(head) * sizeof(px_field) + head->text_len + crumbs_bytes(head) +
           head->path_bytes + 2;
}

void h2_head_glimpse(const struct h2_head *head, struct http_glimpse *out_glimpse)
{
    px_str authority = h2_head_text(head, head->pseudo[H2_PSEUDO_AUTHORITY]);

    *out_glimpse = (struct http_glimpse){.version = 20};
    out_glimpse->method = http_glimpse_cut(h2_head_text(head, head->pseudo[H2_PSEUDO_METHOD]));
    out_glimpse->target = h2_head_has(head, H2_PSEUDO_PATH)
                              ? http_glimpse_cut(h2_head_text(head, head->pseudo[H2_PSEUDO_PATH]))
                              : http_glimpse_cut(authority);
    if (h2_head_has(head, H2_PSEUDO_AUTHORITY))
        out_glimpse->host = http_glimpse_cut(authority);
    for (uint16_t index = 0; index < head->field_count; index++)
        http_glimpse_field(out_glimpse, h2_head_text(head, head->fields[index].name),
                           h2_head_text(head, head->fields[index].value));
}

px_err h2_head_take(const struct h2_head *head, struct arena *arena,
                    struct http_request *out_request)
{
    bool add_host = !(head->said & H2_SAID_HOST) && h2_head_has(head, H2_PSEUDO_AUTHORITY);
    uint32_t count = fields_max(head);
    px_field *fields = arena_take(arena, h2_head_bytes(head));

    if (!fields)
        return PX_ERR_MEMORY;
    char *text = (char *)(fields + count);
    char *spare = text + head->text_len;

    memcpy(text, head->text, head->text_len);
    count = 0;
    if (add_host)
        fields[count++] =
            (px_field){px_str_make("host", 4), piece(text, head->pseudo[H2_PSEUDO_AUTHORITY])};
    for (uint16_t index = 0; index < head->field_count; index++) {
        fields[count].name = piece(text, head->fields[index].name);
        fields[count++].value = piece(text, head->fields[index].value);
    }
    if (head->crumb_count > 0)
        spare = crumbs_join(head, spare, &fields[count++]);
    out_request->method = piece(text, head->pseudo[H2_PSEUDO_METHOD]);
    if (head->extended) {
        /* The same handler serves it over every version: it sees what HTTP/1 would bring. */
        out_request->method = px_str_make("GET", 3);
        fields[count++] =
            (px_field){px_str_make("upgrade", 7), piece(text, head->pseudo[H2_PSEUDO_PROTOCOL])};
    }
    out_request->fields = fields;
    out_request->field_count = count;
    target_take(head, text, spare, out_request);
    return PX_OK;
}

px_err h2_head_take_trailers(const struct h2_head *head, struct arena *arena, px_field **out_fields,
                             uint32_t *out_count)
{
    px_field *fields = arena_take(arena, head->field_count * sizeof(px_field) + head->text_len + 1);
    uint32_t count = 0;

    if (!fields)
        return PX_ERR_MEMORY;
    char *text = (char *)(fields + head->field_count);

    memcpy(text, head->text, head->text_len);
    for (uint16_t index = 0; index < head->field_count; index++) {
        px_str name = piece(text, head->fields[index].name);

        if (!trailer_is_dropped(name))
            fields[count++] = (px_field){name, piece(text, head->fields[index].value)};
    }
    *out_fields = fields;
    *out_count = count;
    return PX_OK;
}
