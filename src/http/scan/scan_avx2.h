/*
 * The scan table for x86-64 CPUs with AVX2.  Only scan_select_x86.c may hand it out, after it has
 * asked the CPU; anywhere else it would be an illegal instruction.
 */
#ifndef PX_HTTP_SCAN_AVX2_H
#define PX_HTTP_SCAN_AVX2_H

#include "http/scan/scan.h"

extern const struct scan_table scan_avx2;

#endif
