/*
 * The queue of records: order, what is dropped, its bound, and more while a send is in flight.
 */
#include "tls/tls_queue.h"

#include <stdlib.h>
#include <string.h>

#include "lib/test.h"

static struct pool pool;

static void begin(struct tls_queue *queue)
{
    pool_init(&pool, &alloc_libc, sizeof(struct tls_block), 2, 64);
    tls_queue_init(queue, &pool);
}

static void end(struct tls_queue *queue)
{
    tls_queue_deinit(queue);
    assert_int_equal(pool.taken, 0);
    pool_deinit(&pool);
}

static void bytes_come_out_as_they_went_in(void **state)
{
    struct tls_queue queue;
    px_part parts[TLS_BLOCKS_MAX];
    uint32_t bytes, in = 0, out = 0;

    (void)state;
    begin(&queue);
    srand(1);
    for (int round = 0; round < 2000; round++) {
        unsigned char text[5000];
        size_t count = (size_t)rand() % sizeof(text);

        for (size_t i = 0; i < count; i++)
            text[i] = (unsigned char)((in + i) * 7 >> 3);
        in += (uint32_t)tls_queue_append(&queue, (char *)text, count);
        if (rand() % 3)
            continue;
        size_t part_count = tls_queue_parts(&queue, parts, &bytes);

        assert_int_equal(bytes, queue.bytes);
        for (size_t part = 0; part < part_count; part++)
            for (size_t i = 0; i < parts[part].bytes.len; i++, out++)
                assert_int_equal((unsigned char)parts[part].bytes.ptr[i],
                                 (unsigned char)(out * 7 >> 3));
        /* Part of it was sent. */
        uint32_t sent = bytes ? (uint32_t)rand() % (bytes + 1) : 0;

        out -= bytes - sent;
        tls_queue_drop(&queue, sent);
    }
    end(&queue);
}

static void it_is_bounded(void **state)
{
    struct tls_queue queue;
    char *text = calloc(1, TLS_BLOCK_BYTES);
    size_t taken = 0, once;

    (void)state;
    begin(&queue);
    while ((once = tls_queue_append(&queue, text, TLS_BLOCK_BYTES - 1)) > 0)
        taken += once;
    assert_int_equal(taken, TLS_BLOCKS_MAX * TLS_BLOCK_BYTES);
    assert_int_equal(queue.bytes, taken);
    tls_queue_drop(&queue, TLS_BLOCK_BYTES);
    assert_int_equal(tls_queue_append(&queue, text, TLS_BLOCK_BYTES), TLS_BLOCK_BYTES);
    end(&queue);
    free(text);
}

static void what_is_in_flight_does_not_move(void **state)
{
    struct tls_queue queue;
    px_part parts[TLS_BLOCKS_MAX], later[TLS_BLOCKS_MAX];
    uint32_t bytes, more;

    (void)state;
    begin(&queue);
    tls_queue_append(&queue, "abc", 3);
    assert_int_equal(tls_queue_parts(&queue, parts, &bytes), 1);
    tls_queue_append(&queue, "defg", 4);
    assert_memory_equal(parts[0].bytes.ptr, "abc", 3);
    assert_int_equal(parts[0].bytes.len, 3);
    tls_queue_drop(&queue, bytes);
    assert_int_equal(tls_queue_parts(&queue, later, &more), 1);
    assert_str_equal(later[0].bytes, LITERAL("defg"));
    assert_ptr_equal(later[0].bytes.ptr, parts[0].bytes.ptr + 3);
    tls_queue_drop(&queue, more);
    assert_int_equal(tls_queue_parts(&queue, later, &more), 0);
    assert_int_equal(pool.taken, 0); /* nothing to say: no block is held */
    end(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(it_is_bounded),
        cmocka_unit_test(what_is_in_flight_does_not_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
