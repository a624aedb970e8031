/*
 * How this process speaks.
 */
#include "process/spoken.h"

enum { LEVEL_MOST = 7 /* debug */ };

static struct spoken spoken_now = {LEVEL_MOST, false};

void spoken_settle(struct spoken spoken)
{
    spoken_now = spoken;
}

struct spoken spoken_as(void)
{
    return spoken_now;
}
