/*
 * Reading an option struct of a caller that may have been built against another version.
 */
#ifndef PX_BASE_OPTIONS_H
#define PX_BASE_OPTIONS_H

#include <stddef.h>
#include <string.h>

#include "pollux/error.h"
#include "pollux/options.h"

/* A member of a table of callbacks, which stays where its owner has it: NULL where that was built
 * with a version whose table ends before the member. */
#define TABLE_MEMBER(table, member)                                                           \
    ((table)->struct_size >= offsetof(__typeof__(*(table)), member) + sizeof((table)->member) \
         ? (table)->member                                                                    \
         : NULL)

/* options_read for a struct of another size than the one that is known, or none. */
PX_MUST_CHECK px_err options_read_sized(void *out_options, size_t known_bytes, const void *options);

/* Copies the caller's struct (which begins with its size_t struct_size) into `out_options` of
 * `known_bytes` bytes; what the caller's version lacks is zero.  `options` may be NULL: all zero.
 * PX_OK, or PX_ERR_INVALID when struct_size is too small or an unknown tail is not zero.
 * Here, since nearly every struct has the size that is known: then it is a copy of that many bytes,
 * and some are read for each answer. */
PX_MUST_CHECK static inline px_err options_read(void *out_options, size_t known_bytes,
                                                const void *options)
{
    size_t given_bytes = 0;

    if (options)
        memcpy(&given_bytes, options, sizeof(given_bytes));
    if (given_bytes != known_bytes)
        return options_read_sized(out_options, known_bytes, options);
    memcpy(out_options, options, known_bytes);
    return PX_OK;
}

/* options_read for what is made with an error: it says which options begin without their size. */
PX_MUST_CHECK px_err options_take(void *out_options, size_t known_bytes, const void *options,
                                  const char *what, px_error *out_error);

/* Gives the caller a struct, as much of it as its struct_size says, which stays. */
void options_give(void *out_options, const void *known, size_t known_bytes);

/* The same for an entry of an array of such structs, which are all of the size that the first one
 * says. */
PX_MUST_CHECK px_err options_read_at(void *out_entry, size_t known_bytes, const void *entries,
                                     size_t index);

#endif
