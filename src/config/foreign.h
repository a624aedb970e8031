/*
 * Directives of other servers, and what they are called here.
 */
#ifndef PX_CONFIG_FOREIGN_H
#define PX_CONFIG_FOREIGN_H

#include <stdbool.h>

#include "pollux/str.h"

/* What is written here in the place of another server's directive, or NULL. */
const char *foreign_find(px_str name);

/* What to do with a directive that has no counterpart, or with what begins a block there; or NULL.
 */
const char *foreign_advice(px_str name, bool has_block);

/* What to write in the place of a value of a directive that has the same name there; or NULL. */
const char *foreign_value(px_str directive, px_str value);

#endif
