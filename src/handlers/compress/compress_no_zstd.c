/*
 * In place of compress_zstd.c where the library is built without Zstandard.
 */
#include "handlers/compress/compress.h"

const struct coder_kind *const coder_zstd = NULL;
