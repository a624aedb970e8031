/*
 * In place of compress_brotli.c where the library is built without the Brotli encoder.
 */
#include "handlers/compress/compress.h"

const struct coder_kind *const coder_brotli = NULL;
