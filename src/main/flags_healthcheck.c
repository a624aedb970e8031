/*
 * Flags of `pollux healthcheck`.
 */
#include "main/flag.h"

const struct flag flags_healthcheck[] = {
    {"timeout", 0, "TIME", FOR_HEALTHCHECK, flag_set_duration, FLAG_AT(healthcheck.timeout_ms),
     "for the whole check (default 5s), or off"},
    {0},
};
