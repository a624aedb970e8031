/*
 * What a command answers with, as statements.
 */
#ifndef PX_MAIN_PRINT_SITE_H
#define PX_MAIN_PRINT_SITE_H

#include "main/flags/options.h"
#include "main/print/print_text.h"

/* What stands at the top beside it: the upstream of `pollux proxy`. */
void print_upstream(struct print *print, const struct options *options);

/* The answer, and what shapes it. */
void print_site(struct print *print, const struct options *options);

#endif
