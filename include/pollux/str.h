/*
 * px_str: a slice of bytes, passed by value.
 *
 * A slice owns nothing: the function that hands one out says how long its bytes live.  An absent
 * value has `ptr == NULL`; an empty value has `len == 0` and a `ptr` that is not NULL, so that the
 * two can be told apart (an absent field against a field with an empty value).
 */
#ifndef PX_STR_H
#define PX_STR_H

#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A slice of bytes.  Not NUL-terminated unless the function that returns it says so. */
typedef struct px_str {
    const char *ptr; /**< First byte, or NULL for an absent value. */
    size_t len;      /**< Number of bytes. */
} px_str;

/** Makes a slice of a NUL-terminated string.
 *  @param text borrowed: must outlive the slice; NULL gives the absent slice.
 *  @return the slice.  Any thread; cannot fail. */
static inline px_str px_str_of(const char *text)
{
    px_str str;

    str.ptr = text;
    str.len = text ? strlen(text) : 0;
    return str;
}

/** Makes a slice of `len` bytes at `ptr`.
 *  @param ptr borrowed: must outlive the slice.
 *  @param len number of bytes.
 *  @return the slice.  Any thread; cannot fail. */
static inline px_str px_str_make(const char *ptr, size_t len)
{
    px_str str;

    str.ptr = ptr;
    str.len = len;
    return str;
}

/** Initialiser of a slice of a string literal, in C and C++, at file scope too. */
#define PX_STR_INIT(literal)         \
    {                                \
        literal, sizeof(literal) - 1 \
    }

/** Compares two slices byte by byte.
 *  @return 1 when both have the same bytes (an absent and an empty slice are equal), else 0.
 *  Any thread; cannot fail. */
static inline int px_str_equal(px_str left, px_str right)
{
    return left.len == right.len && (left.len == 0 || memcmp(left.ptr, right.ptr, left.len) == 0);
}

#ifdef __cplusplus
}
#endif

#endif
