/*
 * Reading Accept-Encoding and Accept.
 */
#include "http/fields/accept.h"

#include <string.h>

#include "http/fields/field.h"

px_str coding_name(enum coding coding)
{
    static const char *const names[CODING_COUNT] = {"identity", "gzip", "br", "zstd"};

    return px_str_of(names[coding]);
}

px_str coding_suffix(enum coding coding)
{
    static const char *const suffixes[CODING_COUNT] = {"", ".gz", ".br", ".zst"};

    return px_str_of(suffixes[coding]);
}

/* qvalue (RFC 9110 section 12.4.2): "0" or "1", with up to three decimals. */
static bool weight_parse(px_str text, uint16_t *out_weight)
{
    uint32_t weight = 0;
    uint32_t unit = WEIGHT_MAX;

    if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1') ||
        (text.len > 1 && text.ptr[1] != '.'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (i == 1)
            continue;
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        weight += (uint32_t)(text.ptr[i] - '0') * unit;
        unit /= 10;
    }
    if (weight > WEIGHT_MAX)
        return false;
    *out_weight = (uint16_t)weight;
    return true;
}

/* Splits an element into what stands before its parameters and its weight; false when malformed.
 * `out_plain`: there are no parameters but the weight. */
static bool element_split(px_str element, px_str *out_name, uint16_t *out_weight, bool *out_plain)
{
    const char *semicolon = memchr(element.ptr, ';', element.len);
    struct field_param param;
    bool weighed = false;
    px_err err;

    *out_weight = WEIGHT_MAX;
    *out_plain = true;
    *out_name = element;
    if (!semicolon)
        return true;
    size_t len = (size_t)(semicolon - element.ptr);
    px_str params = px_str_make(semicolon, element.len - len);

    *out_name = field_trim(px_str_make(element.ptr, len));
    while ((err = field_param_next(&params, &param)) == PX_OK) {
        if (!field_name_is(param.name, "q"))
            *out_plain = false;
        else if (weighed || param.quoted || !weight_parse(param.value, out_weight))
            return false;
        else
            weighed = true;
    }
    return err == PX_ERR_NOT_FOUND;
}

/* --- Codings -------------------------------------------------------------------------------- */

void accept_coding_init(struct accept_coding *accept)
{
    *accept = (struct accept_coding){0};
}

static enum coding coding_of(px_str name)
{
    for (uint32_t coding = 0; coding < CODING_COUNT; coding++) {
        if (field_text_equal(name, coding_name((enum coding)coding)))
            return (enum coding)coding;
    }
    /* RFC 9110 section 8.4.1.3. */
    return field_name_is(name, "x-gzip") ? CODING_GZIP : CODING_COUNT;
}

void accept_coding_add(struct accept_coding *accept, px_str value)
{
    px_str element;

    accept->present = true;
    while (field_list_next(&value, &element)) {
        px_str name;
        uint16_t weight;
        bool plain;

        if (!element_split(element, &name, &weight, &plain))
            continue;
        if (field_name_is(name, "*")) {
            if (!accept->any_listed)
                accept->any = weight;
            accept->any_listed = true;
            continue;
        }
        enum coding coding = coding_of(name);

        if (coding == CODING_COUNT || (accept->named & 1U << coding))
            continue;
        accept->weights[coding] = weight;
        accept->named |= (uint8_t)(1U << coding);
    }
}

void accept_coding_read(struct accept_coding *accept, const px_field *fields, size_t count)
{
    accept_coding_init(accept);
    for (size_t i = 0; i < count; i++) {
        if (field_name_is(fields[i].name, "accept-encoding"))
            accept_coding_add(accept, fields[i].value);
    }
}

uint32_t accept_coding_weight(const struct accept_coding *accept, enum coding coding)
{
    if (accept->named & 1U << coding)
        return accept->weights[coding];
    if (accept->any_listed)
        return accept->any;
    /* It need not be listed to be acceptable, and is then the least of all. */
    return coding == CODING_IDENTITY ? 1 : 0;
}

/* Whether `left` goes before `right`. */
static bool coding_before(const struct accept_coding *accept, enum coding left, enum coding right)
{
    uint32_t weight = accept_coding_weight(accept, left);
    uint32_t other = accept_coding_weight(accept, right);
    bool named = (accept->named & 1U << left) != 0;
    bool other_named = (accept->named & 1U << right) != 0;

    if (weight != other)
        return weight > other;
    if (named != other_named)
        return named;
    return named ? left > right : left < right;
}

uint32_t accept_coding_order(const struct accept_coding *accept, uint32_t offered,
                             enum coding out_codings[CODING_COUNT])
{
    uint32_t identity = accept_coding_weight(accept, CODING_IDENTITY);
    uint32_t count = 0;

    for (uint32_t coding = CODING_GZIP; coding < CODING_COUNT; coding++) {
        uint32_t weight = accept_coding_weight(accept, (enum coding)coding);
        uint32_t at = count;

        if (!(offered & 1U << coding) || weight == 0 || weight < identity)
            continue;
        for (; at > 0 && coding_before(accept, (enum coding)coding, out_codings[at - 1]); at--)
            out_codings[at] = out_codings[at - 1];
        out_codings[at] = (enum coding)coding;
        count++;
    }
    return count;
}

/* --- Media types ---------------------------------------------------------------------------- */

void accept_type_init(struct accept_type *accept, const char *type, const char *subtype)
{
    *accept = (struct accept_type){.type = px_str_of(type), .subtype = px_str_of(subtype)};
}

/* How precisely a media range names the type: 0 when it does not.  Our types have no parameters, so
 * that a range with some is the weaker claim. */
static uint8_t range_precision(const struct accept_type *accept, px_str range, bool plain)
{
    const char *slash = range.len > 0 ? memchr(range.ptr, '/', range.len) : NULL;

    if (!slash)
        return 0;
    px_str type = px_str_make(range.ptr, (size_t)(slash - range.ptr));
    px_str subtype = px_str_make(slash + 1, range.len - type.len - 1);
    bool any_subtype = field_name_is(subtype, "*");

    if (field_name_is(type, "*"))
        return any_subtype ? 1 : 0;
    if (!field_text_equal(type, accept->type))
        return 0;
    if (any_subtype)
        return 2;
    return field_text_equal(subtype, accept->subtype) ? (plain ? 4 : 3) : 0;
}

void accept_type_add(struct accept_type *accept, px_str value)
{
    px_str element;

    accept->present = true;
    while (field_list_next(&value, &element)) {
        px_str range;
        uint16_t weight;
        bool plain;

        if (!element_split(element, &range, &weight, &plain))
            continue;
        uint8_t precision = range_precision(accept, range, plain);

        if (precision > accept->precision) {
            accept->precision = precision;
            accept->weight = weight;
        }
    }
}

void accept_type_read(struct accept_type *accept, const px_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (field_name_is(fields[i].name, "accept"))
            accept_type_add(accept, fields[i].value);
    }
}

uint32_t accept_type_weight(const struct accept_type *accept)
{
    return accept->present ? accept->weight : WEIGHT_MAX;
}
