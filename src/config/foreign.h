/*
 * Directives of other servers, and what they are called here.
 */
#ifndef PX_CONFIG_FOREIGN_H
#define PX_CONFIG_FOREIGN_H

#include "pollux/str.h"

/* What is written here in the place of another server's directive, or NULL. */
const char *foreign_find(px_str name);

#endif
