/*
 * Reading header blocks: one representation after the other (RFC 7541 section 6).
 *
 * A representation is read when it is there whole, so there is no state between two calls but the
 * table.  Names and values are slices of the block, of a table, or of the scratch.
 */
#include <string.h>

#include "base/check.h"
#include "http/h2/hpack.h"
#include "http/h2/hpack_data.h"

/* What is left of a block, and of the scratch. */
struct reader {
    const uint8_t *at; /* borrowed: of the block */
    const uint8_t *end;
    char *scratch; /* borrowed: what is free of it */
    size_t scratch_room;
};

/* A string as it is on the wire. */
struct string {
    px_str text; /* borrowed: of the block */
    bool coded;
};

void hpack_decoder_init(struct hpack_decoder *decoder, struct h2_memory *memory,
                        struct hpack_scratch *scratch, uint32_t block_bytes_max)
{
    CHECK(scratch->room >= hpack_scratch_bytes(block_bytes_max));
    /* Its size is the default of SETTINGS_HEADER_TABLE_SIZE, which we do not change. */
    hpack_table_init(&decoder->table, memory, HPACK_TABLE_BYTES_MAX);
    decoder->scratch = scratch;
    decoder->string_bytes_max = block_bytes_max;
    decoder->field_seen = false;
}

void hpack_decoder_deinit(struct hpack_decoder *decoder)
{
    hpack_table_deinit(&decoder->table);
}

size_t hpack_huffman_decode(px_str codes, char *out, size_t room)
{
    const uint8_t *at = (const uint8_t *)codes.ptr, *end = at + codes.len;
    uint32_t state = 0, flags = HPACK_ACCEPT;
    size_t len = 0;

    for (; at < end; at++) {
        const struct hpack_step *high = &hpack_steps[state][*at >> 4];
        const struct hpack_step *low = &hpack_steps[high->next][*at & 15];

        if (PX_UNLIKELY(((high->flags | low->flags) & HPACK_FAIL) || room - len < 2))
            return SIZE_MAX;
        out[len] = (char)high->byte;
        len += high->flags & HPACK_EMIT;
        out[len] = (char)low->byte;
        len += low->flags & HPACK_EMIT;
        state = low->next;
        flags = low->flags;
    }
    return flags & HPACK_ACCEPT ? len : SIZE_MAX;
}

/* RFC 7541 section 5.1.  PX_AGAIN: not all of it is there. */
static px_err read_number(struct reader *reader, uint32_t prefix, uint32_t *out_number)
{
    uint32_t number = *reader->at & prefix;

    if (PX_LIKELY(number < prefix)) {
        reader->at++;
        *out_number = number;
        return PX_OK;
    }
    const uint8_t *at = reader->at + 1;

    for (uint32_t shift = 0; at < reader->end; shift += 7, at++) {
        uint32_t more = *at & 0x7f;

        if (shift >= 32 || UINT32_MAX >> shift < more || UINT32_MAX - (more << shift) < number)
            return PX_ERR_MALFORMED;
        number += more << shift;
        if (*at & 0x80)
            continue;
        reader->at = at + 1;
        *out_number = number;
        return PX_OK;
    }
    return PX_AGAIN;
}

/* RFC 7541 section 5.2.  It is not decoded before the whole field is there, so that one which
 * trickles is decoded once. */
static px_err read_string(const struct hpack_decoder *decoder, struct reader *reader,
                          struct string *out_string)
{
    uint32_t bytes;

    if (reader->at == reader->end)
        return PX_AGAIN;
    bool coded = *reader->at & 0x80;
    px_err err = read_number(reader, 0x7f, &bytes);

    if (err != PX_OK)
        return err;
    if (bytes > decoder->string_bytes_max)
        return PX_ERR_MALFORMED;
    if (bytes > (size_t)(reader->end - reader->at))
        return PX_AGAIN;
    *out_string = (struct string){px_str_make((const char *)reader->at, bytes), coded};
    reader->at += bytes;
    return PX_OK;
}

static px_err decode_string(struct reader *reader, const struct string *string, px_str *out_text)
{
    *out_text = string->text;
    if (!string->coded)
        return PX_OK;
    size_t len = hpack_huffman_decode(string->text, reader->scratch, reader->scratch_room);

    if (len == SIZE_MAX)
        return PX_ERR_MALFORMED;
    *out_text = px_str_make(reader->scratch, len);
    reader->scratch += len;
    reader->scratch_room -= len;
    return PX_OK;
}

/* RFC 7541 section 2.3.3: the static table, then the dynamic one from its newest entry. */
static struct hpack_entry *entry_of(const struct hpack_decoder *decoder, uint32_t index)
{
    uint32_t age = index - HPACK_STATIC_COUNT - 1;

    if (age >= decoder->table.count)
        return NULL;
    return &decoder->table.entries[hpack_table_place(&decoder->table, age)];
}

/* RFC 7541 section 6.1: all of a field is in a table. */
static px_err read_indexed(struct hpack_decoder *decoder, struct reader *reader, hpack_sink *sink,
                           void *context)
{
    uint32_t index;
    px_err err = read_number(reader, 0x7f, &index);

    if (err != PX_OK)
        return err;
    if (index == 0)
        return PX_ERR_MALFORMED;
    decoder->field_seen = true;
    if (index <= HPACK_STATIC_COUNT) {
        const struct hpack_pair *pair = &hpack_static[index - 1];

        return sink(context, pair->name, pair->value, &decoder->scratch->notes[index - 1])
                   ? PX_OK
                   : PX_ERR_LIMIT;
    }
    struct hpack_entry *entry = entry_of(decoder, index);

    if (!entry)
        return PX_ERR_MALFORMED;
    return sink(context, hpack_entry_name(&decoder->table, entry),
                hpack_entry_value(&decoder->table, entry), &entry->note)
               ? PX_OK
               : PX_ERR_LIMIT;
}

/* A name by its index. */
static px_str name_of(const struct hpack_decoder *decoder, struct reader *reader, uint32_t index)
{
    if (index <= HPACK_STATIC_COUNT)
        return hpack_static[index - 1].name;
    px_str name = hpack_entry_name(&decoder->table, entry_of(decoder, index));

    /* Its own entry may go where this field's comes (RFC 7541 section 4.4). */
    memcpy(reader->scratch, name.ptr, name.len);
    name.ptr = reader->scratch;
    reader->scratch += name.len;
    reader->scratch_room -= name.len;
    return name;
}

/* RFC 7541 section 6.2: a name, by its index or as a string, and a value. */
static px_err read_literal(const struct hpack_decoder *decoder, struct reader *reader,
                           uint32_t prefix, px_str *out_name, px_str *out_value)
{
    struct string name = {.coded = false}, value;
    uint32_t index;
    px_err err = read_number(reader, prefix, &index);

    if (err == PX_OK && index > HPACK_STATIC_COUNT && !entry_of(decoder, index))
        return PX_ERR_MALFORMED;
    if (err == PX_OK && index == 0)
        err = read_string(decoder, reader, &name);
    if (err == PX_OK)
        err = read_string(decoder, reader, &value);
    if (err == PX_OK && index == 0)
        err = decode_string(reader, &name, out_name);
    if (err != PX_OK)
        return err;
    if (index > 0)
        *out_name = name_of(decoder, reader, index);
    return decode_string(reader, &value, out_value);
}

/* RFC 7541 section 6.3: at the beginning of a block, and no more than we offer. */
static px_err read_update(struct hpack_decoder *decoder, struct reader *reader)
{
    uint32_t bytes;
    px_err err = read_number(reader, 0x1f, &bytes);

    if (err != PX_OK)
        return err;
    if (decoder->field_seen || bytes > HPACK_TABLE_BYTES_MAX)
        return PX_ERR_MALFORMED;
    hpack_table_resize(&decoder->table, bytes);
    return PX_OK;
}

/* RFC 7541 section 6: the next representation, whole. */
static px_err read_field(struct hpack_decoder *decoder, struct reader *reader, hpack_sink *sink,
                         void *context)
{
    uint8_t first = *reader->at;
    struct hpack_entry *entry = NULL;
    px_str name, value;
    px_err err;

    if (PX_LIKELY(first & 0x80))
        return read_indexed(decoder, reader, sink, context);
    if ((first & 0xe0) == 0x20)
        return read_update(decoder, reader);
    bool keeps = first & 0x40;

    err = read_literal(decoder, reader, keeps ? 0x3f : 0x0f, &name, &value);
    if (err != PX_OK)
        return err;
    decoder->field_seen = true;
    if (keeps && hpack_table_add(&decoder->table, name, value, &entry) != PX_OK)
        return PX_ERR_MEMORY;
    return sink(context, name, value, entry ? &entry->note : NULL) ? PX_OK : PX_ERR_LIMIT;
}

px_err hpack_decode(struct hpack_decoder *decoder, px_str bytes, hpack_sink *sink, void *context,
                    size_t *out_used)
{
    struct reader reader = {.at = (const uint8_t *)bytes.ptr};
    px_err err = PX_OK;

    reader.end = reader.at + bytes.len;
    *out_used = 0;
    while (reader.at < reader.end && err == PX_OK) {
        reader.scratch = decoder->scratch->ptr;
        reader.scratch_room = decoder->scratch->room;
        err = read_field(decoder, &reader, sink, context);
        if (err == PX_OK)
            *out_used = (size_t)(reader.at - (const uint8_t *)bytes.ptr);
    }
    return err == PX_AGAIN ? PX_OK : err;
}
