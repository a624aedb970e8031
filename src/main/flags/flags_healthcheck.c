/*
 * Flags of `pollux healthcheck`.
 */
#include "main/flags/flag.h"

const struct flag flags_healthcheck[] = {
    {"timeout", 0, "TIME", FOR_HEALTHCHECK, flag_set_duration, FLAG_AT(healthcheck.timeout_ms),
     "for the whole check (default 5s), or off"},
    {"ca", 0, "FILE", FOR_HEALTHCHECK, flag_set_path, FLAG_AT(healthcheck.ca_file),
     "PEM: authorities it trusts (default: system)"},
    {"insecure", 0, NULL, FOR_HEALTHCHECK, flag_set_switch, FLAG_AT(healthcheck.insecure),
     "take any certificate"},
    {"quiet", 'q', NULL, FOR_HEALTHCHECK, flag_set_switch, FLAG_AT(quiet),
     "do not say why the answer is no"},
    {0},
};
