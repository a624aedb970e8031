/*
 * What the parts of the file handler share.
 *
 * From the top to the bottom; each uses only what stands below it:
 *
 *   files.c          a request: what its path proved to be, and what that is answered with
 *   files_setup.c    making and ending a px_files
 *   files_path.c     from a request's target to a path beneath the folder
 *   files_listing.c  the page of a folder (files_listing.h has its parts)
 *   files_answer.c   a file: preconditions, ranges
 *   files_parts.c    several ranges at once (multipart/byteranges)
 *   files_fail.c     errors, with the page of their status
 *   files_content.c  content of a file, or a part of it
 *   files_load.c     finding a file: at once where nothing can block, else by helper threads
 *   files_sidecar.c  encoded forms of a file that lie beside it
 *   files_type.c     media types, as the options change them
 *   files_cache.c    the table of entries that were found, bounded in descriptors and bytes
 *   files_entry.c    what is known of a file that was found: validators, fields, content
 *   files_life.c     the counted px_files
 *
 * Happy path: path -> cache -> answer, without a system call.  An entry is counted: the table,
 * every answer under way, and the load at work on it hold a reference.
 */
#ifndef PX_HANDLERS_FILES_H
#define PX_HANDLERS_FILES_H

#include "base/alloc.h"
#include "base/list.h"
#include "base/siphash.h"
#include "http/fields/conditional.h"
#include "http/fields/date.h"
#include "http/fields/etag.h"
#include "http/fields/range.h"
#include "io/cache.h"
#include "io/root.h"
#include "pollux/files.h"
#include "pollux/request.h"
#include "pollux/response.h"

enum { FILES_FIELDS_MAX = 5 };

/* What a path proved to be. */
enum files_outcome {
    FILES_LOADING,   /* not known yet */
    FILES_FILE,      /* a file, or a folder's index */
    FILES_NO_SLASH,  /* a folder whose path lacks the slash */
    FILES_LISTED,    /* a folder without index, to be listed: `fd` is it */
    FILES_FORBIDDEN, /* a folder without index or listing, or no permission */
    FILES_MISSING,
    FILES_BUSY,  /* descriptors, memory or helpers ran short */
    FILES_BROKEN /* the disk */
};

/* A file with a part of its own: the error page of a status, or the fallback. */
struct files_page {
    unsigned status; /* 0: the fallback */
    bool own_root;   /* the file lies outside of the folder */
    struct root root;
    char *path; /* owned: beneath the root */
};

struct files_entry {
    struct list used;              /* on cache->used, the longest unused first */
    struct files_entry *next;      /* in its bucket */
    struct px_files *files;        /* a reference */
    struct files_load *load;       /* owned while FILES_LOADING */
    const struct files_page *page; /* borrowed: the files'; NULL for what is found by its path */
    const char *index;             /* borrowed: the files'; the name that was found in a folder */
    uint64_t hash;
    uint64_t checked_ms;
    uint64_t warm_ms; /* when all of it was sent from the page cache, last looked at; 0: never */
    uint64_t bytes;   /* what it counts for in the cache */
    uint32_t refs;
    uint32_t age;    /* cache->age when it was last used */
    uint8_t outcome; /* enum files_outcome */
    bool in_table;
    bool fd_counted;  /* `fd` is one of cache->file_count: not while it loads */
    bool young;       /* it changed just before it was read: equal times prove nothing */
    bool hashed;      /* `content_hash` is of the content: of small files, and of those whose time
                         says little (files_entry_time_is_set) */
    uint8_t sidecars; /* codings there is a sidecar for: a bit each, as files_sidecars said */
    int fd;           /* owned, or -1: content is in memory */
    char *content;    /* owned: small content, or NULL */
    struct file_info info;
    struct validators validators;
    px_str cache_control; /* borrowed: the files' */
    uint64_t content_hash;
    px_kept_fields kept;               /* what goes with its content; the type is static */
    uint32_t own_count;                /* of `fields`: those of this very form of the content */
    px_field fields[FILES_FIELDS_MAX]; /* what goes with content and with 304 */
    char etag[ETAG_BYTES_MAX + 1];     /* these end in NUL, as all fields do */
    char modified[DATE_BYTES + 1];
    uint32_t path_len;
    char path[]; /* beneath the root, decoded, ends in NUL */
};

struct files_cache {
    struct files_entry **buckets; /* owned */
    uint32_t bucket_count;        /* a power of two */
    uint32_t entry_count;
    uint32_t file_count; /* descriptors */
    uint32_t files_max;
    uint64_t bytes;
    uint64_t bytes_max;
    uint32_t age; /* counts how often what is old was let go */
    struct list used;
    struct siphash_key key;
};

struct files_rule {
    char *pattern; /* owned */
    char *value;   /* owned */
};

/* A type of the options, or a text type with the charset of the options. */
struct files_type {
    struct files_type *next; /* owned */
    const char *key;         /* an extension (in `bytes`), or the type that is known (static) */
    px_str type;             /* in `bytes` */
    char bytes[];
};

struct px_files {
    px_allocator allocator;
    struct root root;
    uint32_t refs; /* the owner's, and each entry's */
    uint32_t waiting;
    uint32_t listing_count;      /* pieces of listings to be made: waiting, and the one at work */
    uint32_t listing_streams;    /* answers of more than one piece */
    uint32_t listing_page_count; /* on listing_pages */
    uint64_t listing_bytes;      /* rows in memory: kept, and being sent */
    uint64_t listing_kept;       /* of them: those that are kept */
    bool listing_busy;           /* a helper is at one */
    bool ended;                  /* px_files_destroy was called: nothing is kept any more */
    struct list listing_queue;   /* of struct listing_work, the next one first */
    struct list listing_pages;   /* of struct listing_page, the longest unused first */
    bool listing;
    bool sidecars;
    bool is_whole; /* the path is that of the request, whatever the route's pattern */
    uint32_t index_count;
    uint32_t rule_count;
    uint32_t page_count;
    char *indexes[FILE_INDEXES_MAX]; /* owned */
    struct files_rule *rules;        /* owned */
    struct files_page *pages;        /* owned; the fallback is one of them */
    struct files_type *types;        /* owned: of extensions */
    struct files_type *charsets;     /* owned: known types, made when they are first needed */
    char *charset;                   /* owned: NULL: as the types are known */
    char *name;                      /* owned: the folder, as it was given */
    void (*on_denied)(const char *root, const char *path, void *context);
    void *denied_context; /* borrowed: outlives it */
    px_field *fields;     /* owned, and so is their text */
    uint32_t field_count;
    struct siphash_key boundary_key;
    uint64_t boundary_count;
    struct files_cache cache;
    struct loop_cache old; /* of the table and of listings */
};

struct files_want;

/* Goes on with what was looked for.  `entry` is borrowed and not loading; NULL: it could not be
 * looked for, for want of memory, descriptors or helpers. */
typedef void files_done(px_exchange *exchange, struct px_files *files, struct files_entry *entry,
                        const struct files_want *want);

/* What a request looks for, and what is to be done with it. */
struct files_want {
    files_done *done;
    struct files_entry *base; /* a reference, which files_seek takes over: the file that an encoded
                                 form is looked for of; or NULL */
    const char *coding;       /* of that form: static */
    uint16_t status;          /* of the answer that a page is looked for */
};

/* --- files_life.c ----------------------------------------------------------------------------- */

void files_put(struct px_files *files);
const struct files_page *files_page_of(const struct px_files *files, unsigned status);

/* --- files_type.c ----------------------------------------------------------------------------- */

/* The media type of a file by its name, without regard to the charset.  Any thread. */
px_str files_type_plain(const struct px_files *files, px_str name);

/* As it is sent.  The loop's thread. */
px_str files_type_sent(struct px_files *files, px_str name);

/* Of the options: PX_OK, PX_ERR_INVALID or PX_ERR_MEMORY. */
/* Says that an entry of an array has a size that makes no sense: PX_ERR_INVALID. */
px_err files_other_version(px_error *out_error, const char *what);

PX_MUST_CHECK px_err files_types_copy(struct px_files *files, const px_files_options *options,
                                      px_error *out_error);
void files_types_free(struct px_files *files);

/* --- files_path.c ----------------------------------------------------------------------------- */

/* The path beneath the folder, without a slash in front: 0, or the status to answer with. */
unsigned files_path(px_exchange *exchange, bool is_whole, px_str *out_path);

/* Likewise of a name that the program gives, which is not encoded. */
unsigned files_name(px_exchange *exchange, px_str name, px_str *out_path);

/* The request's path with a slash behind it, and its query, as a relative reference (RFC 3986
 * section 4.2), which holds behind any proxy; absent without memory. */
px_str files_path_with_slash(px_exchange *exchange);

/* Whether `text` matches a pattern of `*` and `?`. */
bool files_glob(const char *pattern, px_str text);

/* --- files_cache.c ---------------------------------------------------------------------------- */

px_err files_cache_init(struct files_cache *cache, const px_allocator *allocator,
                        uint32_t files_max, uint64_t bytes_max);
void files_cache_deinit(struct px_files *files);
/* States what must hold of the table; O(count), for tests. */
void files_cache_check(const struct px_files *files);
/* The same for a loop, each tick: as loop_cache.check. */
void files_cache_tick(const struct loop_cache *old);

uint64_t files_cache_hash(const struct files_cache *cache, px_str path);
struct files_entry *files_cache_find(const struct files_cache *cache, px_str path,
                                     const struct files_page *page, uint64_t hash);
/* Puts an entry into the table, which takes a reference, and what is too much out of it. */
void files_cache_add(struct px_files *files, struct files_entry *entry);
void files_cache_remove(struct px_files *files, struct files_entry *entry);
/* Counts what an entry in the table has come to hold. */
void files_cache_account(struct px_files *files, struct files_entry *entry);
/* Lets go of what was not used for a while, as loop_cache.age; listings likewise. */
uint32_t files_cache_age(struct loop_cache *old);
/* Drops what is not in use, when the process is short of descriptors.  Whether there was any. */
bool files_cache_shrink(struct px_files *files);

static inline void files_cache_touch(struct files_cache *cache, struct files_entry *entry)
{
    list_remove(&entry->used);
    list_append(&cache->used, &entry->used);
    entry->age = cache->age;
}

/* --- files_load.c ----------------------------------------------------------------------------- */

/* Finds `path` (or the page) and goes on with `want.done`, now or from the loop; a request that has
 * ended meanwhile is forgotten. */
void files_seek(px_exchange *exchange, struct px_files *files, px_str path,
                const struct files_page *page, struct files_want want);

/* --- files_entry.c ---------------------------------------------------------------------------- */

struct files_entry *files_entry_create(struct px_files *files, px_str path,
                                       const struct files_page *page, uint64_t hash);
void files_entry_put(struct files_entry *entry);
static inline struct files_entry *files_entry_take(struct files_entry *entry)
{
    entry->refs++;
    return entry;
}

/* The path of the file that was found: the entry's own, and the index behind it. */
px_str files_entry_name(const struct files_entry *entry);

/* Whether a tool has set the file's time, or the file system has whole seconds alone: what a system
 * writes has nanoseconds.  Two versions may have one such time. */
static inline bool files_entry_time_is_set(const struct files_entry *entry)
{
    return entry->info.modified_ns == 0;
}

/* Hashes content that is not in memory, for its tag; blocks.  Any thread, while the entry loads. */
void files_entry_hash(struct files_entry *entry);

/* Makes validators and fields of what is known. */
void files_entry_settle(struct files_entry *entry, int64_t now);

/* --- files_content.c -------------------------------------------------------------------------- */

/* Answers with one range of an entry's content, or all of it; fields and type are set. */
void files_content_respond(px_exchange *exchange, unsigned status, struct files_entry *entry,
                           uint64_t first, uint64_t length);

/* The answer has the type of an entry, without a copy. */
void files_type_lend(px_exchange *exchange, struct files_entry *entry);

/* --- files_fail.c ----------------------------------------------------------------------------- */

/* Answers with an error, by its page if there is one. */
void files_fail(px_exchange *exchange, struct px_files *files, unsigned status);

/* --- files_answer.c --------------------------------------------------------------------------- */

/* Answers with an entry's content.  `base` is what was asked for: another entry than `entry` when
 * that is its encoded form, and `coding` names it; else NULL. */
void files_answer(px_exchange *exchange, struct files_entry *entry, struct files_entry *base,
                  const char *coding);

/* --- files_parts.c ---------------------------------------------------------------------------- */

/* Answers 206 with several ranges; the fields are set. */
void files_answer_parts(px_exchange *exchange, struct files_entry *entry, px_str type,
                        const struct byte_range *ranges, uint32_t count);

/* --- files_listing.c -------------------------------------------------------------------------- */

/* Lets go of the pages that are kept; the longest unused first, until the rest has `bytes_max`
 * bytes.
 */
void listing_pages_drop(struct px_files *files, uint64_t bytes_max);
/* What must hold of them between ticks. */
void listing_pages_check(const struct px_files *files);
/* Drops those that are not believed any more: how many there were. */
uint32_t listing_pages_age(struct px_files *files, uint64_t now_ms);

/* Answers with the page of a folder.  `entry->fd` is the folder's and shared with other answers:
 * open "." beneath it to read it, and hold a reference of the entry while you do. */
void files_listing_respond(px_exchange *exchange, struct files_entry *entry);

/* --- files_sidecar.c -------------------------------------------------------------------------- */

/* Which codings have a sidecar of `path`, a bit each; it may not be older than the file. */
px_err files_sidecars(const struct px_files *files, const char *path, const struct file_info *info,
                      enum root_patience patience, uint8_t *out_sidecars);

/* Which of them a request gets: the coding's name, or NULL for none of them (identity).
 * `out_suffix` is what stands behind the file's name. */
const char *files_sidecar_choose(const px_exchange *exchange, uint8_t sidecars,
                                 const char **out_suffix);

#endif
