/*
 * The counters, as a line for a person.
 */
#ifndef PX_MAIN_REPORT_H
#define PX_MAIN_REPORT_H

#include "pollux/server.h"

/* Says them on stderr. */
void report_counters(const px_counters *counters);

/* Says how many requests the end has cut short, if it did. */
void report_cut(const px_counters *counters);

#endif
