/*
 * The table for x86-64 CPUs with AVX2.  Only ws_select_x86.c may hand it out, after it has asked
 * the CPU; anywhere else it would be an illegal instruction.
 */
#ifndef PX_HTTP_WS_BYTES_AVX2_H
#define PX_HTTP_WS_BYTES_AVX2_H

#include "http/ws/ws_bytes.h"

extern const struct ws_bytes ws_bytes_avx2;

#endif
