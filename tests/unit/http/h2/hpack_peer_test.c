/*
 * HPACK against nghttp2's: what one writes the other reads, and of blocks that were bent both say
 * the same, field by field.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/h2/hpack.h"
#include "lib/test.h"

enum {
    BLOCK_MAX = 32 * 1024,
    LISTING_MAX = 128 * 1024,
    SESSION_MAX = 256 * 1024,
    FIELDS_MAX = 24,
    ROUNDS = 20000
};

static struct h2_spares spares;
static struct h2_memory memory;
static struct hpack_scratch scratch;
static struct hpack_decoder decoder;
static struct hpack_encoder encoder;
static nghttp2_hd_inflater *inflater;
static nghttp2_hd_deflater *deflater;

struct listing {
    size_t len;
    bool broken;
    char text[LISTING_MAX];
};

static struct listing ours, theirs, expected;
static uint64_t seed;

static uint32_t roll(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

static void list(struct listing *out, const void *name, size_t name_len, const void *value,
                 size_t value_len)
{
    assert_true(out->len + name_len + value_len + 2 < LISTING_MAX);
    memcpy(out->text + out->len, name, name_len);
    out->len += name_len;
    out->text[out->len++] = ':';
    if (value_len > 0)
        memcpy(out->text + out->len, value, value_len);
    out->len += value_len;
    out->text[out->len++] = '\n';
}

static bool on_field(void *context, px_str name, px_str value, uint16_t *note)
{
    (void)note;
    list(context, name.ptr, name.len, value.ptr, value.len);
    return true;
}

static void open_all(void)
{
    h2_spares_init(&spares, &alloc_libc, NULL);
    h2_memory_init(&memory, &spares, SESSION_MAX);
    hpack_decoder_init(&decoder, &memory, &scratch, BLOCK_MAX);
    hpack_encoder_init(&encoder, &memory);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
}

static void close_all(void)
{
    hpack_decoder_deinit(&decoder);
    hpack_encoder_deinit(&encoder);
    h2_memory_deinit(&memory);
    h2_spares_deinit(&spares);
    nghttp2_hd_inflate_del(inflater);
    nghttp2_hd_deflate_del(deflater);
}

static int setup(void **state)
{
    (void)state;
    scratch.room = hpack_scratch_bytes(BLOCK_MAX);
    scratch.ptr = malloc(scratch.room);
    assert_non_null(scratch.ptr);
    seed = 7;
    open_all();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_all();
    free(scratch.ptr);
    return 0;
}

/* --- Reading a block both ways ---------------------------------------------------------------- */

/* In pieces of random length; what was not used is given again. */
static void read_ours(const char *block, size_t len)
{
    size_t at = 0, end = 0;
    px_err err = PX_OK;

    ours.len = 0;
    hpack_decode_begin(&decoder);
    while (end < len && err == PX_OK) {
        size_t used;

        end += 1 + roll(2) * roll(200);
        if (end > len)
            end = len;
        err = hpack_decode(&decoder, px_str_make(block + at, end - at), on_field, &ours, &used);
        at += used;
    }
    hpack_table_check(&decoder.table);
    ours.broken = err != PX_OK || at < len;
}

static void read_theirs(const char *block, size_t len)
{
    const uint8_t *at = (const uint8_t *)block, *end = at + len;

    theirs.len = 0;
    theirs.broken = false;
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, (size_t)(end - at), 1);

        theirs.broken = used < 0;
        if (used < 0)
            return;
        at += used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            list(&theirs, field.name, field.namelen, field.value, field.valuelen);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
}

/* --- Heads ------------------------------------------------------------------------------------ */

struct field {
    char name[300];
    char value[3000];
};

static struct field fields[FIELDS_MAX];
static uint32_t field_count;

static void roll_text(char *out, size_t room, bool any)
{
    size_t len = roll(4) > 0 ? roll(20) : roll(20) > 0 ? roll(100) : roll((uint32_t)room);

    for (size_t at = 0; at < len; at++)
        out[at] = (char)(any ? 1 + roll(255) : 'a' + roll(26));
    out[len] = '\0';
}

/* Some of them as before, names of the static table, and others. */
static void roll_head(void)
{
    static const char *const names[] = {":status",    "server",         "date", "content-type",
                                        "etag",       "content-length", "x-a",  "x-b",
                                        "set-cookie", ":path"};
    static const char *const values[] = {"200", "/", "text/html", "pollux", "a", "", "b", "404"};
    uint32_t before = field_count;

    field_count = 1 + roll(roll(4) > 0 ? 6 : FIELDS_MAX);
    expected.len = 0;
    for (uint32_t index = 0; index < field_count; index++) {
        struct field *field = &fields[index];

        if (index >= before || roll(3) == 0) {
            if (roll(2))
                snprintf(field->name, sizeof(field->name), "%s", names[roll(ARRAY_COUNT(names))]);
            else
                roll_text(field->name, sizeof(field->name), false);
            if (roll(2))
                snprintf(field->value, sizeof(field->value), "%s",
                         values[roll(ARRAY_COUNT(values))]);
            else
                roll_text(field->value, sizeof(field->value), true);
        }
        list(&expected, field->name, strlen(field->name), field->value, strlen(field->value));
    }
}

static size_t write_ours(char *block)
{
    char *end = hpack_begin(&encoder, block);

    for (uint32_t index = 0; index < field_count; index++)
        end = hpack_encode(&encoder, end, px_str_of(fields[index].name),
                           px_str_of(fields[index].value));
    hpack_table_check(&encoder.table);
    return (size_t)(end - block);
}

static size_t write_theirs(char *block)
{
    nghttp2_nv pairs[FIELDS_MAX];

    for (uint32_t index = 0; index < field_count; index++)
        pairs[index] =
            (nghttp2_nv){(uint8_t *)fields[index].name, (uint8_t *)fields[index].value,
                         strlen(fields[index].name), strlen(fields[index].value), (uint8_t)roll(2)};
    ssize_t len = nghttp2_hd_deflate_hd(deflater, (uint8_t *)block, BLOCK_MAX, pairs, field_count);

    assert_true(len > 0);
    return (size_t)len;
}

static void assert_same(const struct listing *got, const struct listing *wanted, uint32_t round)
{
    if (got->broken || got->len != wanted->len || memcmp(got->text, wanted->text, got->len) != 0)
        fail_msg("round %u: %s, %.*s instead of %.*s", round, got->broken ? "broken" : "whole",
                 (int)got->len, got->text, (int)wanted->len, wanted->text);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void peer_reads_what_we_write(void **state)
{
    static char block[FIELDS_MAX * 8192];
    size_t bytes = 0, text = 0;

    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (roll(50) == 0) {
            uint32_t limit = roll(2) ? roll(5000) : 4096;

            hpack_encoder_limit(&encoder, limit);
            assert_int_equal(nghttp2_hd_inflate_change_table_size(inflater, limit), 0);
        }
        roll_head();
        size_t len = write_ours(block);

        read_theirs(block, len);
        assert_same(&theirs, &expected, round);
        bytes += len;
        text += expected.len;
    }
    print_message("%zu bytes of fields in %zu\n", text, bytes);
    assert_true(bytes < text);
}

static void we_read_what_the_peer_writes(void **state)
{
    static char block[BLOCK_MAX];

    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (roll(50) == 0)
            assert_int_equal(nghttp2_hd_deflate_change_table_size(deflater, roll(5000)), 0);
        do {
            roll_head();
        } while (expected.len > BLOCK_MAX / 2);
        read_ours(block, write_theirs(block));
        assert_same(&ours, &expected, round);
    }
}

/* A break ends a connection: then both begin anew. */
static void both_judge_bent_blocks_alike(void **state)
{
    static char block[FIELDS_MAX * 8192];
    uint32_t broken = 0, whole = 0;

    (void)state;
    for (uint32_t round = 0; round < 4 * ROUNDS; round++) {
        size_t len;

        if (roll(3) > 0) {
            do {
                roll_head();
            } while (expected.len > 2000);
            len = roll(2) ? write_ours(block) : write_theirs(block);
            for (uint32_t count = roll(4); count > 0; count--)
                block[roll((uint32_t)len)] = (char)roll(256);
            if (roll(4) == 0)
                len = roll((uint32_t)len + 1);
        } else {
            len = roll(40);
            for (size_t at = 0; at < len; at++)
                block[at] = (char)(roll(3) ? 0x80 | roll(128) : roll(256));
        }
        read_ours(block, len);
        read_theirs(block, len);
        if (ours.broken != theirs.broken)
            fail_msg("round %u: %s, and for the peer %s", round, ours.broken ? "broken" : "whole",
                     theirs.broken ? "broken" : "whole");
        if (!ours.broken)
            assert_same(&ours, &theirs, round);
        broken += ours.broken;
        whole += !ours.broken;
        if (ours.broken) {
            close_all();
            open_all();
        }
    }
    print_message("%u blocks were broken, %u whole\n", broken, whole);
    assert_true(broken > ROUNDS / 2 && whole > ROUNDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(peer_reads_what_we_write, setup, teardown),
        cmocka_unit_test_setup_teardown(we_read_what_the_peer_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(both_judge_bent_blocks_alike, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
