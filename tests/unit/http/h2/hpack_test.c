/*
 * HPACK: the vectors of RFC 7541 appendix C at every split, what breaks a block, the dynamic table
 * as it fills and turns, and what the encoder makes of fields that repeat.
 */
#include "http/h2/hpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/h2/hpack_data.h"
#include "lib/fault_alloc.h"
#include "lib/splits.h"
#include "lib/test.h"

enum { BLOCK_MAX = 64 * 1024, LISTING_MAX = 256 * 1024, SESSION_MAX = 256 * 1024 };

static struct h2_spares spares;
static struct h2_memory memory;
static struct hpack_scratch scratch;
static struct hpack_decoder decoder;
static struct hpack_encoder encoder;

/* "name: value" lines of what was decoded. */
struct listing {
    size_t len;
    uint32_t count;
    uint32_t stop_at; /* the sink says false at this field, or 0 */
    char text[LISTING_MAX];
};

static struct listing listing;

static bool list_field(void *context, px_str name, px_str value, uint16_t *note)
{
    struct listing *out = context;

    (void)note;
    assert_true(out->len + name.len + value.len + 3 < LISTING_MAX);
    memcpy(out->text + out->len, name.ptr, name.len);
    out->len += name.len;
    memcpy(out->text + out->len, ": ", 2);
    out->len += 2;
    if (value.len > 0)
        memcpy(out->text + out->len, value.ptr, value.len);
    out->len += value.len;
    out->text[out->len++] = '\n';
    out->text[out->len] = '\0';
    return ++out->count != out->stop_at;
}

static int setup(void **state)
{
    (void)state;
    h2_spares_init(&spares, &alloc_libc, NULL);
    h2_memory_init(&memory, &spares, SESSION_MAX);
    scratch.room = hpack_scratch_bytes(BLOCK_MAX);
    scratch.ptr = malloc(scratch.room);
    assert_non_null(scratch.ptr);
    hpack_decoder_init(&decoder, &memory, &scratch, BLOCK_MAX);
    hpack_encoder_init(&encoder, &memory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hpack_decoder_deinit(&decoder);
    hpack_encoder_deinit(&encoder);
    assert_int_equal(memory.bytes, 0);
    h2_memory_deinit(&memory);
    h2_spares_deinit(&spares);
    free(scratch.ptr);
    return 0;
}

/* --- Decoding --------------------------------------------------------------------------------- */

static px_err decode_all(px_str block)
{
    size_t used = 0;

    listing.len = listing.count = 0;
    listing.text[0] = '\0';
    hpack_decode_begin(&decoder);
    px_err err = hpack_decode(&decoder, block, list_field, &listing, &used);

    hpack_table_check(&decoder.table);
    assert_true(used <= block.len);
    return err == PX_OK && used < block.len ? PX_AGAIN : err;
}

struct vector {
    const char *hex;
    const char *fields;
    uint32_t table_bytes;
};

/* RFC 7541 appendix C.2 to C.6: each row is a connection, each of its blocks follows the other. */
static const struct vector vectors[][4] = {
    {{"400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header\n", 55}},
    {{"040c2f73616d706c652f70617468", ":path: /sample/path\n", 0}},
    {{"100870617373776f726406736563726574", "password: secret\n", 0}},
    {{"82", ":method: GET\n", 0}},
    {{"828684410f7777772e6578616d706c652e636f6d",
      ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n", 57},
     {"828684be58086e6f2d6361636865",
      ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n"
      "cache-control: no-cache\n",
      110},
     {"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
      ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n"
      "custom-key: custom-value\n",
      164}},
    {{"828684418cf1e3c2e5f23a6ba0ab90f4ff",
      ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n", 57},
     {"828684be5886a8eb10649cbf",
      ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n"
      "cache-control: no-cache\n",
      110},
     {"828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
      ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n"
      "custom-key: custom-value\n",
      164}},
    {{"3fe101" /* a table of 256 bytes, which the RFC's examples have by agreement */
      "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
      "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
      ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"
      "location: https://www.example.com\n",
      222},
     {"4803333037c1c0bf",
      ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"
      "location: https://www.example.com\n",
      222},
     {"88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d"
      "4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b20766572"
      "73696f6e3d31",
      ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n"
      "location: https://www.example.com\ncontent-encoding: gzip\n"
      "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n",
      215}},
    {{"3fe101"
      "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b"
      "97c8e9ae82ae43d3",
      ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"
      "location: https://www.example.com\n",
      222},
     {"4883640effc1c0bf",
      ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"
      "location: https://www.example.com\n",
      222},
     {"88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdf"
      "cd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
      ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n"
      "location: https://www.example.com\ncontent-encoding: gzip\n"
      "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n",
      215}},
};

static size_t unhex(const char *hex, char *out)
{
    size_t len = 0;

    for (; hex[0] && hex[1]; hex += 2) {
        unsigned byte;

        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        out[len++] = (char)byte;
    }
    return len;
}

static void decoder_reads_the_vectors_of_the_rfc(void **state)
{
    char block[1024];
    uint32_t count = 0;

    (void)state;
    for (size_t row = 0; row < ARRAY_COUNT(vectors); row++) {
        hpack_decoder_deinit(&decoder);
        hpack_decoder_init(&decoder, &memory, &scratch, BLOCK_MAX);
        for (size_t at = 0; at < ARRAY_COUNT(vectors[row]) && vectors[row][at].hex; at++) {
            const struct vector *vector = &vectors[row][at];
            size_t len = unhex(vector->hex, block);

            assert_int_equal(decode_all(px_str_make(block, len)), PX_OK);
            assert_string_equal(listing.text, vector->fields);
            assert_int_equal(decoder.table.bytes, vector->table_bytes);
            count++;
        }
    }
    assert_int_equal(count, 16);
}

static void split_begin(void *context)
{
    (void)context;
    hpack_decoder_deinit(&decoder);
    hpack_decoder_init(&decoder, &memory, &scratch, BLOCK_MAX);
    listing.len = listing.count = 0;
}

static size_t split_feed(px_str bytes, void *context)
{
    size_t used = 0;

    assert_int_equal(hpack_decode(&decoder, bytes, list_field, context, &used), PX_OK);
    return used;
}

static void split_end(size_t left, const char *split, void *context)
{
    const struct listing *out = context;

    if (left != 0 || strcmp(out->text, vectors[7][0].fields) != 0 || decoder.table.bytes != 222)
        fail_msg("%s: %s", split, out->text);
}

static void decoder_reads_at_every_split(void **state)
{
    const struct split_reader reader = {split_begin, split_feed, split_end, &listing};
    char block[256];

    (void)state;
    assert_true(splits_each(px_str_make(block, unhex(vectors[7][0].hex, block)), &reader) > 100);
}

/* Blocks that end the connection, and ones that look as if they should. */
static const struct {
    const char *hex;
    px_err err;
} blocks[] = {
    {"", PX_OK},
    {"80", PX_ERR_MALFORMED},               /* index 0 */
    {"be", PX_ERR_MALFORMED},               /* the first of an empty dynamic table */
    {"bd", PX_OK},                          /* the last of the static table */
    {"7f0001", PX_ERR_MALFORMED},           /* a name beyond the table */
    {"7f00", PX_ERR_MALFORMED},             /* ... whose value is to come */
    {"ff80808000", PX_ERR_MALFORMED},       /* 127, in too many bytes, and no such index */
    {"ffffffffff0f", PX_ERR_MALFORMED},     /* above 32 bits */
    {"ffffffffffff", PX_ERR_MALFORMED},     /* without end */
    {"ff808080808000", PX_ERR_MALFORMED},   /* six bytes of continuation */
    {"ff", PX_AGAIN},                       /* its end is to come */
    {"20", PX_OK},                          /* a table of none */
    {"3fe11f", PX_OK},                      /* 4096 */
    {"3fe21f", PX_ERR_MALFORMED},           /* 4097 */
    {"203fe11f82", PX_OK},                  /* two updates */
    {"8220", PX_ERR_MALFORMED},             /* an update behind a field */
    {"000161ffffffff7f", PX_ERR_MALFORMED}, /* a value longer than a block may be */
    {"0001610161", PX_OK},                  /* a: a */
    {"00000161", PX_OK},                    /* no name: for others to judge */
    {"00016100", PX_OK},                    /* no value */
    {"0001618100", PX_ERR_MALFORMED},       /* padding of zeros */
    {"00016181ff", PX_ERR_MALFORMED},       /* padding of eight bits */
    {"0001618118", PX_ERR_MALFORMED},       /* a, and padding that is not ones */
    {"000161811f", PX_OK},                  /* a, and padding */
    {"00016180", PX_OK},                    /* nothing, coded */
    {"00016184ffffffff", PX_ERR_MALFORMED}, /* EOS */
    {"000161841fffffff", PX_ERR_MALFORMED}, /* padding longer than seven bits */
    {"0001618dffe3ffe3", PX_AGAIN},         /* its end is to come */
};

static void decoder_breaks_where_the_block_does(void **state)
{
    char block[64];

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(blocks); index++) {
        hpack_decoder_deinit(&decoder);
        hpack_decoder_init(&decoder, &memory, &scratch, BLOCK_MAX);
        px_err err = decode_all(px_str_make(block, unhex(blocks[index].hex, block)));

        if (err != blocks[index].err)
            fail_msg("%s: %d instead of %d", blocks[index].hex, err, blocks[index].err);
    }
    assert_int_equal(ARRAY_COUNT(blocks), 28);
}

static void decoder_stops_where_its_sink_does(void **state)
{
    (void)state;
    listing.stop_at = 2;
    assert_int_equal(decode_all(LITERAL("\x82\x84\x86")), PX_ERR_LIMIT);
    assert_int_equal(listing.count, 2);
    listing.stop_at = 0;
}

/* RFC 7541 section 4.4: the entry whose name is used may be the one that has to go. */
static void decoder_keeps_a_name_whose_entry_goes(void **state)
{
    static char block[8192];
    size_t len = 0;

    (void)state;
    memcpy(block,
           "\x40\x04"
           "name"
           "\x7f\xa1\x1e",
           9); /* a value of 4000 bytes */
    memset(block + 9, 'v', 4000);
    assert_int_equal(decode_all(px_str_make(block, 4009)), PX_OK);
    assert_int_equal(decoder.table.count, 1);
    memcpy(block, "\x7e\x7f\xa1\x1e", 4);
    memset(block + 4, 'w', 4000);
    assert_int_equal(decode_all(px_str_make(block, 4004)), PX_OK);
    assert_memory_equal(listing.text, "name: www", 9);
    assert_int_equal(decoder.table.count, 1);
    /* One that is too large empties the table, and is no error. */
    memcpy(block, "\x7e\x7f\xf1\x1f", 4);
    len = 4 + 0x7f + 0x71 + 0x1f * 128;
    memset(block + 4, 'x', len - 4);
    assert_int_equal(decode_all(px_str_make(block, len)), PX_OK);
    assert_memory_equal(listing.text, "name: xxx", 9);
    assert_int_equal(decoder.table.count, 0);
    assert_int_equal(decoder.table.bytes, 0);
}

static void huffman_decodes_every_byte(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t bits = (uint64_t)hpack_codes[byte].code << (64 - hpack_codes[byte].bits);
        size_t len = (hpack_codes[byte].bits + 7) / 8;
        char coded[8], out[16];

        bits |= UINT64_MAX >> hpack_codes[byte].bits;
        for (size_t at = 0; at < len; at++)
            coded[at] = (char)(bits >> (56 - 8 * at));
        assert_int_equal(hpack_huffman_decode(px_str_make(coded, len), out, sizeof(out)), 1);
        assert_int_equal((uint8_t)out[0], byte);
    }
}

/* --- The table -------------------------------------------------------------------------------- */

/* Entries of random lengths against a plain list of the last ones. */
static void table_keeps_the_newest(void **state)
{
    enum { KEPT = 256 };
    static char names[KEPT][2048], values[KEPT][2048];
    static size_t sums[KEPT];
    struct hpack_table table;
    unsigned seed = 1;
    uint32_t most = 0;

    (void)state;
    hpack_table_init(&table, &memory, HPACK_TABLE_BYTES_MAX);
    for (uint32_t round = 0; round < 20000; round++) {
        struct hpack_entry *entry;
        size_t mask = round / 100 % 3 == 0 ? 2047 : round / 100 % 3 == 1 ? 15 : 255;
        size_t name_len = (seed = seed * 1103515245 + 12345) >> 16 & mask / 2;
        size_t value_len = (seed = seed * 1103515245 + 12345) >> 16 & mask;
        char *name = names[round % KEPT], *value = values[round % KEPT];

        memset(name, 'a' + (int)(round % 26), name_len);
        memset(value, 'A' + (int)(round % 26), value_len);
        name[name_len] = value[value_len] = '\0';
        sums[round % KEPT] = name_len + value_len + HPACK_ENTRY_BYTES;
        if (round % 997 == 996)
            hpack_table_resize(&table, seed >> 16 & 4095);
        if (round % 997 == 500)
            hpack_table_resize(&table, HPACK_TABLE_BYTES_MAX);
        assert_int_equal(hpack_table_add(&table, px_str_make(name, name_len),
                                         px_str_make(value, value_len), &entry),
                         PX_OK);
        hpack_table_check(&table);
        size_t bytes = 0;

        for (uint32_t age = 0; age < table.count; age++) {
            const struct hpack_entry *kept = &table.entries[hpack_table_place(&table, age)];
            uint32_t from = (round - age) % KEPT;

            bytes += sums[from];
            assert_true(bytes <= table.bytes_max);
            assert_int_equal(kept->name_len + kept->value_len + HPACK_ENTRY_BYTES, sums[from]);
            assert_memory_equal(hpack_entry_name(&table, kept).ptr, names[from], kept->name_len);
            assert_memory_equal(hpack_entry_value(&table, kept).ptr, values[from], kept->value_len);
        }
        if (table.count > most)
            most = table.count;
        /* What would still have fitted was not dropped. */
        if (entry && table.count > 0 && round % 997 > 700)
            assert_true(table.count == KEPT ||
                        bytes + sums[(round - table.count) % KEPT] > table.bytes_max);
    }
    assert_true(most > 60);
    hpack_table_deinit(&table);
}

/* --- Encoding --------------------------------------------------------------------------------- */

static px_str encoded(const char *name, const char *value)
{
    static char block[1024];
    char *end =
        hpack_encode(&encoder, hpack_begin(&encoder, block), px_str_of(name), px_str_of(value));

    hpack_table_check(&encoder.table);
    return px_str_make(block, (size_t)(end - block));
}

static void encoder_indexes_what_repeats(void **state)
{
    px_str block;

    (void)state;
    for (int round = 0; round < 2; round++) {
        block = encoded("X-Thing", "one");
        assert_int_equal((uint8_t)block.ptr[0], round == 0 ? 0x00 : 0x40);
        assert_int_equal(decode_all(block), PX_OK);
        assert_string_equal(listing.text, "x-thing: one\n");
    }
    block = encoded("x-thing", "one");
    assert_int_equal(block.len, 1);
    assert_int_equal((uint8_t)block.ptr[0], 0x80 | 62);
    assert_int_equal(decode_all(block), PX_OK);
    assert_string_equal(listing.text, "x-thing: one\n");
    /* Its name is known by now. */
    block = encoded("x-thing", "two");
    assert_int_equal((uint8_t)block.ptr[0], 0x0f);
    assert_int_equal(decode_all(block), PX_OK);
    assert_string_equal(listing.text, "x-thing: two\n");
}

static void encoder_never_indexes_secrets(void **state)
{
    static const char *const names[] = {"authorization", "proxy-authorization", "cookie",
                                        "Set-Cookie"};

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(names); index++)
        for (int round = 0; round < 3; round++)
            assert_int_equal((uint8_t)encoded(names[index], "secret").ptr[0] & 0xf0, 0x10);
    assert_int_equal(encoder.table.count, 0);
}

static void encoder_uses_the_static_table(void **state)
{
    char out[64];

    (void)state;
    assert_int_equal(encoded(":method", "GET").len, 1);
    assert_int_equal(encoded("Accept-Encoding", "gzip, deflate").len, 1);
    for (unsigned status = 100; status < 1000; status += 7) {
        char *end = hpack_encode_status(&encoder, out, status);
        char text[32];

        assert_int_equal(decode_all(px_str_make(out, (size_t)(end - out))), PX_OK);
        snprintf(text, sizeof(text), ":status: %u\n", status);
        assert_string_equal(listing.text, text);
    }
    assert_int_equal(hpack_encode_status(&encoder, out, 200) - out, 1);
    for (uint32_t index = 0; index < HPACK_STATIC_COUNT; index++) {
        px_str block = encoded(hpack_static[index].name.ptr, hpack_static[index].value.ptr);

        assert_true(block.len <= 3);
        assert_int_equal(decode_all(block), PX_OK);
        assert_memory_equal(listing.text, hpack_static[index].name.ptr,
                            hpack_static[index].name.len);
    }
}

/* RFC 7541 section 4.2. */
static void encoder_says_the_size_of_its_table(void **state)
{
    char out[HPACK_BEGIN_BYTES];

    (void)state;
    assert_ptr_equal(hpack_begin(&encoder, out), out);
    hpack_encoder_limit(&encoder, 65536);
    hpack_encoder_limit(&encoder, 4096);
    assert_ptr_equal(hpack_begin(&encoder, out), out);
    hpack_encoder_limit(&encoder, 3000); /* less than the peer has */
    assert_int_equal(hpack_begin(&encoder, out) - out, 3);
    assert_memory_equal(out, "\x3f\xe1\x0f", 3);
    hpack_encoder_limit(&encoder, 0);
    hpack_encoder_limit(&encoder, 100);
    assert_int_equal(hpack_begin(&encoder, out) - out, 3);
    assert_memory_equal(out, "\x20\x3f\x45", 3);
    hpack_encoder_limit(&encoder, 100);
    assert_ptr_equal(hpack_begin(&encoder, out), out);
    hpack_encoder_limit(&encoder, 4096);
    assert_int_equal(hpack_begin(&encoder, out) - out, 3);
    assert_memory_equal(out, "\x3f\xe1\x0f", 3);
}

static void encoder_writes_no_more_than_it_says(void **state)
{
    static char name[40000], value[40000], out[90000];
    static const size_t lens[] = {0, 1, 7, 8, 63, 64, 65, 126, 127, 128, 300, 20000, 39999};

    (void)state;
    memset(name, 'N', sizeof(name));
    memset(value, '\x01', sizeof(value)); /* the code of which has 23 bits */
    for (size_t first = 1; first < ARRAY_COUNT(lens); first++) {
        for (size_t second = 0; second < ARRAY_COUNT(lens); second++) {
            char *end = hpack_encode(&encoder, out, px_str_make(name, lens[first]),
                                     px_str_make(value, lens[second]));

            assert_true((size_t)(end - out) <= lens[first] + lens[second] + HPACK_FIELD_BYTES);
            assert_int_equal(decode_all(px_str_make(out, (size_t)(end - out))), PX_OK);
            assert_int_equal(listing.len, lens[first] + lens[second] + 3);
            assert_int_equal(listing.text[0], 'n');
        }
    }
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void talk(const px_allocator *allocator, void *context)
{
    struct h2_spares own_spares;
    struct h2_memory own;
    char out[512];

    (void)context;
    h2_spares_init(&own_spares, allocator, NULL);
    h2_memory_init(&own, &own_spares, SESSION_MAX);
    struct hpack_decoder reader;
    struct hpack_encoder writer;
    bool broken = false;

    hpack_decoder_init(&reader, &own, &scratch, BLOCK_MAX);
    hpack_encoder_init(&writer, &own);
    for (int round = 0; round < 60 && !broken; round++) {
        char value[64];
        size_t used;
        char *end = hpack_begin(&writer, out);

        snprintf(value, sizeof(value), "value that has some length %d", round / 3);
        end = hpack_encode(&writer, end, px_str_of("x-name"), px_str_of(value));
        listing.len = 0;
        hpack_decode_begin(&reader);
        px_err err = hpack_decode(&reader, px_str_make(out, (size_t)(end - out)), list_field,
                                  &listing, &used);

        /* Without memory the encoder goes on, and says nothing that is not so. */
        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        if (err == PX_OK)
            assert_memory_equal(listing.text + 8, value, strlen(value));
        broken = err != PX_OK;
    }
    hpack_decoder_deinit(&reader);
    hpack_encoder_deinit(&writer);
    h2_memory_deinit(&own);
    h2_spares_deinit(&own_spares);
}

static void hpack_lives_without_memory(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("hpack", talk, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(decoder_reads_the_vectors_of_the_rfc, setup, teardown),
        cmocka_unit_test_setup_teardown(decoder_reads_at_every_split, setup, teardown),
        cmocka_unit_test_setup_teardown(decoder_breaks_where_the_block_does, setup, teardown),
        cmocka_unit_test_setup_teardown(decoder_stops_where_its_sink_does, setup, teardown),
        cmocka_unit_test_setup_teardown(decoder_keeps_a_name_whose_entry_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(huffman_decodes_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(table_keeps_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(encoder_indexes_what_repeats, setup, teardown),
        cmocka_unit_test_setup_teardown(encoder_never_indexes_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(encoder_uses_the_static_table, setup, teardown),
        cmocka_unit_test_setup_teardown(encoder_says_the_size_of_its_table, setup, teardown),
        cmocka_unit_test_setup_teardown(encoder_writes_no_more_than_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(hpack_lives_without_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
