/*
 * The distance of two words: how many bytes must be put in, left out, replaced, or swapped with
 * their neighbour (optimal string alignment).
 */
#include "main/flags/suggest.h"

#include <string.h>

#include "base/check.h"

enum {
    WORD_BYTES_MAX = 32, /* longer than any flag; what is longer has no neighbour */
    SLIPS_MAX = 2,
    SLIP_BYTES = 3, /* of a word, for each slip: "-x" is near nothing */
};

static size_t least(size_t left, size_t right)
{
    return left < right ? left : right;
}

/* Both have at most WORD_BYTES_MAX bytes. */
static size_t distance_of(const char *left, size_t left_len, const char *right, size_t right_len)
{
    size_t rows[3][WORD_BYTES_MAX + 1] = {{0}};
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    CHECK(left_len <= WORD_BYTES_MAX && right_len <= WORD_BYTES_MAX);
    for (size_t at = 0; at <= right_len; at++)
        last[at] = at;
    for (size_t i = 1; i <= left_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= right_len; j++) {
            size_t replaced = last[j - 1] + (left[i - 1] != right[j - 1]);

            row[j] = least(replaced, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;

        before = last;
        last = row;
        row = spare;
    }
    CHECK(last[right_len] <= left_len + right_len);
    return last[right_len];
}

struct suggestion suggest(const char *word, size_t len)
{
    return (struct suggestion){.word = word, .len = len, .distance = SLIPS_MAX + 1};
}

void suggest_try(struct suggestion *suggestion, const char *name)
{
    size_t name_len = strlen(name), distance = SLIPS_MAX + 1;
    size_t most = least(SLIPS_MAX, suggestion->len / SLIP_BYTES);

    if (suggestion->len == 0 || suggestion->len > WORD_BYTES_MAX || name_len > WORD_BYTES_MAX)
        return;
    distance = distance_of(suggestion->word, suggestion->len, name, name_len);
    /* More than what was given may be meant, if not a single letter: `--list` is `--listing`. */
    if (suggestion->len > 1 && name_len > suggestion->len &&
        memcmp(name, suggestion->word, suggestion->len) == 0)
        distance = least(distance, 1);
    else if (distance > most)
        return;
    if (distance < suggestion->distance) {
        suggestion->nearest = name;
        suggestion->distance = distance;
    }
}
