/*
 * "u=1, i": two keys of a dictionary, the others skipped.
 *
 * Happy path: members are taken off by their commas.  Nothing else of RFC 8941 matters here: the
 * values we know are a digit and a boolean, and a member that is neither is skipped whole.
 */
#include "http/h2/h2_priority.h"

#include "http/fields/field.h"

struct h2_priority h2_priority_parse(px_str value)
{
    struct h2_priority priority = {.urgency = H2_URGENCY_DEFAULT, .incremental = false};
    px_str member;

    while (field_list_next(&value, &member)) {
        /* Parameters of a member mean nothing yet (RFC 9218 section 4). */
        const char *semicolon = memchr(member.ptr, ';', member.len);

        if (semicolon)
            member = field_trim(px_str_make(member.ptr, (size_t)(semicolon - member.ptr)));
        if (member.len == 3 && member.ptr[0] == 'u' && member.ptr[1] == '=' &&
            member.ptr[2] >= '0' && member.ptr[2] <= '0' + H2_URGENCY_MAX)
            priority.urgency = (uint8_t)(member.ptr[2] - '0');
        else if (px_str_equal(member, px_str_of("i")) || px_str_equal(member, px_str_of("i=?1")))
            priority.incremental = true;
        else if (px_str_equal(member, px_str_of("i=?0")))
            priority.incremental = false;
    }
    return priority;
}
