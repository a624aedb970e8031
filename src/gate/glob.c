/*
 * One pass over the text; where it goes wrong behind a star, the star takes a byte more.  Only the
 * last star has to be tried again: what an earlier one would take, the last one can.
 */
#include "gate/glob.h"

#include <stddef.h>

#include "http/forms/query.h"

/* The byte of the text at *at, which is moved behind it. */
typedef char (*take_fn)(px_str text, size_t *at);

static char take_plain(px_str text, size_t *at)
{
    return text.ptr[(*at)++];
}

static bool matches(px_str glob, px_str text, take_fn take)
{
    size_t at = 0, text_at = 0;
    size_t star = SIZE_MAX, star_text = 0; /* behind the last star, and where it was tried */

    while (text_at < text.len) {
        if (at < glob.len && glob.ptr[at] == '*') {
            star = ++at;
            star_text = text_at;
            continue;
        }
        if (at == glob.len && star == at)
            return true;
        if (at < glob.len) {
            size_t next = text_at;

            if (take(text, &next) == glob.ptr[at]) {
                text_at = next;
                at++;
                continue;
            }
        }
        if (star == SIZE_MAX)
            return false;
        (void)take(text, &star_text);
        text_at = star_text;
        at = star;
    }
    while (at < glob.len && glob.ptr[at] == '*')
        at++;
    return at == glob.len;
}

bool glob_matches(px_str glob, px_str text)
{
    return matches(glob, text, take_plain);
}

bool glob_matches_query(px_str glob, px_str raw)
{
    return matches(glob, raw, query_decode_one);
}
