/*
 * Records on their way to the peer: a chain of blocks from a pool, bounded.
 *
 * The session appends to it, its owner sends it as parts and drops what was sent.  While a send is
 * in flight more may be appended: the blocks do not move.
 */
#ifndef PX_TLS_TLS_QUEUE_H
#define PX_TLS_TLS_QUEUE_H

#include "base/limits.h"
#include "base/pool.h"
#include "pollux/stream.h"

struct tls_block {
    struct pool_item item;
    struct tls_block *next; /* owned by the queue */
    uint32_t at;            /* what was sent */
    uint32_t len;
    char bytes[TLS_BLOCK_BYTES];
};

struct tls_queue {
    struct pool *pool; /* borrowed: of tls_block, outlives the queue */
    struct tls_block *first;
    struct tls_block *last;
    uint32_t block_count;
    uint32_t bytes; /* appended and not dropped */
};

void tls_queue_init(struct tls_queue *queue, struct pool *pool);

/* Gives the blocks back.  No send may use them. */
void tls_queue_deinit(struct tls_queue *queue);

/* Appends as many bytes as there is room for: fewer, or 0, at TLS_BLOCKS_MAX or without memory. */
size_t tls_queue_append(struct tls_queue *queue, const char *bytes, size_t count);

/* What is queued as parts, at most TLS_BLOCKS_MAX; *out_bytes says how many bytes that are. */
size_t tls_queue_parts(const struct tls_queue *queue, px_part *out_parts, uint32_t *out_bytes);

/* States what must hold; for tests. */
void tls_queue_check(const struct tls_queue *queue);

/* Drops the first bytes. */
void tls_queue_drop(struct tls_queue *queue, uint32_t bytes);

#endif
