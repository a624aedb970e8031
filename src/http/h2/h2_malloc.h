/*
 * A session's memory, as nghttp2 wants to be given it.
 */
#ifndef PX_HTTP_H2_MALLOC_H
#define PX_HTTP_H2_MALLOC_H

#include <nghttp2/nghttp2.h>

#include "http/h2/h2_memory.h"

/* `memory` outlives the library's session. */
nghttp2_mem h2_malloc(struct h2_memory *memory);

#endif
