/*
 * Which heads are kept.  The comparison is in h1_repeat.h.
 *
 * A head takes the place of another only when one that is as long and has the same ends of target
 * and fields was missed right before it in that place: heads that are all different cost a look at
 * those ends and no copy.
 */
#include "http/h1/h1_repeat.h"

#include "http/fields/field.h"
#include "http/h1/h1_machine.h"

enum { END_BYTES = 8, EMPTY_LINE_BYTES = 4 };

_Static_assert(END_BYTES + EMPTY_LINE_BYTES <= REPEAT_HEAD_BYTES_MIN, "a head has its end");

/* RFC 9110 section 11.6.2, RFC 6265 section 5.4: fields that let their sender in. */
static bool has_credentials(const struct h1_parser *parser, const char *head)
{
    static const char *const names[] = {"authorization", "cookie", "proxy-authorization"};

    for (size_t index = 0; index < parser->field_count; index++) {
        struct http_span span = parser->fields[index].name;
        px_str name = px_str_make(head + span.at, span.len);

        for (size_t at = 0; at < sizeof(names) / sizeof(*names); at++)
            if (field_name_is(name, names[at]))
                return true;
    }
    return false;
}

/* The last bytes of the target and of the fields: where heads differ that are not the same. */
static uint64_t ends_of(const struct h1_parser *parser, const char *head)
{
    size_t target_end = (size_t)parser->target.at + parser->target.len;
    uint64_t target;
    uint64_t fields;

    memcpy(&target, head + (target_end < END_BYTES ? 0 : target_end - END_BYTES), END_BYTES);
    memcpy(&fields, head + parser->head_bytes - EMPTY_LINE_BYTES - END_BYTES, END_BYTES);
    return target ^ (fields << 7 | fields >> 57);
}

static void keep(struct h1_repeat *repeat, const struct h1_parser *parser, const char *head)
{
    if (has_credentials(parser, head))
        return;
    repeat->parser = *parser;
    repeat->parser.fields = repeat->spans;
    memcpy(repeat->spans, parser->fields, parser->field_count * sizeof(*parser->fields));
    memcpy(repeat->head, head, parser->head_bytes);
}

void h1_repeat_note(struct h1_repeats *repeats, const struct h1_parser *parser, const char *head)
{
    struct h1_repeat *repeat = &repeats->entries[h1_repeat_index(head)];
    uint32_t bytes = parser->head_bytes;
    uint64_t ends;

    ASSERT(parser->state == STATE_DONE && parser->role == H1_REQUEST);
    if (parser->framing != H1_FRAMING_NONE || parser->empty_lines > 0 ||
        bytes > REPEAT_HEAD_BYTES_MAX || parser->field_count > REPEAT_FIELDS_MAX)
        return;
    ends = ends_of(parser, head);
    if (ends == repeat->missed_ends && bytes == repeat->missed_bytes)
        keep(repeat, parser, head);
    repeat->missed_ends = ends;
    repeat->missed_bytes = bytes;
}

void h1_repeats_check(const struct h1_repeats *repeats)
{
    for (size_t index = 0; index < REPEATS; index++) {
        const struct h1_repeat *repeat = &repeats->entries[index];

        if (repeat->parser.head_bytes == 0)
            continue;
        ASSERT(repeat->parser.fields == repeat->spans);
        ASSERT(repeat->parser.state == STATE_DONE && repeat->parser.framing == H1_FRAMING_NONE);
        ASSERT(h1_repeat_index(repeat->head) == index);
        h1_parser_check(&repeat->parser);
        ASSERT(!has_credentials(&repeat->parser, repeat->head));
    }
}
