/*
 * The output queue of a session.
 */
#include "tls/tls_queue.h"

#include <string.h>

_Static_assert(TLS_QUEUE_BYTES < TLS_BLOCKS_MAX * TLS_BLOCK_BYTES,
               "alerts find room behind content");
_Static_assert(TLS_BLOCK_BYTES >= TLS_RECORD_FIRST_BYTES, "a small record is one part or two");

void tls_queue_init(struct tls_queue *queue, struct pool *pool)
{
    memset(queue, 0, sizeof(*queue));
    queue->pool = pool;
}

static void block_free_first(struct tls_queue *queue)
{
    struct tls_block *block = queue->first;

    queue->first = block->next;
    if (!queue->first)
        queue->last = NULL;
    queue->block_count--;
    pool_put(queue->pool, block);
}

void tls_queue_deinit(struct tls_queue *queue)
{
    while (queue->first)
        block_free_first(queue);
    queue->bytes = 0;
}

static struct tls_block *block_add(struct tls_queue *queue)
{
    struct tls_block *block;

    if (queue->block_count == TLS_BLOCKS_MAX || !(block = pool_take(queue->pool)))
        return NULL;
    block->next = NULL;
    block->at = 0;
    block->len = 0;
    if (queue->last)
        queue->last->next = block;
    else
        queue->first = block;
    queue->last = block;
    queue->block_count++;
    return block;
}

size_t tls_queue_append(struct tls_queue *queue, const char *bytes, size_t count)
{
    size_t done = 0;

    while (done < count) {
        struct tls_block *block = queue->last;

        if (!block || block->len == TLS_BLOCK_BYTES)
            block = block_add(queue);
        if (!block)
            break;
        ASSERT(block->len < TLS_BLOCK_BYTES);
        size_t room = TLS_BLOCK_BYTES - block->len;
        size_t part = count - done < room ? count - done : room;

        memcpy(block->bytes + block->len, bytes + done, part);
        block->len += (uint32_t)part;
        done += part;
    }
    queue->bytes += (uint32_t)done;
    return done;
}

size_t tls_queue_parts(const struct tls_queue *queue, px_part *out_parts, uint32_t *out_bytes)
{
    size_t count = 0;
    uint32_t bytes = 0;

    for (struct tls_block *block = queue->first; block; block = block->next) {
        px_str text = {block->bytes + block->at, block->len - block->at};

        out_parts[count++] = (px_part){.bytes = text};
        bytes += (uint32_t)text.len;
    }
    ASSERT(bytes == queue->bytes && count <= TLS_BLOCKS_MAX);
    *out_bytes = bytes;
    return count;
}

void tls_queue_drop(struct tls_queue *queue, uint32_t bytes)
{
    CHECK(bytes <= queue->bytes);
    queue->bytes -= bytes;
    while (queue->first) {
        struct tls_block *block = queue->first;
        uint32_t part = block->len - block->at < bytes ? block->len - block->at : bytes;

        block->at += part;
        bytes -= part;
        if (block->at < block->len)
            return;
        block_free_first(queue);
    }
}

void tls_queue_check(const struct tls_queue *queue)
{
    const struct tls_block *last = NULL;
    uint32_t count = 0, bytes = 0;

    for (const struct tls_block *block = queue->first; block; block = block->next) {
        ASSERT(block->item.generation & 1);
        ASSERT(block->len <= TLS_BLOCK_BYTES && block->at <= block->len);
        bytes += block->len - block->at;
        last = block;
        count++;
        ASSERT(count <= TLS_BLOCKS_MAX);
    }
    ASSERT(last == queue->last);
    ASSERT(count == queue->block_count && bytes == queue->bytes);
}
