/*
 * How often a worker shows that its loop turns, and how long one may not.
 */
#ifndef PX_MAIN_BEATS_H
#define PX_MAIN_BEATS_H

#include "main/flags/options.h"

/* 0: for ever. */
uint32_t beats_hung_ms(const struct options *options);

uint32_t beats_beat_ms(const struct options *options);

#endif
