/*
 * Reading Trace Context to the letter: lower case hexadecimal alone, no zero ids, one traceparent.
 */
#include "http/fields/trace_context.h"

#include <string.h>

#include "base/text.h"
#include "http/fields/field.h"

/* --- traceparent (section 3.2) ---------------------------------------------------------------- */

static bool is_hex(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

/* So many digits at a place, not all of them 0 where they are an id. */
static bool digits_read(px_str value, size_t at, size_t count, bool is_id, px_str *out_digits)
{
    bool is_zero = true;

    for (size_t i = at; i < at + count; i++) {
        if (!is_hex(value.ptr[i]))
            return false;
        is_zero = is_zero && value.ptr[i] == '0';
    }
    *out_digits = px_str_make(value.ptr + at, count);
    return !(is_id && is_zero);
}

static unsigned digit_of(char byte)
{
    return (unsigned)(byte <= '9' ? byte - '0' : byte - 'a' + 10);
}

bool trace_parent_read(px_str value, struct trace_context *out_context)
{
    struct trace_context context;
    px_str version, flags;

    if (value.len < TRACEPARENT_BYTES || value.ptr[2] != '-' || value.ptr[35] != '-' ||
        value.ptr[52] != '-' || !digits_read(value, 0, 2, false, &version) ||
        !digits_read(value, 3, TRACE_ID_BYTES, true, &context.trace_id) ||
        !digits_read(value, 36, SPAN_ID_BYTES, true, &context.parent_id) ||
        !digits_read(value, 53, 2, false, &flags))
        return false;
    /* Section 3.2.4: ff is none; a later version may have more behind another dash. */
    bool is_first = version.ptr[0] == '0' && version.ptr[1] == '0';

    if (version.ptr[0] == 'f' && version.ptr[1] == 'f')
        return false;
    if (value.len > TRACEPARENT_BYTES && (is_first || value.ptr[TRACEPARENT_BYTES] != '-'))
        return false;
    context.sampled = (digit_of(flags.ptr[1]) & 1) != 0;
    *out_context = context;
    return true;
}

bool trace_parent_find(const px_field *fields, size_t count, struct trace_context *out_context)
{
    const px_field *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!field_name_is(fields[i].name, "traceparent"))
            continue;
        if (found)
            return false;
        found = &fields[i];
    }
    return found && trace_parent_read(found->value, out_context);
}

void trace_parent_write(px_str trace_id, px_str span_id, bool sampled, char *out)
{
    out = TEXT_WRITE_LITERAL(out, "00-");
    out = text_write_str(out, trace_id);
    out = TEXT_WRITE_LITERAL(out, "-");
    out = text_write_str(out, span_id);
    if (sampled)
        TEXT_WRITE_LITERAL(out, "-01");
    else
        TEXT_WRITE_LITERAL(out, "-00");
}

/* --- tracestate (section 3.3) ----------------------------------------------------------------- */

enum { KEY_BYTES_MAX = 256, VALUE_BYTES_MAX = 256, MEMBER_BYTES_LONG = 128 };

static bool is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* A letter or a digit, and behind it "_", "-", "*", "/", "@" too, which level 1 had between the
 * names of a tenant and a system and level 2 has anywhere. */
static bool key_is_valid(px_str key)
{
    if (key.len == 0 || key.len > KEY_BYTES_MAX || !(is_lower(key.ptr[0]) || is_digit(key.ptr[0])))
        return false;
    for (size_t i = 1; i < key.len; i++)
        if (!is_lower(key.ptr[i]) && !is_digit(key.ptr[i]) && !memchr("_-*/@", key.ptr[i], 5))
            return false;
    return true;
}

/* Printable, without "," and "=", and no blank at its end. */
static bool value_is_valid(px_str value)
{
    if (value.len == 0 || value.len > VALUE_BYTES_MAX || value.ptr[value.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e || value.ptr[i] == '=')
            return false;
    return true;
}

static bool member_is_valid(px_str member)
{
    const char *equals = memchr(member.ptr, '=', member.len);
    size_t len = equals ? (size_t)(equals - member.ptr) : 0;

    return equals && key_is_valid(px_str_make(member.ptr, len)) &&
           value_is_valid(px_str_make(equals + 1, member.len - len - 1));
}

/* What is between two commas, without the blanks around it. */
static px_str member_take(px_str *rest)
{
    const char *comma = rest->len > 0 ? memchr(rest->ptr, ',', rest->len) : NULL;
    size_t len = comma ? (size_t)(comma - rest->ptr) : rest->len;
    px_str member = px_str_make(rest->ptr, len);

    *rest = px_str_make(rest->ptr + len + (comma != NULL), rest->len - len - (comma != NULL));
    while (member.len > 0 && text_is_blank(member.ptr[0]))
        member = px_str_make(member.ptr + 1, member.len - 1);
    while (member.len > 0 && text_is_blank(member.ptr[member.len - 1]))
        member.len--;
    return member;
}

/* What is left out so that the rest is no longer than is passed on: first those that are long, the
 * last of them first, then the last (section 3.3.1.5). */
static void members_fit(px_str *members, uint32_t count, size_t bytes)
{
    for (int round = 0; round < 2; round++)
        for (uint32_t i = count; i-- > 0 && bytes > TRACESTATE_BYTES_MAX + 1;)
            if (members[i].len > (round == 0 ? MEMBER_BYTES_LONG : 0)) {
                bytes -= members[i].len + 1;
                members[i].len = 0;
            }
}

size_t trace_state_join(const px_field *fields, size_t count, char *out)
{
    px_str members[TRACESTATE_MEMBERS];
    uint32_t member_count = 0;
    size_t bytes = 0; /* with a comma behind each */
    struct text text;

    for (size_t i = 0; i < count; i++) {
        px_str rest = fields[i].value;

        if (!field_name_is(fields[i].name, "tracestate"))
            continue;
        while (rest.len > 0) {
            px_str member = member_take(&rest);

            if (member.len == 0)
                continue; /* an empty one is allowed, and says nothing */
            if (!member_is_valid(member) || member_count == TRACESTATE_MEMBERS)
                return 0;
            members[member_count++] = member;
            bytes += member.len + 1;
        }
    }
    members_fit(members, member_count, bytes);
    text_init(&text, out, TRACESTATE_BYTES_MAX);
    for (uint32_t i = 0; i < member_count; i++) {
        if (members[i].len > 0 && text.len > 0)
            text_put_byte(&text, ',');
        text_put(&text, members[i]);
    }
    return text.len;
}
