/*
 * Without zlib there is no permessage-deflate: it is never agreed.
 */
#include "http/ws/ws_deflate.h"

bool ws_deflate_is_there(void)
{
    return false;
}

size_t ws_inflate_bytes(unsigned window_bits)
{
    (void)window_bits;
    return 0;
}

size_t ws_deflate_bytes(unsigned window_bits)
{
    (void)window_bits;
    return 0;
}

struct ws_inflate *ws_inflate_create(const px_allocator *allocator, unsigned window_bits)
{
    (void)allocator;
    (void)window_bits;
    return NULL;
}

void ws_inflate_destroy(struct ws_inflate *coder)
{
    (void)coder;
}

void ws_inflate_reset(struct ws_inflate *coder)
{
    (void)coder;
}

px_err ws_inflate_step(struct ws_inflate *coder, px_str in, char *out, size_t room,
                       size_t *out_used, size_t *out_bytes)
{
    (void)coder;
    (void)in;
    (void)out;
    (void)room;
    (void)out_used;
    (void)out_bytes;
    return PX_ERR_UNSUPPORTED;
}

bool ws_inflate_is_between(const struct ws_inflate *coder)
{
    (void)coder;
    return false;
}

struct ws_deflate *ws_deflate_create(const px_allocator *allocator, unsigned level,
                                     unsigned window_bits)
{
    (void)allocator;
    (void)level;
    (void)window_bits;
    return NULL;
}

void ws_deflate_destroy(struct ws_deflate *coder)
{
    (void)coder;
}

void ws_deflate_reset(struct ws_deflate *coder)
{
    (void)coder;
}

px_err ws_deflate_piece(struct ws_deflate *coder, px_str piece, bool ends, struct buf *out)
{
    (void)coder;
    (void)piece;
    (void)ends;
    (void)out;
    return PX_ERR_UNSUPPORTED;
}

px_err ws_deflate_message(struct ws_deflate *coder, px_str message, struct buf *out)
{
    (void)coder;
    (void)message;
    (void)out;
    return PX_ERR_UNSUPPORTED;
}
