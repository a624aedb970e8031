/*
 * A list of changes to fields, of requests or of answers.
 */
#ifndef PX_GATE_EDITS_H
#define PX_GATE_EDITS_H

#include <stdbool.h>

#include "base/list.h"
#include "pollux/headers.h"
#include "pollux/template.h"

struct edit {
    struct list node;
    px_header_edit what;
    bool https_only;
    px_template *value; /* owned; NULL: the field is removed */
    px_matcher *when;   /* a hold, or NULL */
    px_str name;        /* behind it; ends in NUL */
};

struct edits {
    px_allocator allocator;
    struct list list; /* of edit, owned, in their order */
    uint32_t count;
};

/* `allocator`: NULL: malloc. */
void edits_init(struct edits *edits, const px_allocator *allocator);
void edits_deinit(struct edits *edits);

/* As px_headers_add. */
PX_MUST_CHECK px_err edits_add(struct edits *edits, px_header_edit what, px_str name, px_str value,
                               px_matcher *when, px_error *out_error);

/* For each change that applies to the exchange: `change` with its value, absent where it is
 * removed. Where a value cannot be written the exchange is aborted, and no more changes come. */
void edits_run(const struct edits *edits, px_exchange *exchange,
               void (*change)(px_exchange *exchange, const struct edit *edit, px_str value));

#endif
