/*
 * Writing header blocks.
 *
 * A field is looked for by its hash, in one step: what is in the dynamic table is a byte or two.
 * One that is not is literal the first time, and put into the table when it comes again while its
 * hash is remembered.  The table forgets its oldest entries; that the peer's may be larger, and
 * keeps them longer, does not matter, since they are counted from the newest.
 */
#include <string.h>

#include "base/check.h"
#include "http/h2/hpack.h"
#include "http/h2/hpack_data.h"

_Static_assert(HPACK_ENCODER_BYTES_MAX / HPACK_ENTRY_BYTES < UINT8_MAX, "a place is a byte");
_Static_assert((HPACK_BUCKETS & (HPACK_BUCKETS - 1)) == 0, "a hash is masked");

/* The first bits of a literal (RFC 7541 sections 6.2.1 to 6.2.3). */
enum { LITERAL_INDEXED = 0x40, LITERAL_PLAIN = 0x00, LITERAL_NEVER = 0x10 };

/* Longer names are not looked for. */
enum { NAME_BYTES_MAX = 64 };

void hpack_encoder_init(struct hpack_encoder *encoder, struct h2_memory *memory)
{
    memset(encoder, 0, sizeof(*encoder));
    hpack_table_init(&encoder->table, memory, HPACK_ENCODER_BYTES_MAX);
    encoder->told = HPACK_TABLE_BYTES_MAX;
}

void hpack_encoder_deinit(struct hpack_encoder *encoder)
{
    hpack_table_deinit(&encoder->table);
}

/* The peer's table begins with 4,096 bytes.  That ours is smaller need not be said; that the peer
 * wants less must be, and the least first (RFC 7541 section 4.2). */
void hpack_encoder_limit(struct hpack_encoder *encoder, uint32_t bytes_max)
{
    uint32_t ours = bytes_max < HPACK_ENCODER_BYTES_MAX ? bytes_max : HPACK_ENCODER_BYTES_MAX;

    if (!encoder->update && bytes_max >= encoder->told && ours <= encoder->told)
        return;
    if (!encoder->update || ours < encoder->update_min)
        encoder->update_min = ours;
    encoder->update = true;
    hpack_table_resize(&encoder->table, encoder->update_min);
    hpack_table_resize(&encoder->table, ours);
}

/* --- Primitives ------------------------------------------------------------------------------- */

/* RFC 7541 section 5.1; `bits` are those in front of the number. */
static char *put_number(char *out, uint32_t bits, uint32_t prefix, size_t number)
{
    if (PX_LIKELY(number < prefix)) {
        *out++ = (char)(bits | number);
        return out;
    }
    *out++ = (char)(bits | prefix);
    for (number -= prefix; number >= 0x80; number >>= 7)
        *out++ = (char)(0x80 | (number & 0x7f));
    *out++ = (char)number;
    return out;
}

static size_t huffman_bytes(px_str text)
{
    size_t bits = 0;

    for (size_t at = 0; at < text.len; at++)
        bits += hpack_codes[(uint8_t)text.ptr[at]].bits;
    return (bits + 7) / 8;
}

static char *put_huffman(char *out, px_str text)
{
    uint64_t waiting = 0;
    uint32_t count = 0;

    for (size_t at = 0; at < text.len; at++) {
        const struct hpack_code *code = &hpack_codes[(uint8_t)text.ptr[at]];

        waiting = waiting << code->bits | code->code;
        for (count += code->bits; count >= 8; count -= 8)
            *out++ = (char)(waiting >> (count - 8));
    }
    if (count > 0) /* the rest are ones */
        *out++ = (char)(waiting << (8 - count) | 0xffU >> count);
    return out;
}

static char *put_string(char *out, px_str text)
{
    size_t coded = huffman_bytes(text);

    if (coded < text.len)
        return put_huffman(put_number(out, 0x80, 0x7f, coded), text);
    out = put_number(out, 0, 0x7f, text.len);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    return out + text.len;
}

char *hpack_begin(struct hpack_encoder *encoder, char *out)
{
    if (PX_LIKELY(!encoder->update))
        return out;
    encoder->update = false;
    if (encoder->update_min < encoder->table.bytes_max)
        out = put_number(out, 0x20, 0x1f, encoder->update_min);
    encoder->told = encoder->table.bytes_max;
    return put_number(out, 0x20, 0x1f, encoder->told);
}

/* --- Looking ---------------------------------------------------------------------------------- */

static inline uint64_t load(const char *from, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, from, len);
    return word;
}

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* Eight bytes at a time, the last ones twice where there is a rest. */
static inline uint32_t hash_more(uint64_t hash, px_str text)
{
    const char *at = text.ptr;
    size_t len = text.len;

    if (PX_LIKELY(len >= 8)) {
        for (; len > 8; len -= 8, at += 8)
            hash = mix(hash, load(at, 8));
        hash = mix(hash, load(at + len - 8, 8));
    } else if (len >= 4) {
        hash = mix(hash, load(at, 4) | load(at + len - 4, 4) << 32);
    } else if (len > 0) {
        hash = mix(hash, (uint64_t)(uint8_t)at[0] | (uint64_t)(uint8_t)at[len / 2] << 8 |
                             (uint64_t)(uint8_t)at[len - 1] << 16);
    }
    return (uint32_t)mix(hash, text.len);
}

static inline bool text_equal(px_str one, px_str other)
{
    const char *a = one.ptr, *b = other.ptr;
    size_t len = one.len;

    if (len != other.len)
        return false;
    if (PX_UNLIKELY(len < 8))
        return len == 0 || memcmp(a, b, len) == 0;
    for (; len > 8; len -= 8, a += 8, b += 8)
        if (load(a, 8) != load(b, 8))
            return false;
    return load(a + len - 8, 8) == load(b + len - 8, 8);
}

/* What a field is called: an index of the static table, or a name in lower case. */
struct field_name {
    uint32_t index;
    uint32_t hash;
    px_str text;
};

static uint32_t index_at(const struct hpack_encoder *encoder, uint32_t place)
{
    return HPACK_STATIC_COUNT + 1 + hpack_table_age(&encoder->table, place);
}

/* The entry that a bucket names.  It may be another by now: it is compared. */
static const struct hpack_entry *entry_in(const struct hpack_encoder *encoder, uint8_t bucket)
{
    const struct hpack_table *table = &encoder->table;

    if (bucket == 0 || hpack_table_age(table, bucket - 1U) >= table->count)
        return NULL;
    return &table->entries[bucket - 1U];
}

/* The index of a field that is in the dynamic table, or 0. */
static uint32_t find_field(const struct hpack_encoder *encoder, const struct field_name *name,
                           px_str value, uint32_t hash)
{
    uint8_t bucket = encoder->by_field[hash % HPACK_BUCKETS];
    const struct hpack_entry *entry = entry_in(encoder, bucket);

    if (!entry || entry->hash != hash || entry->note != name->index ||
        !text_equal(hpack_entry_value(&encoder->table, entry), value) ||
        (name->index == 0 && !text_equal(hpack_entry_name(&encoder->table, entry), name->text)))
        return 0;
    return index_at(encoder, bucket - 1U);
}

/* The index of a name alone, or 0. */
static uint32_t find_name(const struct hpack_encoder *encoder, const struct field_name *name)
{
    if (name->index > 0)
        return name->index;
    uint8_t bucket = encoder->by_name[name->hash % HPACK_BUCKETS];
    const struct hpack_entry *entry = entry_in(encoder, bucket);

    if (!entry || !text_equal(hpack_entry_name(&encoder->table, entry), name->text))
        return 0;
    return index_at(encoder, bucket - 1U);
}

/* --- Fields ----------------------------------------------------------------------------------- */

/* Whether the same field came before; else it is remembered, in place of the oldest. */
static bool came_before(struct hpack_encoder *encoder, uint32_t hash)
{
    for (uint32_t index = 0; index < HPACK_SEEN_COUNT; index++)
        if (encoder->seen[index] == hash)
            return true;
    encoder->seen[encoder->seen_next] = hash;
    encoder->seen_next = (uint8_t)((encoder->seen_next + 1) % HPACK_SEEN_COUNT);
    return false;
}

/* Puts a field into the table: false where it does not fit, or there is no memory. */
static bool keep(struct hpack_encoder *encoder, const struct field_name *name, px_str value,
                 uint32_t hash)
{
    struct hpack_entry *entry;

    if (name->text.len + value.len + HPACK_ENTRY_BYTES > encoder->table.bytes_max / 2)
        return false;
    if (hpack_table_add(&encoder->table, name->text, value, &entry) != PX_OK || !entry)
        return false;
    uint8_t bucket = (uint8_t)(entry - encoder->table.entries + 1);

    entry->hash = hash;
    entry->note = (uint16_t)name->index;
    encoder->by_field[hash % HPACK_BUCKETS] = bucket;
    if (name->index == 0)
        encoder->by_name[name->hash % HPACK_BUCKETS] = bucket;
    return true;
}

/* Fields that are not to be guessed by what compresses well (RFC 7541 section 7.1.3). */
static bool is_secret(uint32_t name_index)
{
    enum { AUTHORIZATION = 23, COOKIE = 32, PROXY_AUTHORIZATION = 49, SET_COOKIE = 55 };

    return name_index == AUTHORIZATION || name_index == COOKIE ||
           name_index == PROXY_AUTHORIZATION || name_index == SET_COOKIE;
}

static char *put_literal(char *out, uint32_t bits, uint32_t index, px_str name, px_str value)
{
    out = put_number(out, bits, bits == LITERAL_INDEXED ? 0x3f : 0x0f, index);
    if (index == 0)
        out = put_string(out, name);
    return put_string(out, value);
}

static char *put_field(struct hpack_encoder *encoder, char *out, const struct field_name *name,
                       px_str value)
{
    uint32_t hash = hash_more(name->hash, value);
    uint32_t index = find_field(encoder, name, value, hash);

    if (PX_LIKELY(index > 0))
        return put_number(out, 0x80, 0x7f, index);
    index = find_name(encoder, name);
    if (is_secret(name->index))
        return put_literal(out, LITERAL_NEVER, index, name->text, value);
    bool keeps = came_before(encoder, hash) && keep(encoder, name, value, hash);

    return put_literal(out, keeps ? LITERAL_INDEXED : LITERAL_PLAIN, index, name->text, value);
}

char *hpack_encode_known(struct hpack_encoder *encoder, char *out, uint32_t name_index,
                         px_str value)
{
    const struct field_name name = {name_index, name_index, hpack_static[name_index - 1].name};

    return put_field(encoder, out, &name, value);
}

char *hpack_encode_status(struct hpack_encoder *encoder, char *out, unsigned status)
{
    static const uint16_t known[] = {200, 204, 206, 304, 400, 404, 500};

    CHECK(status >= 100 && status <= 999);
    for (uint32_t index = 0; index < ARRAY_COUNT(known); index++) {
        if (known[index] == status) {
            *out++ = (char)(0x80 | (HPACK_STATUS + index));
            return out;
        }
    }
    const char text[3] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                          (char)('0' + status % 10)};
    px_str value = px_str_make(text, sizeof(text));

    return hpack_encode_known(encoder, out, HPACK_STATUS, value);
}

/* The first index of a name in the static table, or 0. */
static uint32_t static_name(px_str name)
{
    const struct hpack_hash *hash = &hpack_static_hash;

    if (name.len == 0)
        return 0;
    size_t slot = name.len * hash->length_factor + (uint8_t)name.ptr[0] * hash->first_factor +
                  (uint8_t)name.ptr[name.len / 2] * hash->middle_factor +
                  (uint8_t)name.ptr[name.len - 1];
    uint32_t index = hash->slots[slot % HPACK_HASH_SLOTS];

    return index > 0 && text_equal(hpack_static[index - 1].name, name) ? index : 0;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* The index of a whole field in the static table, or 0. */
static uint32_t static_field(uint32_t index, px_str name, px_str value)
{
    for (; index > 0 && index <= HPACK_STATIC_COUNT && hpack_static[index - 1].value.len > 0 &&
           text_equal(hpack_static[index - 1].name, name);
         index++)
        if (text_equal(hpack_static[index - 1].value, value))
            return index;
    return 0;
}

char *hpack_encode(struct hpack_encoder *encoder, char *out, px_str name, px_str value)
{
    char text[NAME_BYTES_MAX];

    if (PX_UNLIKELY(name.len > sizeof(text))) {
        out = put_number(out, LITERAL_PLAIN, 0x0f, 0);
        out = put_number(out, 0, 0x7f, name.len);
        for (size_t at = 0; at < name.len; at++)
            *out++ = lower(name.ptr[at]);
        return put_string(out, value);
    }
    for (size_t at = 0; at < name.len; at++)
        text[at] = lower(name.ptr[at]);
    struct field_name field = {.text = px_str_make(text, name.len)};

    field.index = static_name(field.text);
    uint32_t whole = static_field(field.index, field.text, value);

    if (whole > 0)
        return put_number(out, 0x80, 0x7f, whole);
    field.hash = field.index > 0 ? field.index : hash_more(1, field.text);
    return put_field(encoder, out, &field, value);
}
