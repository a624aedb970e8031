/*
 * In place of compress_gzip.c where the library is built without zlib.
 */
#include "handlers/compress/compress.h"

const struct coder_kind *const coder_gzip = NULL;
