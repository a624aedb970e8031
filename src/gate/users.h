/*
 * Users and their hashes, from text as htpasswd writes it: `name:hash` a line; what is behind a
 * second colon, empty lines and those that begin with "#" mean nothing.
 *
 * It can fail by a line that is none of these, which is named, and by a name that is there twice.
 */
#ifndef PX_GATE_USERS_H
#define PX_GATE_USERS_H

#include <stdint.h>

#include "base/siphash.h"
#include "pollux/alloc.h"
#include "pollux/error.h"
#include "pollux/str.h"

struct user {
    px_str name;
    const char *hash;
    uint32_t next; /* in its bucket, one more than the index; 0: the last */
};

struct users {
    px_allocator allocator;
    char *text;         /* owned: names and hashes are in it */
    struct user *items; /* owned */
    uint32_t *buckets;  /* behind items: one more than an index, 0: empty */
    uint32_t count;
    uint32_t bucket_count; /* a power of two */
    struct siphash_key key;
};

/* Takes `text` (`bytes` and a NUL, of `allocator`) over, also when it fails: PX_OK; PX_ERR_INVALID
 * with "FILE:LINE: what is wrong", PX_ERR_MEMORY.  `file` is what the text is called. */
PX_MUST_CHECK px_err users_init(struct users *users, const px_allocator *allocator,
                                const struct siphash_key *key, char *text, size_t bytes,
                                const char *file, px_error *out_error);

/* A zeroed one is fine. */
void users_deinit(struct users *users);

/* The user of that name, or NULL. */
const struct user *users_find(const struct users *users, px_str name);

#endif
