/*
 * The errors of a configuration, collected and printed at their places.
 *
 *   pollux.conf:12:5: unknown directive "procy" in route; did you mean "proxy"?
 *      12 |     procy app
 *         |     ^^^^^
 *
 * At most REPORT_ENTRIES_MAX are kept: of a kind that explains others before the rest, and in the
 * order of the files.
 */
#ifndef PX_CONFIG_REPORT_H
#define PX_CONFIG_REPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/tree.h"

enum { REPORT_ENTRIES_MAX = 20, REPORT_TEXT_MAX = 400 };

/* In the order of use: what is wrong with the text explains what is missing later. */
enum report_rank {
    REPORT_SYNTAX,
    REPORT_MEANING,
    REPORT_WARNING /* told, and no error */
};

struct report_entry {
    struct config_place place;
    enum report_rank rank;
    uint32_t order;
    const char *text;
};

struct config_report {
    struct arena *arena; /* borrowed: outlives the report */
    struct report_entry entries[REPORT_ENTRIES_MAX];
    uint32_t entry_count;
    uint32_t error_count; /* those that were not kept too */
    uint32_t warning_count;
    bool out_of_memory;
};

void report_init(struct config_report *report, struct arena *arena);

/* Notes what is wrong at a place.  A file of NULL: the configuration as a whole. */
void report_add(struct config_report *report, enum report_rank rank, struct config_place place,
                const char *format, ...) PX_PRINTF(4, 5);

/* Whether what is wrong there would be among those that are told, so that it is worth looking for
 * words; what is not is counted. */
bool report_wants(const struct config_report *report, enum report_rank rank,
                  struct config_place place);

/* Nothing more can be said: memory ran out, or the arena's cap was reached. */
void report_out_of_memory(struct config_report *report);

/* Whether there is an error, not counting warnings. */
static inline bool report_has_errors(const struct config_report *report)
{
    return report->error_count > 0 || report->out_of_memory;
}

/* Writes all entries, each with its line and a mark below the place: PX_OK, PX_ERR_MEMORY,
 * PX_ERR_LIMIT. */
PX_MUST_CHECK px_err report_write(const struct config_report *report, struct buf *out);

/* The same for a log: what the entry of an index (`entry_count`: what there is beside them, which
 * may be nothing) says of which place, in one line without an end. */
PX_MUST_CHECK px_err report_write_line(const struct config_report *report, uint32_t index,
                                       struct buf *out, bool *out_is_error);

/* The name in `names` (ending in NULL) that was most likely meant, or NULL when none is near. */
const char *report_nearest(px_str word, const char *const *names);

/* How many single edits lead from one word to the other; more than `most` counts as most + 1. */
uint32_t report_distance(px_str one, px_str other, uint32_t most);

#endif
