/*
 * The fields of a trailer section, taken into an arena apart from those of the head.
 *
 * The section was checked when it was read (h1_body.c), so the happy path only looks for colons and
 * line ends.  Fields that must be known before the content, or that frame, route or authenticate,
 * have no business here and are dropped (RFC 9110 section 6.5.1).  It can fail for want of memory.
 */
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "http/h1/h1_body.h"
#include "http/message/trailer.h"

/* The field line from `name` to its CR: NULs go over the colon and the end of the value. */
static px_field take_line(char *name, char *colon, char *line_end)
{
    char *value = colon + 1;

    while (value < line_end && text_is_blank(*value))
        value++;
    while (line_end > value && text_is_blank(line_end[-1]))
        line_end--;
    *colon = '\0';
    *line_end = '\0';
    return (px_field){px_str_make(name, (size_t)(colon - name)),
                      px_str_make(value, (size_t)(line_end - value))};
}

px_err h1_body_trailers(const struct h1_body *body, struct arena *arena, px_field **out_fields,
                        uint32_t *out_count)
{
    size_t room = body->trailer_count * sizeof(px_field) + body->trailer.len;
    uint32_t count = 0;

    if (body->trailer_count == 0) {
        *out_fields = NULL;
        *out_count = 0;
        return PX_OK;
    }
    px_field *fields = arena_take(arena, room);

    if (!fields)
        return PX_ERR_MEMORY;

    char *at = (char *)(fields + body->trailer_count);
    char *end = at + body->trailer.len;

    memcpy(at, body->trailer.ptr, body->trailer.len);
    while (at < end) {
        char *colon = memchr(at, ':', (size_t)(end - at));
        char *line_end = colon ? memchr(colon, '\r', (size_t)(end - colon)) : NULL;

        CHECK(line_end && count < body->trailer_count);
        fields[count] = take_line(at, colon, line_end);
        if (!trailer_is_dropped(fields[count].name))
            count++;
        at = line_end + 2;
    }
    *out_fields = fields;
    *out_count = count;
    return PX_OK;
}
