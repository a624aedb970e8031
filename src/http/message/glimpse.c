/*
 * A glimpse of a request.
 */
#include "http/message/glimpse.h"

#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "http/fields/field.h"

px_str http_glimpse_cut(px_str text)
{
    return text.len > GLIMPSE_BYTES_MAX ? px_str_make(text.ptr, GLIMPSE_BYTES_MAX) : text;
}

void http_glimpse_field(struct http_glimpse *glimpse, px_str name, px_str value)
{
    static const char *const logged[] = {"Host", "User-Agent", "Referer", "Forwarded",
                                         "X-Forwarded-For"};

    for (size_t i = 0; i < ARRAY_COUNT(logged); i++) {
        if (!field_name_is(name, logged[i]))
            continue;
        if (i == 0 && !glimpse->host.ptr)
            glimpse->host = http_glimpse_cut(value);
        if (glimpse->field_count == GLIMPSE_FIELDS_MAX)
            glimpse->fields_cut = true;
        else
            glimpse->fields[glimpse->field_count++] = (px_field){name, http_glimpse_cut(value)};
        return;
    }
}

/* Takes a line off the front, without its end.  A line may be the last, and not whole. */
static px_str line_take(px_str *text)
{
    const char *end = memchr(text->ptr, '\n', text->len);
    size_t len = end ? (size_t)(end - text->ptr) : text->len;
    px_str line = px_str_make(text->ptr, len);

    len += end != NULL;
    *text = px_str_make(text->ptr + len, text->len - len);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* " HTTP/1.1" at the end of a request line, where it is there. */
static size_t version_at(px_str line)
{
    size_t at = line.len;

    while (at > 0 && !text_is_blank(line.ptr[at - 1]))
        at--;
    if (at == 0 || line.len - at < 5 || memcmp(line.ptr + at, "HTTP/", 5) != 0)
        return line.len;
    return at;
}

static void read_line(px_str line, struct http_glimpse *glimpse)
{
    size_t method_end = 0, at, end = version_at(line);

    glimpse->version = 11;
    if (end < line.len && line.len - end == 8 && memcmp(line.ptr + end, "HTTP/1.0", 8) == 0)
        glimpse->version = 10;
    while (method_end < end && !text_is_blank(line.ptr[method_end]))
        method_end++;
    at = method_end;
    while (at < end && text_is_blank(line.ptr[at]))
        at++;
    while (end > at && text_is_blank(line.ptr[end - 1]))
        end--;
    glimpse->line = http_glimpse_cut(line);
    glimpse->method = http_glimpse_cut(px_str_make(line.ptr, method_end));
    if (at < end)
        glimpse->target = http_glimpse_cut(px_str_make(line.ptr + at, end - at));
}

void http_glimpse_read(px_str head, struct http_glimpse *out_glimpse)
{
    px_str line = {NULL, 0};

    *out_glimpse = (struct http_glimpse){.version = 11};
    /* Empty lines before a request are skipped in silence. */
    while (line.len == 0 && head.len > 0)
        line = line_take(&head);
    if (line.len == 0)
        return;
    read_line(line, out_glimpse);
    while (head.len > 0) {
        line = line_take(&head);
        if (line.len == 0)
            return;
        const char *colon = memchr(line.ptr, ':', line.len);
        size_t name_len = colon ? (size_t)(colon - line.ptr) : 0;

        if (colon)
            http_glimpse_field(
                out_glimpse, field_trim(px_str_make(line.ptr, name_len)),
                field_trim(px_str_make(line.ptr + name_len + 1, line.len - name_len - 1)));
    }
}
