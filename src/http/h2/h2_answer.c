/*
 * Fields of an answer over HTTP/2: collected in one buffer, since header blocks of a connection
 * come one after the other.
 */
#include "http/h2/h2_answer.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/number.h"
#include "http/fields/field.h"
#include "http/message/trailer.h"

px_err h2_answer_init(struct h2_answer *answer, const px_allocator *allocator,
                      const struct http_limits *limits)
{
    *answer = (struct h2_answer){.limits = limits};
    buf_init(&answer->text, allocator, limits->head_bytes_max + 2 * limits->field_count_max);
    answer->fields = alloc_take(allocator, limits->field_count_max * sizeof(px_field));
    return answer->fields ? PX_OK : PX_ERR_MEMORY;
}

void h2_answer_deinit(struct h2_answer *answer, const px_allocator *allocator)
{
    buf_deinit(&answer->text);
    alloc_put(allocator, answer->fields);
}

void h2_answer_begin(struct h2_answer *answer, bool trailers)
{
    answer->text.len = 0;
    answer->field_count = 0;
    answer->head_bytes = 0;
    answer->status = 0;
    answer->trailers = trailers;
    answer->malformed = answer->too_large = answer->regular = answer->has_length = false;
}

/* RFC 9113 section 8.3.2: one, and in front of the others. */
static void status_add(struct h2_answer *answer, px_str name, px_str value)
{
    uint64_t status;

    if (answer->trailers || answer->regular || answer->status != 0 ||
        !px_str_equal(name, px_str_make(":status", 7)) || value.len != 3 ||
        !number_read(value, 999, &status) || status < 100) {
        answer->malformed = true;
        return;
    }
    answer->status = (uint16_t)status;
}

/* RFC 9113 section 8.2: in lower case, and none that speaks of one connection. */
static bool field_is_good(px_str name, px_str value)
{
    static const char *const connection[] = {"connection", "keep-alive", "proxy-connection",
                                             "transfer-encoding", "upgrade"};

    if (!field_name_valid(name) || !field_value_valid(value))
        return false;
    for (size_t index = 0; index < name.len; index++)
        if (name.ptr[index] >= 'A' && name.ptr[index] <= 'Z')
            return false;
    for (size_t index = 0; index < ARRAY_COUNT(connection); index++)
        if (field_name_is(name, connection[index]))
            return false;
    return true;
}

/* RFC 9110 section 8.6. */
static void length_add(struct h2_answer *answer, px_str value)
{
    uint64_t length;

    if (answer->has_length || !number_read(value, INT64_MAX, &length)) {
        answer->malformed = true;
        return;
    }
    answer->has_length = true;
    answer->length = length;
}

void h2_answer_add(struct h2_answer *answer, px_str name, px_str value)
{
    const struct http_limits *limits = answer->limits;

    answer->head_bytes += (uint32_t)(name.len + value.len) + 4;
    if (name.len > 0 && name.ptr[0] == ':') {
        status_add(answer, name, value);
        return;
    }
    answer->regular = true;
    if (!field_is_good(name, value)) {
        answer->malformed = true;
        return;
    }
    if (answer->trailers && trailer_is_dropped(name))
        return;
    /* RFC 9110 section 8.6: an informational answer has none, whatever it says. */
    if (!answer->trailers && answer->status >= 200 && field_name_is(name, "content-length"))
        length_add(answer, value);
    if (answer->head_bytes > limits->head_bytes_max ||
        answer->field_count == limits->field_count_max ||
        buf_append(&answer->text, name) != PX_OK ||
        buf_append(&answer->text, px_str_make("", 1)) != PX_OK ||
        buf_append(&answer->text, value) != PX_OK ||
        buf_append(&answer->text, px_str_make("", 1)) != PX_OK) {
        answer->too_large = true;
        return;
    }
    answer->fields[answer->field_count++] = (px_field){{NULL, name.len}, {NULL, value.len}};
}

/* The text does not move any more: fields point into it. */
void h2_answer_point(struct h2_answer *answer)
{
    const char *at = answer->text.ptr;

    for (uint32_t index = 0; index < answer->field_count; index++) {
        px_field *field = &answer->fields[index];

        field->name.ptr = at;
        at += field->name.len + 1;
        field->value.ptr = at;
        at += field->value.len + 1;
    }
}
