/*
 * The transformation of permessage-deflate (RFC 7692 section 7.2) by zlib, raw, in both directions.
 *
 * Each coder is made for a window, says beforehand what it takes, and has all of that from its
 * allocator.  It can fail when memory runs out or when what is inflated is no deflate; how much may
 * come out of it is for the caller to say, by the room it gives.  Where zlib is not there
 * (ws_deflate_none.c) none can be made, and ws_deflate_is_there says so.
 */
#ifndef PX_HTTP_WS_DEFLATE_H
#define PX_HTTP_WS_DEFLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { WS_WINDOW_BITS_MIN = 8, WS_WINDOW_BITS_MAX = 15 };

struct ws_inflate;
struct ws_deflate;

bool ws_deflate_is_there(void);

/* What a coder takes at most, in bytes. */
size_t ws_inflate_bytes(unsigned window_bits);
size_t ws_deflate_bytes(unsigned window_bits);

/* NULL without memory, or without zlib. */
struct ws_inflate *ws_inflate_create(const px_allocator *allocator, unsigned window_bits);
void ws_inflate_destroy(struct ws_inflate *coder); /* NULL is fine */

/* Forgets its window: the next message stands for itself. */
void ws_inflate_reset(struct ws_inflate *coder);

/* Takes from `in`, writes to `out`: PX_OK, PX_ERR_MALFORMED or PX_ERR_MEMORY.  When less than
 * `room` was written, all of `in` was used and nothing is held back. */
PX_MUST_CHECK px_err ws_inflate_step(struct ws_inflate *coder, px_str in, char *out, size_t room,
                                     size_t *out_used, size_t *out_bytes);

/* Whether what was taken ends between two blocks, and not inside of one; between steps that had
 * room left. */
bool ws_inflate_is_between(const struct ws_inflate *coder);

/* `level` 1 to 9. */
struct ws_deflate *ws_deflate_create(const px_allocator *allocator, unsigned level,
                                     unsigned window_bits);
void ws_deflate_destroy(struct ws_deflate *coder); /* NULL is fine */
void ws_deflate_reset(struct ws_deflate *coder);

/* Appends a whole message, as it is sent: PX_OK, PX_ERR_LIMIT or PX_ERR_MEMORY.  After a failure
 * the coder is not in step with its peer any more: reset it only where no takeover was agreed. */
PX_MUST_CHECK px_err ws_deflate_message(struct ws_deflate *coder, px_str message, struct buf *out);

/* The same for a part of one, of which something may come only with the next; the last has at least
 * a byte where there were others. */
PX_MUST_CHECK px_err ws_deflate_piece(struct ws_deflate *coder, px_str piece, bool ends,
                                      struct buf *out);

#endif
