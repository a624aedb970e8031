/*
 * HPACK (RFC 7541), both ways and without I/O.
 *
 * Happy path of reading: hpack_decode is given the bytes of a header block as they come and calls
 * a sink for each field; what is not a whole field yet is to be given again with what follows.  It
 * can fail by a broken block, which ends the connection (COMPRESSION_ERROR), by its sink, or for
 * want of memory.
 *
 * Happy path of writing: hpack_begin, and hpack_encode for each field.  What came twice is put into
 * the dynamic table, what came once is not: so a field that repeats is soon a byte, and one that
 * never does drives nothing out.  Fields that must stay secret are never indexed.  It cannot fail.
 */
#ifndef PX_HTTP_H2_HPACK_H
#define PX_HTTP_H2_HPACK_H

#include <stdbool.h>

#include "http/h2/hpack_data.h"
#include "http/h2/hpack_table.h"

/* --- Reading ---------------------------------------------------------------------------------- */

/* Where Huffman codes are decoded to, for one field at a time; many decoders may share one. */
struct hpack_scratch {
    char *ptr; /* owned by whose it is */
    size_t room;
    uint16_t notes[HPACK_STATIC_COUNT]; /* of fields of the static table */
};

/* What a scratch must have for blocks of that many bytes. */
static inline size_t hpack_scratch_bytes(size_t block_bytes_max)
{
    /* The shortest codes have five bits; a name may come from the table. */
    return block_bytes_max / 5 * 8 + 16 + HPACK_TABLE_BYTES_MAX;
}

struct hpack_decoder {
    struct hpack_table table;
    struct hpack_scratch *scratch; /* borrowed: outlives it */
    uint32_t string_bytes_max;     /* as it is on the wire */
    bool field_seen;               /* in this block: no size update may come any more */
};

/* A field, for the call.  False: the block is not to be read on.  `note`, or NULL: what the sink
 * wants to know of the same field when it comes again from a table; 0 at first. */
typedef bool hpack_sink(void *context, px_str name, px_str value, uint16_t *note);

void hpack_decoder_init(struct hpack_decoder *decoder, struct h2_memory *memory,
                        struct hpack_scratch *scratch, uint32_t block_bytes_max);
void hpack_decoder_deinit(struct hpack_decoder *decoder);

/* A new header block begins. */
static inline void hpack_decode_begin(struct hpack_decoder *decoder)
{
    decoder->field_seen = false;
}

/* Reads the whole fields of `bytes`, and says how much that was.  PX_OK, PX_ERR_MALFORMED,
 * PX_ERR_LIMIT (the sink said false), or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err hpack_decode(struct hpack_decoder *decoder, px_str bytes, hpack_sink *sink,
                                  void *context, size_t *out_used);

/* Decodes a string of Huffman codes (RFC 7541 section 5.2): its length, or SIZE_MAX where it is
 * none, or is longer than `room`. */
size_t hpack_huffman_decode(px_str codes, char *out, size_t room);

/* --- Writing ---------------------------------------------------------------------------------- */

enum {
    HPACK_BUCKETS = 64,
    HPACK_SEEN_COUNT = 32,
    HPACK_ENCODER_BYTES_MAX = 2048, /* of its table: some twenty fields of an answer */
    HPACK_BEGIN_BYTES = 8,          /* what hpack_begin writes at most */
    HPACK_FIELD_BYTES = 16          /* what a field has beside its text, at most */
};

struct hpack_encoder {
    struct hpack_table table;
    uint32_t told;                   /* the size that the peer's table has */
    uint32_t update_min;             /* the least that the peer allowed since the last block */
    bool update;                     /* ... and the size of the table is to be told */
    uint8_t by_field[HPACK_BUCKETS]; /* by hash: a place in the table and 1, or 0 */
    uint8_t by_name[HPACK_BUCKETS];  /* likewise, by the hash of the name */
    uint32_t seen[HPACK_SEEN_COUNT]; /* hashes of fields that came and were not indexed */
    uint8_t seen_next;               /* which of them is the oldest */
};

void hpack_encoder_init(struct hpack_encoder *encoder, struct h2_memory *memory);
void hpack_encoder_deinit(struct hpack_encoder *encoder);

/* The peer's SETTINGS_HEADER_TABLE_SIZE. */
void hpack_encoder_limit(struct hpack_encoder *encoder, uint32_t bytes_max);

/* A new header block begins; each function returns the end of what it wrote. */
char *hpack_begin(struct hpack_encoder *encoder, char *out);

/* ":status", of three digits. */
char *hpack_encode_status(struct hpack_encoder *encoder, char *out, unsigned status);

/* A field whose name is in the static table, under that index. */
char *hpack_encode_known(struct hpack_encoder *encoder, char *out, uint32_t name_index,
                         px_str value);

/* Any other; its name is written in lower case. */
char *hpack_encode(struct hpack_encoder *encoder, char *out, px_str name, px_str value);

/* Indices of names in the static table (RFC 7541 appendix A). */
enum hpack_name {
    HPACK_AUTHORITY = 1,
    HPACK_METHOD = 2,
    HPACK_PATH = 4,
    HPACK_SCHEME = 6,
    HPACK_STATUS = 8,
    HPACK_CONTENT_LENGTH = 28,
    HPACK_CONTENT_TYPE = 31,
    HPACK_DATE = 33,
    HPACK_SERVER = 54
};

#endif
