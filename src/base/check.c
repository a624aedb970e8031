/*
 * The end of a broken assertion: tell the embedder, then abort.
 */
#include "base/check.h"

#include <stdlib.h>

__attribute__((weak)) void px_on_fatal(const char *file, int line, const char *condition)
{
    (void)file;
    (void)line;
    (void)condition;
}

void check_failed(const char *file, int line, const char *condition)
{
    px_on_fatal(file, line, condition);
    abort();
}
