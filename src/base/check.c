/*
 * The end of a broken assertion: tell the embedder, then abort.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

__attribute__((weak)) void px_on_fatal(const char *file, int line, const char *condition)
{
    if (check_rules_wanted())
        dprintf(2, "pollux: %s:%d: %s\n", file, line, condition);
}

bool check_rules_wanted(void)
{
    const char *text = secure_getenv("POLLUX_CHECK_RULES");

    return text && text[0] == '1';
}

void check_failed(const char *file, int line, const char *condition)
{
    px_on_fatal(file, line, condition);
    abort();
}
