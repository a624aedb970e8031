/*
 * Values that are understood, and most likely not what was meant: each is a warning.
 */
#ifndef PX_CONFIG_SLIPS_H
#define PX_CONFIG_SLIPS_H

#include "config/load.h"
#include "config/schema/schema.h"

/* Looks at one value of a directive. */
void slips_judge(struct config_load *load, const struct config_directive *row,
                 const struct config_use *use, const struct config_value *value);

/* Looks for variables of nginx in a text with placeholders; `is_target`: $1 is one too. */
void slips_judge_variables(struct config_load *load, const struct config_value *value,
                           bool is_target);

#endif
