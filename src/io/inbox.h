/*
 * Bytes that were received and that their receiver has not used yet: one piece of memory, bounded,
 * which grows by doubling and is given back when it is empty.
 *
 * Streams keep what they received in one, a TLS conduit what it opened.  It can fail at its
 * maximum, at the loop's (PX_ERR_LIMIT), and for lack of memory.
 */
#ifndef PX_IO_INBOX_H
#define PX_IO_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollux/loop.h"
#include "pollux/str.h"

struct inbox {
    char *ptr;   /* owned, or NULL */
    uint32_t at; /* where the bytes begin */
    uint32_t len;
    uint32_t cap;
    uint32_t max;
};

/* Room at the end for more bytes, where some are kept already; 0 when there is none to be had. */
size_t inbox_room(struct inbox *inbox, px_loop *loop, char **out_ptr);

/* Keeps bytes in an inbox that is empty.  Those that are not wanted now, since they came behind a
 * request that waits, say, stay for as long as that takes: they have no part in the reserve. */
PX_MUST_CHECK px_err inbox_keep(struct inbox *inbox, px_loop *loop, const char *bytes, size_t count,
                                bool wanted);

/* What is kept: borrowed until the inbox changes. */
static inline px_str inbox_look(const struct inbox *inbox)
{
    return inbox->len > 0 ? px_str_make(inbox->ptr + inbox->at, inbox->len) : px_str_make(NULL, 0);
}

/* Hands out what is kept: until inbox_put_back it holds nothing, so that a caller that asks
 * meanwhile what is unread is not told of it again. */
px_str inbox_lend(struct inbox *inbox);

/* What was lent comes back, less the bytes in front that were used. */
void inbox_put_back(struct inbox *inbox, px_loop *loop, px_str lent, size_t used);

/* Takes `more_bytes` of what a loop may keep unread, for an owner that then has `has_bytes`.  The
 * less is left the less one may have, so that those that keep much for long do not shut out those
 * that keep little for a moment; the first size, in which a head that came in two packets fits, has
 * a reserve that larger ones do not touch. */
bool inbox_share_take(px_loop *loop, uint64_t has_bytes, uint64_t more_bytes);

/* States what must hold; for tests. */
void inbox_check(const struct inbox *inbox);

void inbox_free(struct inbox *inbox, px_loop *loop);

#endif
