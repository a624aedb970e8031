/*
 * Flags that contradict each other, or would be without effect.
 */
#ifndef PX_MAIN_OPTIONS_EFFECT_H
#define PX_MAIN_OPTIONS_EFFECT_H

#include "main/flags/options.h"

/* PX_OK, or PX_ERR_INVALID with the line to print. */
PX_MUST_CHECK px_err options_effect_check(const struct options *options, px_error *out_error);

#endif
