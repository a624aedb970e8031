/*
 * What the parts of compressing share.
 *
 *   compress.c          the filter: takes content, gives coded content, flushes
 *   compress_head.c     which answers are coded, by what, and what their heads say
 *   compress_cache.c    coded content that is sent again
 *   compress_gzip.c, compress_brotli.c, compress_zstd.c
 *                       a coder each, a table of functions; CMake takes compress_no_NAME.c where
 *                       the library is not there
 *
 * Happy path: compress_head chooses a coding, a coder is taken, content runs through it, and the
 * coder is put back for the next answer.  It can fail for want of memory: before the head is
 * sent the answer then goes out as it is, later it breaks.
 */
#ifndef PX_HANDLERS_COMPRESS_H
#define PX_HANDLERS_COMPRESS_H

#include "base/buf.h"
#include "base/limits.h"
#include "http/fields/accept.h"
#include "io/cache.h"
#include "io/root.h"
#include "pollux/compress.h"
#include "pollux/request.h"
#include "pollux/response.h"

/* What a coder is asked to do with its input. */
enum coder_wish {
    CODER_GO_ON, /* code it some time */
    CODER_FLUSH, /* and give all that was put in so far */
    CODER_FINISH /* and end */
};

/* A way to code, with functions that know nothing of exchanges. */
struct coder_kind {
    enum coding coding;
    uint32_t memory_bytes; /* what one takes, about, at most */
    /* A coder, or NULL without memory. */
    void *(*create)(const px_allocator *allocator);
    /* Begins a stream of `length` bytes (PX_LENGTH_UNKNOWN), also after another one: PX_OK or
     * PX_ERR_MEMORY. */
    px_err (*begin)(void *coder, uint64_t length);
    /* Takes input and gives output as far as there is room.  `out_done`: the wish is fulfilled.
     * PX_OK, PX_ERR_MEMORY or PX_ERR_INVALID (a bug). */
    px_err (*step)(void *coder, px_filter_step *step, enum coder_wish wish, bool *out_done);
    void (*destroy)(void *coder);
};

/* NULL where the library was built without. */
extern const struct coder_kind *const coder_gzip;
extern const struct coder_kind *const coder_brotli;
extern const struct coder_kind *const coder_zstd;

/* --- The cache (compress_cache.c) ------------------------------------------------------------- */

struct compress_cache;

/* NULL without memory or random bytes. */
struct compress_cache *compress_cache_create(const px_allocator *allocator, uint64_t bytes_max);

/* Answers that send what is in it keep what they need.  NULL is fine. */
void compress_cache_destroy(struct compress_cache *cache);

/* Lets go of what was not used for a while, as loop_cache.age; *out_holds: whether there is more.
 */
uint32_t compress_cache_age(struct compress_cache *cache, bool *out_holds);

/* What names the content of an answer, before its head is changed, in the exchange's memory; absent
 * when nothing does.  The coding goes into it by the second. */
px_str compress_cache_key(px_exchange *exchange);
void compress_cache_key_coding(px_str key, enum coding coding);

/* Puts coded content in place of the answer's, if there is any of that key. */
bool compress_cache_answer(struct compress_cache *cache, px_exchange *exchange, px_str key);

/* Coded content that is written down while it is sent.  All zero, or given up: `cache` is NULL, and
 * everything else does nothing. */
struct compress_record {
    struct compress_cache *cache;
    px_str key; /* borrowed: the exchange's */
    struct buf bytes;
    int fd;                /* borrowed with the exchange's content: a file, or -1 */
    struct file_info file; /* what it was at the beginning */
};

void compress_record_begin(struct compress_cache *cache, px_exchange *exchange, px_str key,
                           struct compress_record *record);
void compress_record_add(struct compress_record *record, px_str bytes);

/* It was whole: it goes into the cache, unless it was made of a file that changed meanwhile, whose
 * tag would not be that of these bytes. */
void compress_record_keep(struct compress_record *record);
void compress_record_end(struct compress_record *record);

/* --- What a server has of it ------------------------------------------------------------------ */

struct coder_shelf {
    const struct coder_kind *kind; /* NULL: not offered */
    void *idle[COMPRESS_IDLE_MAX]; /* owned: coders between two answers */
    uint32_t idle_count;
    uint32_t spare; /* the fewest that were idle since what is old was let go */
    uint32_t at_work;
};

struct px_compress {
    px_allocator allocator;
    uint32_t holds;
    uint32_t offered; /* bits 1 << coding */
    uint32_t bytes_min;
    uint64_t memory_bytes; /* of coders at work */
    uint64_t memory_bytes_max;
    struct compress_cache *cache; /* owned, or NULL */
    struct coder_shelf shelves[CODING_COUNT];
    struct loop_cache old; /* of coders and of what they made */
};

/* What an exchange has of it, in its arena. */
struct compress_stream {
    struct px_compress *compress;
    struct coder_shelf *shelf;
    void *coder; /* owned; NULL when no content is sent (HEAD) */
    bool dirty;  /* the coder was given bytes that are not flushed */
    struct compress_record record;
};

/* --- Heads (compress_head.c) ------------------------------------------------------------------ */

/* Whether an answer could be coded, whatever the request accepts. */
bool compress_is_fit(const struct px_compress *compress, const px_exchange *exchange);

/* Whether it was asked for by GET or HEAD. */
bool compress_is_fetch(const px_exchange *exchange);

/* Says that the answer depends on Accept-Encoding, once. */
void compress_vary(px_exchange *exchange);

/* The ETag of the coded content, in the exchange's memory; absent without a strong one. */
px_str compress_etag(px_exchange *exchange, enum coding coding);

/* Whether the client says that it has the content of that ETag (If-None-Match).  Handlers hold it
 * against the ETag they know, which is another. */
bool compress_is_known(const px_exchange *exchange, px_str etag);

/* Sets the fields of coded content; `etag` may be absent. */
void compress_set_head(px_exchange *exchange, enum coding coding, px_str etag);

/* Turns the answer into a 304 (RFC 9110 section 15.4.5). */
void compress_set_known(px_exchange *exchange, px_str etag);

/* --- All of it -------------------------------------------------------------------------------- */

struct px_compress *compress_create(const px_allocator *allocator,
                                    const px_compress_options *options, px_error *out_error);

/* For px_server_filter, with a struct px_compress. */
extern const px_filter compress_filter;

#endif
