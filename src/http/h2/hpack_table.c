/*
 * Entries come at one end and go at the other, so their texts do too.  Where what is free lies at
 * both ends of the text's memory and neither is enough, the texts are moved together; that is rare,
 * since what is free is at least 32 bytes an entry.
 */
#include "http/h2/hpack_table.h"

#include <string.h>

#include "base/check.h"

enum { ROOM_FIRST = 512 };

_Static_assert(HPACK_TABLE_BYTES_MAX <= UINT16_MAX, "its lengths are of 16 bits");
_Static_assert((HPACK_TABLE_BYTES_MAX & (HPACK_TABLE_BYTES_MAX - 1)) == 0, "rooms are powers of 2");

void hpack_table_init(struct hpack_table *table, struct h2_memory *memory, uint32_t bytes_max)
{
    CHECK(bytes_max <= HPACK_TABLE_BYTES_MAX);
    *table = (struct hpack_table){.memory = memory, .bytes_max = (uint16_t)bytes_max};
}

void hpack_table_deinit(struct hpack_table *table)
{
    h2_memory_put(table->memory, table->entries);
    table->entries = NULL;
}

void hpack_table_check(const struct hpack_table *table)
{
    size_t bytes = 0;

    ASSERT(table->bytes <= table->bytes_max && table->bytes_max <= HPACK_TABLE_BYTES_MAX);
    ASSERT((table->room > 0) == (table->entries != NULL));
    ASSERT(table->room == 0 || table->mask == table->room / HPACK_ENTRY_BYTES - 1);
    ASSERT(table->bytes <= table->room && table->text_end <= table->room);
    ASSERT(table->count == 0 || table->entries);
    for (uint32_t age = 0; age < table->count; age++) {
        const struct hpack_entry *entry = &table->entries[hpack_table_place(table, age)];

        ASSERT(entry->at + entry->name_len + entry->value_len <= table->room);
        ASSERT(hpack_table_age(table, hpack_table_place(table, age)) == age);
        bytes += (size_t)entry->name_len + entry->value_len + HPACK_ENTRY_BYTES;
    }
    ASSERT(bytes == table->bytes);
}

static void drop_oldest(struct hpack_table *table)
{
    const struct hpack_entry *entry = &table->entries[table->first];

    table->bytes =
        (uint16_t)(table->bytes - entry->name_len - entry->value_len - HPACK_ENTRY_BYTES);
    table->first = (uint16_t)((table->first + 1) & table->mask);
    if (--table->count == 0)
        table->text_end = 0;
}

void hpack_table_resize(struct hpack_table *table, uint32_t bytes_max)
{
    CHECK(bytes_max <= HPACK_TABLE_BYTES_MAX);
    while (table->bytes > bytes_max)
        drop_oldest(table);
    table->bytes_max = (uint16_t)bytes_max;
}

/* Copies entries and texts to where both begin with the oldest.  Returns the end of the texts. */
static uint16_t gather(const struct hpack_table *table, struct hpack_entry *entries, char *text)
{
    uint16_t at = 0;

    for (uint32_t age = table->count; age-- > 0; entries++) {
        *entries = table->entries[hpack_table_place(table, age)];
        size_t len = (size_t)entries->name_len + entries->value_len;

        memcpy(text + at, hpack_table_text(table) + entries->at, len);
        entries->at = at;
        at = (uint16_t)(at + len);
    }
    return at;
}

static px_err grow(struct hpack_table *table, size_t bytes)
{
    uint32_t room = table->room ? table->room : ROOM_FIRST;

    while (room < bytes)
        room *= 2;
    uint32_t places = room / HPACK_ENTRY_BYTES;
    struct hpack_entry *entries = h2_memory_take(table->memory, places * sizeof(*entries) + room);

    if (!entries)
        return PX_ERR_MEMORY;
    table->text_end = gather(table, entries, (char *)(entries + places));
    h2_memory_put(table->memory, table->entries);
    table->entries = entries;
    table->room = (uint16_t)room;
    table->mask = (uint16_t)(places - 1);
    table->first = 0;
    return PX_OK;
}

static char *text_of(struct hpack_table *table)
{
    return (char *)(table->entries + table->mask + 1);
}

static void move_together(struct hpack_table *table)
{
    struct hpack_entry entries[HPACK_TABLE_BYTES_MAX / HPACK_ENTRY_BYTES];
    char text[HPACK_TABLE_BYTES_MAX];

    table->text_end = gather(table, entries, text);
    memcpy(table->entries, entries, table->count * sizeof(*entries));
    memcpy(text_of(table), text, table->text_end);
    table->first = 0;
}

/* Where a text of that length goes. */
static uint16_t place_text(struct hpack_table *table, size_t len)
{
    uint16_t head = table->count > 0 ? table->entries[table->first].at : 0;

    if (table->text_end >= head) {
        if ((size_t)table->room - table->text_end >= len)
            return table->text_end;
        if (head > len)
            return 0;
    } else if ((size_t)head - table->text_end > len) {
        return table->text_end;
    }
    move_together(table);
    CHECK((size_t)table->room - table->text_end >= len);
    return table->text_end;
}

px_err hpack_table_add(struct hpack_table *table, px_str name, px_str value,
                       struct hpack_entry **out_entry)
{
    size_t len = name.len + value.len;
    size_t bytes = len + HPACK_ENTRY_BYTES;

    *out_entry = NULL;
    /* RFC 7541 section 4.4. */
    while (table->count > 0 && bytes > (size_t)table->bytes_max - table->bytes)
        drop_oldest(table);
    if (bytes > table->bytes_max)
        return PX_OK;
    if (table->bytes + bytes > table->room && grow(table, table->bytes + bytes) != PX_OK)
        return PX_ERR_MEMORY;
    uint16_t at = place_text(table, len);
    char *text = text_of(table) + at;

    table->count++;
    struct hpack_entry *entry = &table->entries[hpack_table_place(table, 0)];

    memcpy(text, name.ptr, name.len);
    if (value.len > 0)
        memcpy(text + name.len, value.ptr, value.len);
    *entry = (struct hpack_entry){
        .at = at, .name_len = (uint16_t)name.len, .value_len = (uint16_t)value.len};
    table->text_end = (uint16_t)(at + len);
    table->bytes = (uint16_t)(table->bytes + bytes);
    *out_entry = entry;
    return PX_OK;
}
