/*
 * Writing events: one walk that counts, or writes.
 */
#include "realtime/event_text.h"

bool event_word_valid(px_str word)
{
    for (size_t index = 0; index < word.len; index++) {
        if (word.ptr[index] == '\r' || word.ptr[index] == '\n' || word.ptr[index] == '\0')
            return false;
    }
    return true;
}

/* Appends where `out` is not NULL; the new length. */
static size_t put(char *out, size_t at, const char *bytes, size_t len)
{
    if (out && len > 0)
        memcpy(out + at, bytes, len);
    return at + len;
}

static size_t put_line(char *out, size_t at, const char *field, px_str value)
{
    at = put(out, at, field, strlen(field));
    at = put(out, at, value.ptr, value.len);
    return put(out, at, "\n", 1);
}

/* The line at the front of `text`, which ends in CRLF, LF, CR or the text itself. */
static px_str line_take(px_str *text, bool *out_more)
{
    size_t end = 0;

    while (end < text->len && text->ptr[end] != '\n' && text->ptr[end] != '\r')
        end++;
    px_str line = px_str_make(text->ptr, end);

    *out_more = end < text->len;
    if (end + 1 < text->len && text->ptr[end] == '\r' && text->ptr[end + 1] == '\n')
        end++;
    if (*out_more)
        end++;
    *text = px_str_make(text->ptr + end, text->len - end);
    return line;
}

static size_t event_put(char *out, px_str id, px_str name, px_str data)
{
    size_t at = 0;
    bool more = true;

    if (id.ptr)
        at = put_line(out, at, "id: ", id);
    if (name.ptr)
        at = put_line(out, at, "event: ", name);
    while (more)
        at = put_line(out, at, "data: ", line_take(&data, &more));
    return put(out, at, "\n", 1);
}

size_t event_bytes(px_str id, px_str name, px_str data)
{
    return event_put(NULL, id, name, data);
}

void event_write(char *out, px_str id, px_str name, px_str data)
{
    (void)event_put(out, id, name, data);
}
