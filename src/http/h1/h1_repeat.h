/*
 * Heads that come again: a client that asks the same thing over and over sends the same bytes.
 *
 * What a head says follows from its bytes and the limits alone, and it ends with its first empty
 * line.  So where the bytes at hand begin with a whole head that was found good before, it is good
 * again, its fields stand where they stood, and reading it is one comparison.  Nothing else is
 * concluded, so no peer can bring in what another one reads.
 *
 * A head is kept when one of its kind comes a second time, and never when it has credentials; and a
 * comparison takes as long wherever the first difference is, so that no peer learns by its time
 * what another one has sent.  Heads with content, with empty lines in front, of many fields or
 * bytes are not kept either.  The memory is fixed.
 */
#ifndef PX_HTTP_H1_REPEAT_H
#define PX_HTTP_H1_REPEAT_H

#include <string.h>

#include "base/check.h"
#include "http/h1/h1_parse.h"

/* As many as a site has pages that are asked for by programs, of the size that these send; 22 KiB
 * of a server. */
enum { REPEATS = 16, REPEAT_FIELDS_MAX = 24, REPEAT_HEAD_BYTES_MAX = 768 };

struct h1_repeat {
    struct h1_parser parser; /* of `head`, done, with its fields in `spans`; head_bytes 0: none */
    uint64_t missed_ends;    /* of the last head that was looked for here in vain */
    uint32_t missed_bytes;   /* likewise */
    struct http_field_span spans[REPEAT_FIELDS_MAX];
    char head[REPEAT_HEAD_BYTES_MAX];
};

/* All limits of what is kept here are those that it was read with. */
struct h1_repeats {
    struct h1_repeat entries[REPEATS];
};

enum { REPEAT_KEY_BYTES = 16, REPEAT_HEAD_BYTES_MIN = 18 };

_Static_assert((REPEATS & (REPEATS - 1)) == 0, "a mask makes an index");
_Static_assert(REPEAT_KEY_BYTES <= REPEAT_HEAD_BYTES_MIN, "a head has its key");

/* Where a head that begins like this is kept: by its method and the beginning of its target. */
static inline size_t h1_repeat_index(const char *head)
{
    uint64_t first;
    uint64_t second;

    memcpy(&first, head, sizeof(first));
    memcpy(&second, head + sizeof(first), sizeof(second));
    return (((first ^ (second << 1)) * UINT64_C(0x9e3779b97f4a7c15)) >> 48) & (REPEATS - 1);
}

/* Whether two heads of at least eight bytes are the same; it looks at all of them. */
static inline bool h1_repeat_is_same(const char *one, const char *other, size_t bytes)
{
    uint64_t differs = 0, left, right;

    for (size_t at = 0; at + sizeof(left) <= bytes; at += sizeof(left)) {
        memcpy(&left, one + at, sizeof(left));
        memcpy(&right, other + at, sizeof(right));
        differs |= left ^ right;
    }
    memcpy(&left, one + bytes - sizeof(left), sizeof(left));
    memcpy(&right, other + bytes - sizeof(right), sizeof(right));
    return (differs | (left ^ right)) == 0;
}

/* The parser that has read the head which the `len` bytes at `head` begin with, or NULL. */
static inline const struct h1_parser *h1_repeat_find(const struct h1_repeats *repeats,
                                                     const char *head, size_t len)
{
    if (PX_UNLIKELY(len < REPEAT_HEAD_BYTES_MIN))
        return NULL;
    const struct h1_repeat *repeat = &repeats->entries[h1_repeat_index(head)];
    size_t bytes = repeat->parser.head_bytes;

    if (bytes == 0 || bytes > len || !h1_repeat_is_same(head, repeat->head, bytes))
        return NULL;
    return &repeat->parser;
}

/* Tells of a head at `head` that `parser` has read whole, since it was not found here. */
void h1_repeat_note(struct h1_repeats *repeats, const struct h1_parser *parser, const char *head);

/* States what must hold; for tests. */
void h1_repeats_check(const struct h1_repeats *repeats);

#endif
