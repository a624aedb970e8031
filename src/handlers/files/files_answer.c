/*
 * Answering with a file that was found: preconditions (RFC 9110 section 13.2.2), ranges (section
 * 14).
 *
 * Happy path: no precondition, no range; the entry's fields are lent, and all of its content is
 * sent.
 */
#include <stdio.h>

#include "handlers/files/files.h"

#include "base/check.h"

/* Fields of an encoded form: its own validators, the rest as what it is a form of. */
static void coded_fields(px_exchange *exchange, const struct files_entry *entry,
                         const struct files_entry *base, const char *coding)
{
    CHECK(coding && entry != base);
    for (uint32_t index = 0; index < entry->own_count; index++)
        px_response_add_field(exchange, entry->fields[index].name, entry->fields[index].value);
    for (uint32_t index = base->own_count; index < base->kept.count; index++)
        px_response_add_field(exchange, base->fields[index].name, base->fields[index].value);
    px_response_add_field(exchange, px_str_make("Content-Encoding", 16), px_str_of(coding));
}

static void content_range_add(px_exchange *exchange, const struct byte_range *range, uint64_t size)
{
    char text[80];
    int len = range ? snprintf(text, sizeof(text), "bytes %llu-%llu/%llu",
                               (unsigned long long)range->first,
                               (unsigned long long)(range->first + range->length - 1),
                               (unsigned long long)size)
                    : snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);

    CHECK(len > 0 && (size_t)len < sizeof(text));
    px_response_add_field(exchange, px_str_make("Content-Range", 13),
                          px_str_make(text, (size_t)len));
}

/* Lends the fields of an entry that is sent as it is, or adds those of an encoded form. */
static void fields_set(px_exchange *exchange, struct files_entry *entry, struct files_entry *base,
                       const char *coding)
{
    if (PX_LIKELY(entry == base)) {
        px_response_lend(exchange, &entry->kept);
        return;
    }
    files_type_lend(exchange, base);
    coded_fields(exchange, entry, base, coding);
}

/* The same for an answer without content, which has no type. */
static void fields_set_bare(px_exchange *exchange, struct files_entry *entry,
                            struct files_entry *base, const char *coding)
{
    px_kept_fields kept = entry->kept;

    kept.type = px_str_make(NULL, 0);
    if (entry == base)
        px_response_lend(exchange, &kept);
    else
        coded_fields(exchange, entry, base, coding);
}

/* With preconditions or ranges. */
static void answer_conditional(px_exchange *exchange, struct files_entry *entry,
                               struct files_entry *base, const char *coding,
                               const struct conditional *conditional)
{
    int64_t now = px_loop_unix_time(px_exchange_loop(exchange));
    struct byte_range ranges[RANGE_COUNT_MAX];
    enum range_result result = RANGE_WHOLE;
    uint32_t count = 0;
    px_str range;

    switch (conditional_evaluate(conditional, &entry->validators, now)) {
    case CONDITIONAL_GO_ON:
        break;
    case CONDITIONAL_NOT_MODIFIED:
        fields_set_bare(exchange, entry, base, coding);
        files_content_respond(exchange, 304, entry, 0, 0);
        return;
    case CONDITIONAL_FAILED:
        files_fail(exchange, entry->files, 412);
        return;
    }
    /* RFC 9110 section 14.2: ranges are for GET alone, and may be ignored.  Of empty content there
     * is none, and a client that asks for its first bytes wants what there is. */
    if (px_request_method_is(exchange, "GET") && entry->info.size > 0 &&
        conditional_range(conditional, &entry->validators, now, &range))
        result = range_parse(range, entry->info.size, ranges, &count);
    if (result == RANGE_UNSATISFIABLE) {
        content_range_add(exchange, NULL, entry->info.size);
        files_fail(exchange, entry->files, 416);
        return;
    }
    fields_set(exchange, entry, base, coding);
    if (result == RANGE_WHOLE) {
        files_content_respond(exchange, 200, entry, 0, entry->info.size);
    } else if (count > 1) {
        files_answer_parts(exchange, entry, base->kept.type, ranges, count);
    } else {
        content_range_add(exchange, &ranges[0], entry->info.size);
        files_content_respond(exchange, 206, entry, ranges[0].first, ranges[0].length);
    }
}

void files_answer(px_exchange *exchange, struct files_entry *entry, struct files_entry *base,
                  const char *coding)
{
    struct conditional conditional;
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    ASSERT(entry->outcome == FILES_FILE && base->outcome == FILES_FILE);
    ASSERT((coding != NULL) == (entry != base));
    conditional_init(&conditional, fields, (uint32_t)count);
    if (PX_UNLIKELY(conditional.seen)) {
        answer_conditional(exchange, entry, base, coding, &conditional);
        return;
    }
    fields_set(exchange, entry, base, coding);
    files_content_respond(exchange, 200, entry, 0, entry->info.size);
}
