/*
 * What a word that is not known was meant to be: the nearest of those that are.
 */
#ifndef PX_MAIN_SUGGEST_H
#define PX_MAIN_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

struct suggestion {
    const char *word; /* borrowed: what was given */
    size_t len;
    const char *nearest; /* borrowed: of what was tried; NULL: nothing is near */
    size_t distance;
};

/* Begins with a word of `len` bytes. */
struct suggestion suggest(const char *word, size_t len);

/* Tries one name.  Names that begin with the word are near, and so are those that a slip or two of
 * the fingers turn it into; of equals the first one tried stays. */
void suggest_try(struct suggestion *suggestion, const char *name);

#endif
