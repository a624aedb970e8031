/*
 * Conditional requests: the fields are found in one pass, and looked at when they are there.
 */
#include "http/fields/conditional.h"

#include "http/fields/date.h"
#include "http/fields/etag.h"
#include "http/fields/field.h"

/* The bit of a field's name, 0 for all others.  The length tells nearly all of them apart. */
static unsigned conditional_bit(px_str name)
{
    switch (name.len) {
    case 5:
        return field_name_is(name, "range") ? CONDITIONAL_RANGE : 0;
    case 8:
        if (field_name_is(name, "if-match"))
            return CONDITIONAL_IF_MATCH;
        return field_name_is(name, "if-range") ? CONDITIONAL_IF_RANGE : 0;
    case 13:
        return field_name_is(name, "if-none-match") ? CONDITIONAL_IF_NONE_MATCH : 0;
    case 17:
        return field_name_is(name, "if-modified-since") ? CONDITIONAL_IF_MODIFIED_SINCE : 0;
    case 19:
        return field_name_is(name, "if-unmodified-since") ? CONDITIONAL_IF_UNMODIFIED_SINCE : 0;
    }
    return 0;
}

void conditional_init(struct conditional *conditional, const px_field *fields, uint32_t count)
{
    *conditional = (struct conditional){fields, count, 0, 0};
    for (uint32_t i = 0; i < count; i++) {
        unsigned bit = conditional_bit(fields[i].name);

        conditional->twice |= conditional->seen & bit;
        conditional->seen |= bit;
    }
}

static px_str conditional_value(const struct conditional *conditional, unsigned bit)
{
    for (uint32_t i = 0; i < conditional->field_count; i++)
        if (conditional_bit(conditional->fields[i].name) == bit)
            return conditional->fields[i].value;
    return px_str_make(NULL, 0);
}

/* Whether a list has the tag of `etag` in one of its coded forms, by the strong comparison. */
static bool list_has_coded(px_str list, px_str etag)
{
    px_str opaque;
    bool weak;

    while (etag_list_next(&list, &weak, &opaque))
        if (!weak && etag_is_coded(opaque, etag))
            return true;
    return false;
}

/* Whether the tag lists of that name have ours; "*" stands for whatever there is. */
static bool tags_match(const struct conditional *conditional, unsigned bit,
                       const struct validators *validators)
{
    bool strong = bit == CONDITIONAL_IF_MATCH; /* RFC 9110 sections 13.1.1 and 13.1.2 */

    for (uint32_t i = 0; i < conditional->field_count; i++) {
        const px_field *field = &conditional->fields[i];

        if (conditional_bit(field->name) != bit)
            continue;
        if (field_name_is(field_trim(field->value), "*") ||
            etag_list_has(field->value, validators->etag, strong))
            return true;
        /* The client names the version that it has, of which we gave it a coded form.  Whether it
         * has that one already (If-None-Match) is for what codes. */
        if (strong && validators->coded && list_has_coded(field->value, validators->etag))
            return true;
    }
    return false;
}

/* The date in a field of which there is one. */
static bool date_of(const struct conditional *conditional, unsigned bit, int64_t now,
                    int64_t *out_date)
{
    if (!(conditional->seen & bit) || (conditional->twice & bit))
        return false;
    return date_parse(conditional_value(conditional, bit), now, out_date) == PX_OK;
}

enum conditional_result conditional_evaluate(const struct conditional *conditional,
                                             const struct validators *validators, int64_t now)
{
    unsigned seen = conditional->seen;
    int64_t date;

    if (seen & CONDITIONAL_IF_MATCH) {
        if (!tags_match(conditional, CONDITIONAL_IF_MATCH, validators))
            return CONDITIONAL_FAILED;
    } else if (!validators->undated &&
               date_of(conditional, CONDITIONAL_IF_UNMODIFIED_SINCE, now, &date)) {
        if (validators->modified > date)
            return CONDITIONAL_FAILED;
    }
    if (seen & CONDITIONAL_IF_NONE_MATCH) {
        if (tags_match(conditional, CONDITIONAL_IF_NONE_MATCH, validators))
            return CONDITIONAL_NOT_MODIFIED;
    } else if (!validators->undated &&
               date_of(conditional, CONDITIONAL_IF_MODIFIED_SINCE, now, &date)) {
        if (validators->modified <= date)
            return CONDITIONAL_NOT_MODIFIED;
    }
    return CONDITIONAL_GO_ON;
}

/* RFC 9110 section 13.1.5. */
static bool if_range_holds(const struct conditional *conditional,
                           const struct validators *validators, int64_t now)
{
    px_str value = conditional_value(conditional, CONDITIONAL_IF_RANGE), opaque;
    int64_t date;
    bool weak;

    if (conditional->twice & CONDITIONAL_IF_RANGE)
        return false;
    if (date_of(conditional, CONDITIONAL_IF_RANGE, now, &date))
        /* Section 8.8.2.2: a second that is not over yet may see another change. */
        return !validators->undated && !validators->date_weak && date == validators->modified &&
               now > date;
    return etag_list_next(&value, &weak, &opaque) && value.len == 0 && !weak &&
           px_str_equal(opaque, validators->etag);
}

bool conditional_range(const struct conditional *conditional, const struct validators *validators,
                       int64_t now, px_str *out_range)
{
    if (!(conditional->seen & CONDITIONAL_RANGE) || (conditional->twice & CONDITIONAL_RANGE))
        return false;
    if ((conditional->seen & CONDITIONAL_IF_RANGE) && !if_range_holds(conditional, validators, now))
        return false;
    *out_range = conditional_value(conditional, CONDITIONAL_RANGE);
    return true;
}
