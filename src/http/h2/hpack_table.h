/*
 * The dynamic table of HPACK (RFC 7541 section 2.3.2): a ring of entries and a ring of their text,
 * of which each entry's lies in one piece.
 *
 * Happy path: hpack_table_add puts an entry in front, and the oldest ones go where it would be too
 * much.  Its memory is taken when there is something to keep, and doubles up to what the table may
 * have.  It can fail for want of memory: then the table is as it was, less what had to go.
 */
#ifndef PX_HTTP_H2_HPACK_TABLE_H
#define PX_HTTP_H2_HPACK_TABLE_H

#include "http/h2/h2_memory.h"
#include "pollux/error.h"
#include "pollux/str.h"

enum {
    HPACK_ENTRY_BYTES = 32, /* what an entry counts beside its text (RFC 7541 section 4.1) */
    HPACK_TABLE_BYTES_MAX = 4096
};

struct hpack_entry {
    uint32_t hash; /* the owner's, as `note` is */
    uint16_t at;   /* of its name in the text; its value is behind that */
    uint16_t name_len;
    uint16_t value_len;
    uint16_t note;
};

struct hpack_table {
    struct h2_memory *memory;    /* borrowed: outlives it */
    struct hpack_entry *entries; /* owned, or NULL; behind them their text */
    uint16_t bytes;              /* as RFC 7541 section 4.1 counts them */
    uint16_t bytes_max;
    uint16_t room;  /* bytes of text; a 32nd of it is how many entries there may be ... */
    uint16_t mask;  /* ... less one */
    uint16_t count; /* of entries */
    uint16_t first; /* where the oldest is */
    uint16_t text_end;
};

void hpack_table_init(struct hpack_table *table, struct h2_memory *memory, uint32_t bytes_max);
void hpack_table_deinit(struct hpack_table *table);

/* States what must hold; for tests. */
void hpack_table_check(const struct hpack_table *table);

/* What it may have from now on, at most HPACK_TABLE_BYTES_MAX. */
void hpack_table_resize(struct hpack_table *table, uint32_t bytes_max);

/* Puts a copy in front, or empties the table where it is larger than that may be.  Neither slice
 * lies in the table.  PX_OK or PX_ERR_MEMORY; *out_entry is NULL where it was too large. */
PX_MUST_CHECK px_err hpack_table_add(struct hpack_table *table, px_str name, px_str value,
                                     struct hpack_entry **out_entry);

/* The place of the entry that came `age` entries ago, 0 for the last. */
static inline uint32_t hpack_table_place(const struct hpack_table *table, uint32_t age)
{
    return (table->first + table->count - 1 - age) & table->mask;
}

/* The other way round, of a place that is in use. */
static inline uint32_t hpack_table_age(const struct hpack_table *table, uint32_t place)
{
    return (table->first + table->count - 1 - place) & table->mask;
}

static inline const char *hpack_table_text(const struct hpack_table *table)
{
    return (const char *)(table->entries + table->mask + 1);
}

static inline px_str hpack_entry_name(const struct hpack_table *table,
                                      const struct hpack_entry *entry)
{
    return px_str_make(hpack_table_text(table) + entry->at, entry->name_len);
}

static inline px_str hpack_entry_value(const struct hpack_table *table,
                                       const struct hpack_entry *entry)
{
    return px_str_make(hpack_table_text(table) + entry->at + entry->name_len, entry->value_len);
}

#endif
